"""From the `did:web` of an institution to its DID on the ledger."""

from collections.abc import Sequence
from typing import Protocol

from registry.core.did_web import MAX_DOCUMENT_BYTES, web_url
from registry.core.encoding import parse_json_object

MAX_NAMES = 8  # other names read from one document; ours have two


class WebDocuments(Protocol):
    """Fetches DID documents from allowed places; `FetchedWebDocuments` keeps this promise."""

    def fetch(self, url: str) -> bytes:
        """The document at `url`."""
        ...


class DocumentNames:
    """Keeps the promise of `identity.verifier.ports.WebNames`."""

    def __init__(self, documents: WebDocuments) -> None:
        self._documents = documents

    def ledger_dids(self, did: str) -> Sequence[str]:
        """As `WebNames.ledger_dids`."""
        body = self._documents.fetch(web_url(did))
        document = parse_json_object(body, max_bytes=MAX_DOCUMENT_BYTES)
        names = document.get("alsoKnownAs", [])
        return [
            name
            for name in (names[:MAX_NAMES] if isinstance(names, list) else [])
            if isinstance(name, str) and name.startswith("did:cairn:")
        ]
