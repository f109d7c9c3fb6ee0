"""`did:web`: its text, where its document lies, and the one of an institution on the ledger.

An institution that has a `did:cairn` and a web address can be known by both: the address serves
the keys that the ledger holds. Each document names the other in `alsoKnownAs`; only the two
together bind, for anybody can write another's name into a document of her own.
"""

import re
from collections.abc import Sequence

from registry.core.did_url import DidNotValid
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.key_forms import FORM_CONTEXTS, MULTIKEY, key_method
from registry.core.keys import KeyType, parse_multikey
from registry.core.refusals import Malformed, NotPermitted, Unavailable

MAX_DOCUMENT_BYTES = 64 << 10  # ten keys and ten services have 8 KiB
MAX_DID_WEB_CHARS = 512

# Lower-case host, port, path of plain segments. Percent-encoding is for the port's colon alone: an
# encoded slash or dot would let one DID stand for two addresses.
_DID_WEB = re.compile(
    r"did:web:([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?:%3A([1-9][0-9]{0,4}))?"
    r"((?::[A-Za-z0-9._-]+)*)"
)
_BASE = re.compile(
    r"https?://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([1-9][0-9]{0,4}))?"
    r"((?:/[A-Za-z0-9._-]+)*)"
)
_DOTS = frozenset({".", ".."})

JWK_2020 = "JsonWebKey2020"


class WebPlaceNotListed(NotPermitted):
    """The document lies at a place that the resolver does not visit; it did not connect to it."""


class WebDocumentNotValid(Unavailable):
    """What lies at the address of a `did:web` is no DID document of that DID."""


def web_url(did: str) -> str:
    """Where the document of a `did:web` lies; always https.

    Raises:
        DidNotValid: no `did:web`, or not in the form that we admit.
    """
    found = _DID_WEB.fullmatch(did)
    segments = found[3].split(":")[1:] if found else []
    if not found or len(did) > MAX_DID_WEB_CHARS or _DOTS & set(segments):
        raise DidNotValid("not a did:web with a lower-case host and a plain path")
    origin = f"https://{found[1]}" + (f":{found[2]}" if found[2] else "")
    return "/".join([origin, *(segments or [".well-known"]), "did.json"])


def web_did(base_url: str) -> str | None:
    """The `did:web` whose document lies below `base_url`; None when none can.

    An `http` base has one too, so that an installation on the loopback address is like any other;
    resolvers will ask it for https.
    """
    found = _BASE.fullmatch(base_url)
    segments = found[3].split("/")[1:] if found else []
    if not found or _DOTS & set(segments):
        return None
    host = found[1] + (f"%3A{found[2]}" if found[2] else "")
    did = ":".join(["did:web", host, *segments])
    return did if len(did) <= MAX_DID_WEB_CHARS else None


def web_document(document: JsonObject, did: str) -> JsonObject:
    """The `did:web` document with the keys of a `did:cairn` document.

    NIST keys come as JsonWebKey2020, because who checks a JWT with a key from the web looks for a
    JWK; Ed25519 keys sign Data Integrity proofs and come as Multikeys. Fragments are the same.

    Args:
        document: of the `did:cairn`, its keys as Multikeys.
        did: the `did:web`.
    """
    ledger_did: str = document["id"]
    methods = [
        key_method(
            key,
            MULTIKEY if key.type is KeyType.ED25519 else JWK_2020,
            id=did + method["id"].removeprefix(ledger_did),
            controller=did,
        )
        for method in document.get("verificationMethod", ())
        for key in [parse_multikey(method["publicKeyMultibase"])]
    ]
    moved = {
        name: [did + item.removeprefix(ledger_did) for item in value]
        for name, value in document.items()
        if name in ("assertionMethod", "authentication", "capabilityInvocation")
    }
    services = [
        {**service, "id": did + service["id"].removeprefix(ledger_did)}
        for service in document.get("service", ())
    ]
    others = [name for name in document.get("alsoKnownAs", ()) if name != did]
    return {
        "@context": [
            "https://www.w3.org/ns/did/v1",
            FORM_CONTEXTS[MULTIKEY],
            FORM_CONTEXTS[JWK_2020],
        ],
        "id": did,
        "alsoKnownAs": [ledger_did, *others],
        "verificationMethod": methods,
        **moved,
        **({"service": services} if services else {}),
    }


def parse_web_document(data: bytes, did: str) -> JsonObject:
    """A document that somebody serves for a `did:web`.

    Only what our own answers promise of a document is checked: who uses a key from it admits that
    key by itself.

    Raises:
        WebDocumentNotValid: no JSON object, the document of another DID, or parts without ids.
    """
    try:
        document = parse_json_object(data, max_bytes=MAX_DOCUMENT_BYTES)
    except Malformed as error:
        raise WebDocumentNotValid("the document of the did:web is no JSON object") from error
    if document.get("id") != did:
        raise WebDocumentNotValid("the document lies at the address of another DID")
    context = document.get("@context")
    if context is not None and not isinstance(context, str | list):
        raise WebDocumentNotValid("the context of the document is of another type")
    for member, limit in (("verificationMethod", 64), ("service", 64)):
        _check_parts(document.get(member, []), limit)
    return document


def _check_parts(parts: object, limit: int) -> None:
    if not isinstance(parts, Sequence) or isinstance(parts, str) or len(parts) > limit:
        raise WebDocumentNotValid("the document lists parts in another way, or too many")
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("id"), str):
            raise WebDocumentNotValid("a part of the document has no id")
