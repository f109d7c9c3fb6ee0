"""Credentials and presentations that are secured from outside, in a `data:` URL.

VC-JOSE-COSE 1.0 has the document itself as payload: of a JWS (`application/vc+jwt`), of an SD-JWT
(`application/vc+sd-jwt`) or of a COSE_Sign1 (`application/vc+cose`); `vp` likewise. Data model 1.1
(`application/jwt`) has it in a claim `vc` or `vp`, beside claims that repeat parts of it. The media
type says which, and none is read as another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from identity.core import cose, jose, sd_jwt
from identity.core.cose import UnverifiedSign1
from identity.core.jose import UnverifiedJws
from identity.core.sd_jwt import UnverifiedSdJwt, VerifiedKeyBinding
from identity.core.verification.failure import CheckFailed
from identity.core.verification.times import read_time
from registry.core.encoding import JsonObject, base64_decode, parse_json_object
from registry.core.keys import PublicKey, parse_jwk, verify_signature
from registry.core.refusals import Malformed

MAX_ENVELOPE_CHARS = 512 << 10  # a presentation of several credentials with a portrait each
CREDENTIAL = "EnvelopedVerifiableCredential"
PRESENTATION = "EnvelopedVerifiablePresentation"
ANY_AGE_SECONDS = 1 << 40  # where a binding's age is judged by another check, with its own reason

_V2 = "https://www.w3.org/ns/credentials/v2"
_JWT_CLAIMS = frozenset({"iss", "sub", "iat", "nbf", "exp", "jti", "cnf", "aud", "nonce"})
# CWT claims by their labels (RFC 8392 §3.1; `nonce` is that of RFC 9711 §4.1).
_CWT_CLAIMS = {1: "iss", 2: "sub", 3: "aud", 4: "exp", 5: "nbf", 6: "iat", 10: "nonce"}
# What a holder must not be able to keep to herself (VC-JOSE-COSE §3.2.1).
_NEVER_DISCLOSED = frozenset(
    {"@context", "issuer", "validFrom", "validUntil", "credentialStatus", "credentialSchema"}
    | {"iss", "iat", "nbf", "exp", "cnf", "aud", "nonce"}
)


class Securing(StrEnum):
    """How a document is secured, by the last part of the media type."""

    JWT = "jwt"
    SD_JWT = "sd-jwt"
    COSE = "cose"


class EnvelopeMalformed(Malformed):
    """Not an enveloped credential or presentation as the data model has it (VCDM 2.0 §4.13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What an envelope holds. Nothing here is to be believed yet.

    Args:
        secured: the signed object.
        document: the credential or presentation in it, with what was disclosed in its place.
        signed: the same as it was signed: with digests where something may be disclosed.
        claims: registered claims beside the document, by their JWT names.
        key_id: how the signature names its key.
        member: `vc` or `vp`.
        is_old: form of data model 1.1.
        is_plain: a bare JWT of that form, whose document is JSON and not JSON-LD to its readers.
    """

    secured: UnverifiedJws | UnverifiedSdJwt | UnverifiedSign1
    document: JsonObject
    signed: JsonObject
    claims: JsonObject
    key_id: object
    member: str
    is_old: bool
    is_plain: bool = False


def open_envelope(value: JsonObject, kind: str) -> Envelope:
    """Take an envelope apart.

    Args:
        value: an object whose `type` contains `kind`.
        kind: `CREDENTIAL` or `PRESENTATION`.

    Raises:
        EnvelopeMalformed: its context or its `data:` URL is another one, or the document is not
            where the media type says.
        Malformed: no compact JWS, no SD-JWT, no COSE_Sign1 as the media type says.
    """
    contexts = value.get("@context")
    if _V2 not in (contexts if isinstance(contexts, list) else [contexts]):
        raise EnvelopeMalformed("an envelope has the context of version 2")
    address = value.get("id")
    if not isinstance(address, str) or len(address) > MAX_ENVELOPE_CHARS:
        raise EnvelopeMalformed("an envelope has a data: URL of bounded length")
    scheme, _, text = address.partition(",")
    return open_secured(
        scheme.removeprefix("data:application/") if scheme.startswith("data:") else "",
        text,
        member="vc" if kind == CREDENTIAL else "vp",
    )


def open_secured(subtype: str, text: str, *, member: str) -> Envelope:
    """Take the content of a `data:` URL apart.

    Args:
        subtype: what follows `application/`, with `;base64` where it belongs to it.
        text: what follows the comma.
        member: `vc` or `vp`.

    Raises:
        Malformed: as `open_envelope`.
    """
    if subtype == "jwt":
        return _open_old(jose.parse_compact(text, max_chars=MAX_ENVELOPE_CHARS), member)
    if subtype == f"{member}+{Securing.JWT}":
        jws = jose.parse_compact(text, max_chars=MAX_ENVELOPE_CHARS)
        return _opened(jws, jws.claims, key_id=jws.header.get("kid"), member=member)
    if subtype == f"{member}+{Securing.SD_JWT}":
        parsed = sd_jwt.parse_sd_jwt(text)
        payload = sd_jwt.open_disclosures(parsed).claims
        return _opened(
            parsed,
            payload,
            key_id=parsed.jws.header.get("kid"),
            member=member,
            signed=parsed.jws.claims,
        )
    if subtype == f"{member}+{Securing.COSE};base64":
        return _open_cose(text, member)
    raise EnvelopeMalformed(
        f"an envelope is a data: URL of application/{member}+jwt, application/{member}+sd-jwt, "
        f"application/{member}+cose;base64 or application/jwt"
    )


def open_jwt(text: object, *, member: str) -> Envelope:
    """A credential or presentation of data model 1.1 as a bare JWT (`jwt_vc_json`).

    Args:
        text: the compact JWS.
        member: `vc` or `vp`.

    Raises:
        EnvelopeMalformed: no text, too long, or no document in the claim.
        Malformed: no compact JWS.
    """
    if not isinstance(text, str) or len(text) > MAX_ENVELOPE_CHARS:
        raise EnvelopeMalformed("a JWT is a text of bounded length")
    return replace(open_secured("jwt", text, member=member), is_plain=True)


def verify_envelope(envelope: Envelope, *, key: PublicKey, now: int) -> None:
    """Check type, algorithm and signature, and that claims do not contradict the document.

    A key binding of an SD-JWT is checked too when there is one: it is part of what was sent.

    Args:
        now: unix seconds; a key binding is not from the future.

    Raises:
        CheckFailed, JwsNotAccepted, CoseNotAccepted: another type than the media type says, another
            `alg` than the key's, or a claim that says otherwise than the document.
        SdJwtMalformed: something was disclosed that its holder must not be able to keep back.
        SignatureNotValid: the signature does not verify.
        KeyNotAdmitted: the key in `cnf` is none that we let in.
    """
    secured = envelope.secured
    if isinstance(secured, UnverifiedSdJwt):
        _verify_sd_jwt(secured, envelope.member, key)
        verify_binding(envelope, now=now)
    elif isinstance(secured, UnverifiedSign1):
        cose.verify_sign1(
            secured,
            key=key,
            content_type=f"application/{envelope.member}",
            typ=f"application/{envelope.member}+{Securing.COSE}",
        )
    else:
        _verify_jws(secured, envelope, key)
    confirmation = envelope.claims.get("cnf")
    if isinstance(confirmation, dict) and "jwk" in confirmation:
        parse_jwk(confirmation["jwk"])  # an issuer that binds to a weak key binds to everybody
    _check_claims(envelope)


def verify_binding(envelope: Envelope, *, now: int) -> VerifiedKeyBinding | None:
    """Check the key binding of an SD-JWT under the key in `cnf`; None when it has none.

    Whether it is fresh, and made for us, is for the checks of the holder and the audience.

    Raises:
        CheckFailed: no key in `cnf`, or no audience or nonce.
        KeyBindingNotValid, SignatureNotValid: it is another's, or for other disclosures.
    """
    secured = envelope.secured
    if not isinstance(secured, UnverifiedSdJwt) or secured.key_binding is None:
        return None
    confirmation = envelope.claims.get("cnf")
    if not isinstance(confirmation, dict) or "jwk" not in confirmation:
        raise CheckFailed("holder_key_missing", "a key binding needs a key in cnf")
    stated = stated_in(envelope)
    if set(stated) != {"audience", "nonce"}:
        raise CheckFailed("holder_binding_incomplete", "the key binding names no audience or nonce")
    return sd_jwt.verify_key_binding(
        secured,
        holder_key=parse_jwk(confirmation["jwk"]),
        audience=stated["audience"],
        nonce=stated["nonce"],
        now=now,
        max_age_seconds=ANY_AGE_SECONDS,
    )


def stated_in(envelope: Envelope) -> Mapping[str, str]:
    """Audience and nonce that an envelope names; for comparison, not yet believed."""
    claims = envelope.claims
    if isinstance(envelope.secured, UnverifiedSdJwt) and envelope.secured.key_binding is not None:
        claims = jose.parse_compact(envelope.secured.key_binding).claims
    named = claims.get("aud", [])
    audiences: Sequence[object] = named if isinstance(named, list) else [named]
    stated = {
        "audience": audiences[0] if len(audiences) == 1 else None,
        "nonce": claims.get("nonce"),
    }
    return {name: value for name, value in stated.items() if isinstance(value, str)}


def numeric_date(claims: JsonObject, name: str) -> int | None:
    """A date of RFC 7519 in unix seconds, or None.

    Raises:
        CheckFailed: it is there and no number of seconds.
    """
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise CheckFailed("time_malformed", f"{name} is no date in seconds")
    return int(value)


def issued_at(claims: JsonObject) -> int | None:
    """`iat` in unix seconds, or None when it is not there.

    Widely used signers write the credential's `validFrom` there as it is, so a date and time is
    read as well. Nothing gets valid by it: periods come from `exp`, `nbf` and the document.
    """
    if isinstance(claims.get("iat"), str):
        return read_time(claims["iat"])
    return numeric_date(claims, "iat")


def identifier_of(value: object) -> object:
    """The `id` of an object, or the text itself; None when there is neither."""
    return value.get("id") if isinstance(value, dict) else value


def _open_old(jws: UnverifiedJws, member: str) -> Envelope:
    claims = jws.claims
    document = claims.get(member)
    if not isinstance(document, dict):
        raise EnvelopeMalformed(f"an application/jwt envelope has its document in {member}")
    party = "issuer" if member == "vc" else "holder"
    if party not in document and "iss" in claims:
        document = {**document, party: claims["iss"]}
    return Envelope(
        secured=jws,
        document=document,
        signed=document,
        claims=claims,
        key_id=jws.header.get("kid"),
        member=member,
        is_old=True,
    )


def _open_cose(text: str, member: str) -> Envelope:
    # RFC 2397 data is padded base64; what the field writes mostly is not.
    padded = text if text.endswith("=") else text + "=" * (-len(text) % 4)
    message = cose.parse_sign1(base64_decode(padded))
    document = parse_json_object(message.payload)
    claims: JsonObject = {
        name: message.claims[label]
        for label, name in _CWT_CLAIMS.items()
        if label in message.claims
    }
    if isinstance(claims.get("nonce"), bytes):
        claims["nonce"] = claims["nonce"].decode("utf-8", "replace")
    return _opened(message, document, key_id=message.key_id, member=member, claims=claims)


def _opened(
    secured: UnverifiedJws | UnverifiedSdJwt | UnverifiedSign1,
    payload: JsonObject,
    *,
    key_id: object,
    member: str,
    claims: JsonObject | None = None,
    signed: JsonObject | None = None,
) -> Envelope:
    if "vc" in payload or "vp" in payload:
        raise EnvelopeMalformed("the payload has a vc or vp claim, which version 2 does not know")
    # A COSE payload is the document alone; a JWT's claims set has registered claims among it.
    beside = _JWT_CLAIMS if claims is None else frozenset()
    document = {name: value for name, value in payload.items() if name not in beside}
    return Envelope(
        secured=secured,
        document=document,
        signed=document if signed is None else signed,
        claims=payload if claims is None else claims,
        key_id=key_id,
        member=member,
        is_old=False,
    )


def _verify_jws(jws: UnverifiedJws, envelope: Envelope, key: PublicKey) -> None:
    if envelope.is_old and "typ" not in jws.header:  # optional there (RFC 7519 §5.1)
        if jws.header["alg"] != key.algorithm:
            raise CheckFailed("envelope_malformed", "JWS alg does not belong to the key")
        verify_signature(key, message=jws.signing_input, signature=jws.signature)
        return
    accepted = ("JWT", "jwt") if envelope.is_old else _typs(envelope.member, Securing.JWT)
    jose.verify_compact(jws, key=key, typ=accepted)
    _check_content_type(jws, envelope)


def _verify_sd_jwt(unverified: UnverifiedSdJwt, member: str, key: PublicKey) -> None:
    verified = sd_jwt.verify_sd_jwt(unverified, key=key, typ=_typs(member, Securing.SD_JWT))
    if any(path[0] in _NEVER_DISCLOSED for path in verified.disclosed):
        raise sd_jwt.SdJwtMalformed("what every verifier needs was selectively disclosed")


def _check_content_type(jws: UnverifiedJws, envelope: Envelope) -> None:
    """`cty` is optional; one that says something else contradicts the media type."""
    said = jws.header.get("cty")
    if not envelope.is_old and said is not None and said not in _content_types(envelope.member):
        raise CheckFailed("envelope_malformed", "cty says otherwise than the media type")


def _check_claims(envelope: Envelope) -> None:
    document, claims = envelope.document, envelope.claims
    party = "issuer" if envelope.member == "vc" else "holder"
    # A document without the member has nothing to contradict; a credential always has an issuer.
    subject = document.get("credentialSubject") if envelope.member == "vc" else None
    for claim, said in (
        ("iss", identifier_of(document.get(party))),
        ("jti", document.get("id")),
        ("sub", identifier_of(subject)),
    ):
        if claim in claims and said is not None and claims[claim] != said:
            raise CheckFailed("envelope_malformed", f"{claim} says otherwise than the document")


def _typs(member: str, securing: Securing) -> tuple[str, ...]:
    """RFC 7515 §4.1.9: the prefix `application/` may be left out."""
    return (f"{member}+{securing}", f"application/{member}+{securing}")


def _content_types(member: str) -> tuple[str, ...]:
    return (member, f"application/{member}")
