"""Keys in DID documents, and the DIDs that are their own document (`did:key`, `did:jwk`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from identity.core.bbs.keys import (
    BbsPublicKey,
    is_bbs_multikey,
    parse_bbs_did_key,
    parse_bbs_multikey,
)
from identity.core.verification.failure import CheckFailed
from registry.core.encoding import JsonObject, base64url_decode, parse_json_object
from registry.core.keys import PublicKey, parse_did_key, parse_jwk, parse_multikey
from registry.core.refusals import Malformed

MAX_METHODS = 64  # verification methods read from one document
_PURPOSES = ("assertionMethod", "authentication")
_SELF_DESCRIBING = ("did:key:", "did:jwk:")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerDocument:
    """One version of a DID document, and when it held: from `start` to before `end`.

    Unix seconds; `end` is None while it is the newest. A DID that describes itself holds for ever.
    """

    document: JsonObject
    start: int
    end: int | None

    def held_within(self, start: int, end: int) -> bool:
        """The version held at some moment between `start` and `end`, both included."""
        return self.start <= end and (self.end is None or self.end > start)


class MethodNotFound(CheckFailed):
    """No document that we were given has this verification method."""

    def __init__(self) -> None:
        super().__init__("method_not_found", "the issuer's DID document has no such key")


def is_self_describing(did: str) -> bool:
    """The DID says its whole document itself, so nobody has to be asked."""
    return did.startswith(_SELF_DESCRIBING)


def sole_key_of(did: str) -> PublicKey:
    """The one key of a self-describing DID.

    Raises:
        Malformed: as `key_of`.
    """
    return key_of(f"{did}#{did.removeprefix('did:key:') if did.startswith('did:key:') else '0'}")


@lru_cache(maxsize=4096)
def key_of(method: str) -> PublicKey:
    """The key of a self-describing DID URL: `did:key:z…#z…` or `did:jwk:…#0`.

    Raises:
        Malformed: another method, another fragment, or a key that is not admitted.
    """
    did, _, fragment = method.partition("#")
    if did.startswith("did:key:"):
        if fragment != did.removeprefix("did:key:"):
            raise Malformed("a did:key has one verification method, named by its key")
        return parse_did_key(did)
    if did.startswith("did:jwk:"):
        if fragment != "0":
            raise Malformed("a did:jwk has one verification method, #0")
        return parse_jwk(parse_json_object(base64url_decode(did.removeprefix("did:jwk:"))))
    raise Malformed("the DID does not describe itself")


@lru_cache(maxsize=256)
def bbs_key_of(method: str) -> BbsPublicKey:
    """The BBS key of `did:key:zUC7…#zUC7…`.

    Raises:
        Malformed: another method, another fragment, or a key that is not admitted.
    """
    did, _, fragment = method.partition("#")
    if fragment != did.removeprefix("did:key:"):
        raise Malformed("a did:key has one verification method, named by its key")
    return parse_bbs_did_key(did)


def self_description(method: str) -> IssuerDocument:
    """The DID document that a self-describing DID stands for, as far as checks read it.

    Raises:
        Malformed: as `key_of`.
    """
    did = method.partition("#")[0]
    # A BBS key secures credentials and does nothing else: it authenticates nobody.
    is_bbs = is_bbs_multikey(did.removeprefix("did:key:"))
    multikey = bbs_key_of(method).multikey if is_bbs else key_of(method).multikey
    document = {
        "id": did,
        "verificationMethod": [
            {
                "id": method,
                "type": "Multikey",
                "controller": did,
                "publicKeyMultibase": multikey,
            }
        ],
        **{purpose: [method] for purpose in (_PURPOSES[:1] if is_bbs else _PURPOSES)},
    }
    return IssuerDocument(document=document, start=0, end=None)


def find_key(documents: Sequence[IssuerDocument], method: str) -> PublicKey:
    """The key called `method`, whatever it may be used for.

    Raises:
        MethodNotFound: no document has it, or under another controller than the document's DID.
        KeyNotAdmitted: it is no key that we let in.
    """
    entry = _find(documents, method)
    if "publicKeyMultibase" in entry:
        return parse_multikey(entry["publicKeyMultibase"])
    return parse_jwk(entry.get("publicKeyJwk"))


def find_bbs_key(documents: Sequence[IssuerDocument], method: str) -> BbsPublicKey:
    """The BBS key called `method`, whatever it may be used for.

    Raises:
        MethodNotFound, KeyNotAdmitted: as `find_key`.
    """
    return parse_bbs_multikey(_find(documents, method).get("publicKeyMultibase"))


def is_allowed(documents: Sequence[IssuerDocument], method: str, purpose: str) -> bool:
    """One of `documents` lets `method` be used for `purpose`."""
    for version in documents:
        for entry in _entries(version.document, purpose):
            name = entry.get("id") if isinstance(entry, dict) else entry
            if name == method:
                return True
    return False


def also_known_as(documents: Sequence[IssuerDocument]) -> frozenset[str]:
    """Every other name that the documents give their subject."""
    return frozenset(
        name
        for version in documents
        for name in _entries(version.document, "alsoKnownAs")
        if isinstance(name, str)
    )


def _find(documents: Sequence[IssuerDocument], method: str) -> JsonObject:
    for version in documents:
        document = version.document
        for entry in _entries(document, "verificationMethod"):
            if (
                isinstance(entry, dict)
                and entry.get("id") == method
                and entry.get("controller") == document.get("id") == method.partition("#")[0]
            ):
                return entry
    raise MethodNotFound


def _entries(document: JsonObject, name: str) -> list[Any]:
    value = document.get(name, [])
    return value[:MAX_METHODS] if isinstance(value, list) else []
