"""What every answer of ours goes through: request log, metrics, limits, security headers."""

import secrets
import time
from collections.abc import Callable

import structlog
from fastapi import FastAPI, Response
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.refusals import Unavailable
from registry.problems import problem_of

_log = structlog.get_logger()

# Pages load only what we serve: no inline script, no foreign host but issuers and verifiers by
# fetch. 'wasm-unsafe-eval' is for the QR reader.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; "
    "connect-src 'self' https: http://127.0.0.1:* http://localhost:*; manifest-src 'self'; "
    "worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(self), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")


class TooManyRequests(Unavailable):
    """This client asks faster than the installation allows; wait as `Retry-After` says."""


class Metrics:
    """Counters of requests by route template, never by path: a path may hold an identifier."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cairn_http_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "cairn_http_request_seconds",
            "Time to the answer, in seconds",
            ("route",),
            registry=self.registry,
        )

    def render(self) -> Response:
        """The Prometheus text form."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class EdgeMiddleware:
    """Outermost layer: one request id, one log line, one count, the headers, the rate limit."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        requests_per_minute: int,
        https: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._clock = clock
        self._headers = [*_HEADERS, _HSTS] if https else _HEADERS
        self._limit = RateLimitItemPerMinute(requests_per_minute) if requests_per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id = self._clock(), secrets.token_hex(8)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(item for item in self._headers if item[0] not in present),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        client = (scope.get("client") or ("unknown",))[0]
        try:
            if self._limit is not None and not self._limiter.hit(self._limit, client):
                refusal = problem_of(TooManyRequests("too many requests from this address"))
                refusal.status_code = 429
                refusal.headers["Retry-After"] = "10"
                await refusal(scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        finally:
            seconds = self._clock() - started
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            _log.info(
                "request",
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                seconds=round(seconds, 4),
            )


class HeadMiddleware:
    """HEAD wherever there is GET: the same headers, no content (RFC 9110 §9.1, §9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is no HEAD goes through as it is."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        # A scope of its own: the server goes by the method in the other one when it counts bytes.
        inner = {**scope, "method": "GET"}
        await self._app(inner, receive, send_without_content)
        if "route" in inner:
            scope["route"] = inner["route"]  # the request log and the metrics name it


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install_edge(app: FastAPI, *, requests_per_minute: int, https: bool) -> Metrics:
    """Put the edge around `app` and serve `/metrics`, `/healthz`."""
    metrics = Metrics()
    app.add_middleware(
        EdgeMiddleware, metrics=metrics, requests_per_minute=requests_per_minute, https=https
    )

    @app.get("/metrics", include_in_schema=False)
    def read_metrics() -> Response:
        return metrics.render()

    @app.get("/healthz", include_in_schema=False)
    def read_health() -> dict[str, str]:
        return {"status": "ok"}

    return metrics
