"""The one way out of the verifier: HTTP GET to listed places, with every bound set.

The host is on a list, and so is the address that is connected to: the name is resolved once, its
addresses are held against the list, and one of them is dialled as a number. A name may resolve to
another address a second later, and "private address" tests have holes. Redirects are not followed.
Nothing that a credential says can make the verifier talk to anybody else.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from registry.core.refusals import NotPermitted, Unavailable

MAX_BODY_BYTES = 4 << 20  # a status list of 2^20 entries that does not compress, in base64
READ_CHUNK_BYTES = 64 << 10


class PlaceNotAllowed(NotPermitted):
    """The URL leads to a place that is not on the list."""


class FetchFailed(Unavailable):
    """The place does not answer in time, or not as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPlace:
    """One origin (`https://host[:port]`), and the networks its address may lie in."""

    origin: str
    networks: tuple[str, ...]

    def __post_init__(self) -> None:
        parts = urlsplit(self.origin)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path:
            raise PlaceNotAllowed("an allowed place is an origin")
        if not self.networks:
            raise PlaceNotAllowed("an allowed place names the networks of its addresses")
        for network in self.networks:
            ipaddress.ip_network(network)


class BoundedFetcher:
    """GET with an allow-list, a time limit and a size limit."""

    def __init__(
        self,
        places: Sequence[AllowedPlace],
        *,
        clock: Callable[[], float],
        timeout_seconds: float = 5.0,
        max_bytes: int = MAX_BODY_BYTES,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`clock` is monotonic, in seconds; `tls` defaults to the system's trusted roots."""
        self._places: Mapping[str, AllowedPlace] = {place.origin: place for place in places}
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._tls = tls

    def get(self, url: str, *, accept: str) -> bytes:
        """The body at `url`.

        Raises:
            PlaceNotAllowed: the origin is not listed, or its address is outside its networks.
            FetchFailed: no answer in time, another status than 200, or too long a body.
        """
        parts = urlsplit(url)
        place = self._places.get(f"{parts.scheme}://{parts.netloc}")
        if place is None or parts.fragment or not url.isascii():
            raise PlaceNotAllowed("the verifier does not fetch from there")
        deadline = self._clock() + self._timeout_seconds
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection = self._connect(place)
        # A socket's own time limit begins anew with every byte, also within the header lines.
        alarm = threading.Timer(self._timeout_seconds, _hang_up, (connection,))
        alarm.start()
        try:
            # The ledger says which version is right; an older one from a cache on the way is not.
            headers = {"Accept": accept, "Cache-Control": "no-cache"}
            connection.request("GET", path or "/", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise FetchFailed("the place does not answer with what was asked for")
            body = self._read(response)
            if self._clock() > deadline:
                raise FetchFailed("the answer takes too long")
            return body
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise FetchFailed("the place does not answer") from error
        finally:
            alarm.cancel()
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while chunk := response.read1(READ_CHUNK_BYTES):
            body += chunk
            if len(body) > self._max_bytes:
                raise FetchFailed("the answer is too long")
        if response.length:  # bytes that were announced and did not come
            raise FetchFailed("the answer broke off")
        return bytes(body)

    def _connect(self, place: AllowedPlace) -> http.client.HTTPConnection:
        parts = urlsplit(place.origin)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        raw = self._dial(host, port, place)
        if parts.scheme == "https":
            context = self._tls or ssl.create_default_context()
            try:
                raw = context.wrap_socket(raw, server_hostname=host)
            except OSError as error:
                raw.close()
                raise FetchFailed("no secure connection to the place") from error
        connection = http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
        connection.sock = raw
        return connection

    def _dial(self, host: str, port: int, place: AllowedPlace) -> socket.socket:
        networks = [ipaddress.ip_network(network) for network in place.networks]
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise FetchFailed("the place cannot be found") from error
        allowed = [
            info for info in found if any(_address_of(info[4]) in network for network in networks)
        ]
        if not allowed:
            raise PlaceNotAllowed("the host's address is outside its networks")
        for family, kind, protocol, _name, address in allowed:
            raw = socket.socket(family, kind, protocol)
            raw.settimeout(self._timeout_seconds)
            try:
                raw.connect(address)
            except OSError:
                raw.close()
                continue
            return raw
        raise FetchFailed("the place cannot be reached")


def _hang_up(connection: http.client.HTTPConnection) -> None:
    with contextlib.suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _address_of(address: Sequence[object]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(str(address[0]).partition("%")[0])
