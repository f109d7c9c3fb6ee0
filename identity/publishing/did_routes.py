"""The `did:web` documents of our institutions: the keys that the ledger holds, at a web address."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from registry.core.did_web import web_document
from registry.core.encoding import JsonObject
from registry.core.refusals import NotFound
from registry.problems import responses

CACHE_SECONDS = 60  # a key that was rotated away is believed no longer than this


class NoWebDocument(NotFound):
    """No institution of ours has a `did:web` document here."""


def build_router(
    *,
    dids: Mapping[str, tuple[str, str]],
    resolve: Callable[[str], JsonObject | None],
    kind: str = "issuers",
) -> APIRouter:
    """`/issuers/{slug}/did.json`, or the same under `/verifiers`.

    Args:
        dids: `did:cairn` and `did:web` of each institution, by slug.
        resolve: the proven document of a `did:cairn`; None when the ledger has none.
        kind: `issuers` or `verifiers`.
    """
    router = APIRouter(tags=[kind])

    @router.get(f"/{kind}/{{slug}}/did.json", responses=responses(404, 503))
    def read_did_document(slug: str) -> JSONResponse:
        """Read anew from the ledger, so that rotation and deactivation show at once."""
        if slug not in dids:
            raise NoWebDocument("no such institution")
        ledger_did, web_did = dids[slug]
        document = resolve(ledger_did)
        if document is None or "verificationMethod" not in document:
            raise NoWebDocument("the DID of the institution is deactivated")
        return JSONResponse(
            web_document(document, web_did),
            media_type="application/did+json",
            headers={"Cache-Control": f"public, max-age={CACHE_SECONDS}"},
        )

    return router
