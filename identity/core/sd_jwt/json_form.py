"""SD-JWT in JWS JSON serialization (RFC 9901 §8): flattened and general, read as compact.

The two forms say the same; `sd_hash` is even computed over the compact one. So JSON is taken apart,
put together as compact text, and judged by the same rules. Disclosures and key binding stand in the
unprotected header of the first signature alone.
"""

from collections.abc import Sequence
from typing import Any

from identity.core.sd_jwt.format import (
    MAX_DISCLOSURES,
    MAX_SD_JWT_CHARS,
    SdJwtMalformed,
    UnverifiedSdJwt,
    parse_sd_jwt,
)
from registry.core.encoding import JsonObject

MAX_SIGNATURES = 8  # each is a text of its own; the payload is the same for all

_DISCLOSURES, _KEY_BINDING = "disclosures", "kb_jwt"


def parse_sd_jwt_json(value: object) -> tuple[UnverifiedSdJwt, ...]:
    """One SD-JWT for each signature, all with the same payload, disclosures and key binding.

    Whose signature counts is the caller's choice; `kid` in an unprotected header is only a hint,
    see `key_ids`.

    Raises:
        SdJwtMalformed: neither flattened nor general; members of both; no signature, or too many;
            disclosures that are no texts, or beside another signature than the first; a header
            parameter that is protected and unprotected at once.
        JwsMalformed: a signature with its header is no JWS.
    """
    if not isinstance(value, dict):
        raise SdJwtMalformed("SD-JWT is no object")
    payload = _text(value, "payload")
    signatures = _signatures(value)
    header = _header(signatures[0])
    disclosures = header.get(_DISCLOSURES, [])
    if (
        not isinstance(disclosures, list)
        or len(disclosures) > MAX_DISCLOSURES
        or not all(isinstance(entry, str) and "~" not in entry for entry in disclosures)
    ):
        raise SdJwtMalformed("disclosures are no array of texts, or too many")
    key_binding = header.get(_KEY_BINDING, "")
    if not isinstance(key_binding, str) or "~" in key_binding:
        raise SdJwtMalformed("kb_jwt is no text")
    if _KEY_BINDING in header and not key_binding:
        raise SdJwtMalformed("kb_jwt is empty")
    parsed = []
    for number, signature in enumerate(signatures):
        unprotected = _header(signature)
        if number and {_DISCLOSURES, _KEY_BINDING} & set(unprotected):
            raise SdJwtMalformed("disclosures stand beside another signature than the first")
        jws = ".".join((_text(signature, "protected"), payload, _text(signature, "signature")))
        one = parse_sd_jwt("~".join((jws, *disclosures, key_binding)))
        if set(one.jws.header) & set(unprotected):  # RFC 7515 §4
            raise SdJwtMalformed("a header parameter is protected and unprotected at once")
        parsed.append(one)
    return tuple(parsed)


def key_ids(value: JsonObject) -> tuple[str | None, ...]:
    """`kid` of each signature's unprotected header, for looking keys up; None where there is none.

    Args:
        value: what `parse_sd_jwt_json` took.
    """
    named = (_header(signature).get("kid") for signature in _signatures(value))
    return tuple(kid if isinstance(kid, str) else None for kid in named)


def flattened(text: str, *, header: JsonObject | None = None) -> JsonObject:
    """The flattened form of a compact SD-JWT (§8.1); `header` is added to the unprotected one."""
    unverified = parse_sd_jwt(text)
    protected, payload, signature = unverified.issuer_jwt.split(".")
    return {
        "payload": payload,
        "protected": protected,
        "signature": signature,
        "header": {**(header or {}), **_carried(unverified)},
    }


def general(texts: Sequence[str], *, headers: Sequence[JsonObject] = ()) -> JsonObject:
    """The general form (§8.2) of compact SD-JWTs that differ in header and signature alone.

    Args:
        texts: one a signature; disclosures and key binding are taken from the first.
        headers: unprotected headers, one a signature, or none at all.

    Raises:
        SdJwtMalformed: no text, or another payload in one of them.
    """
    parts = [parse_sd_jwt(text) for text in texts]
    split = [part.issuer_jwt.split(".") for part in parts]
    if not parts or len({payload for _, payload, _ in split}) != 1:
        raise SdJwtMalformed("the signatures are not over one payload")
    carried = [_carried(parts[0]), *({} for _ in parts[1:])]
    return {
        "payload": split[0][1],
        "signatures": [
            {
                "protected": protected,
                "signature": signature,
                "header": {**(headers[number] if headers else {}), **carried[number]},
            }
            for number, (protected, _, signature) in enumerate(split)
        ],
    }


def _carried(unverified: UnverifiedSdJwt) -> JsonObject:
    carried: JsonObject = {_DISCLOSURES: list(unverified.disclosures)}
    if unverified.key_binding is not None:
        carried[_KEY_BINDING] = unverified.key_binding
    return carried


def _signatures(value: JsonObject) -> list[Any]:
    if "signatures" not in value:
        return [value]
    if {"signature", "protected", "header"} & set(value):  # RFC 7515 §7.2.1
        raise SdJwtMalformed("SD-JWT is flattened and general at once")
    signatures = value["signatures"]
    if (
        not isinstance(signatures, list)
        or not 0 < len(signatures) <= MAX_SIGNATURES
        or not all(isinstance(entry, dict) for entry in signatures)
    ):
        raise SdJwtMalformed("signatures are no array of objects, or too many")
    return signatures


def _header(signature: JsonObject) -> JsonObject:
    header = signature.get("header", {})
    if not isinstance(header, dict):
        raise SdJwtMalformed("an unprotected header is no object")
    return header


def _text(value: JsonObject, name: str) -> str:
    member = value.get(name)
    if not isinstance(member, str) or len(member) > MAX_SD_JWT_CHARS or {".", "~"} & set(member):
        raise SdJwtMalformed(f"{name} is missing, no text, or too long")
    return member
