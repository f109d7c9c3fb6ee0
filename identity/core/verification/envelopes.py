"""Credentials and presentations that are secured from outside: a JWS in a `data:` URL.

Two forms exist. VC-JOSE-COSE 1.0 (`application/vc+jwt`, `application/vp+jwt`) has the document
itself as payload. Data model 1.1 (`application/jwt`) has it in a claim `vc` or `vp`, beside claims
that repeat parts of it. The media type says which, and neither is read as the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from identity.core import jose
from identity.core.jose import UnverifiedJws
from identity.core.verification.failure import CheckFailed
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey, verify_signature
from registry.core.refusals import Malformed

MAX_ENVELOPE_CHARS = 512 << 10  # a presentation of several credentials with a portrait each
CREDENTIAL = "EnvelopedVerifiableCredential"
PRESENTATION = "EnvelopedVerifiablePresentation"

_V2 = "https://www.w3.org/ns/credentials/v2"
_JWT_CLAIMS = frozenset({"iss", "sub", "iat", "nbf", "exp", "jti", "cnf", "aud", "nonce"})
_OLD_MEDIA_TYPE = "application/jwt"


class EnvelopeMalformed(Malformed):
    """Not an enveloped credential or presentation as the data model has it (VCDM 2.0 §4.13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What an envelope holds. Nothing here is to be believed yet.

    Args:
        jws: the signed text.
        document: the credential or presentation in it.
        member: `vc` or `vp`.
        is_old: form of data model 1.1.
    """

    jws: UnverifiedJws
    document: JsonObject
    member: str
    is_old: bool

    @property
    def claims(self) -> JsonObject:
        """The whole payload."""
        return self.jws.claims


def open_envelope(value: JsonObject, kind: str) -> Envelope:
    """Take an envelope apart.

    Args:
        value: an object whose `type` contains `kind`.
        kind: `CREDENTIAL` or `PRESENTATION`.

    Raises:
        EnvelopeMalformed: its context or its `data:` URL is another one, or the document is not
            where the media type says.
        Malformed: no compact JWS.
    """
    member = "vc" if kind == CREDENTIAL else "vp"
    contexts = value.get("@context")
    if _V2 not in (contexts if isinstance(contexts, list) else [contexts]):
        raise EnvelopeMalformed("an envelope has the context of version 2")
    address = value.get("id")
    scheme, _, text = address.partition(",") if isinstance(address, str) else ("", "", "")
    if scheme not in (f"data:application/{member}+jwt", f"data:{_OLD_MEDIA_TYPE}"):
        raise EnvelopeMalformed(
            f"an envelope is a data: URL of application/{member}+jwt or {_OLD_MEDIA_TYPE}"
        )
    jws = jose.parse_compact(text, max_chars=MAX_ENVELOPE_CHARS)
    claims = jws.claims
    if scheme.endswith(_OLD_MEDIA_TYPE):
        document = claims.get(member)
        if not isinstance(document, dict):
            raise EnvelopeMalformed(f"an {_OLD_MEDIA_TYPE} envelope has its document in {member}")
        party = "issuer" if member == "vc" else "holder"
        if party not in document and "iss" in claims:
            document = {**document, party: claims["iss"]}
        return Envelope(jws=jws, document=document, member=member, is_old=True)
    if "vc" in claims or "vp" in claims:
        raise EnvelopeMalformed("the payload has a vc or vp claim, which version 2 does not know")
    document = {name: claim for name, claim in claims.items() if name not in _JWT_CLAIMS}
    return Envelope(jws=jws, document=document, member=member, is_old=False)


def verify_envelope(envelope: Envelope, *, key: PublicKey) -> None:
    """Check type, algorithm and signature, and that claims do not contradict the document.

    Raises:
        CheckFailed, JwsNotAccepted: another `typ` than the media type says, another `alg` than the
            key's, or a claim that says otherwise than the document.
        SignatureNotValid: the signature does not verify.
    """
    if envelope.is_old and "typ" not in envelope.jws.header:  # optional there (RFC 7519 §5.1)
        if envelope.jws.header["alg"] != key.algorithm:
            raise CheckFailed("envelope_malformed", "JWS alg does not belong to the key")
        verify_signature(key, message=envelope.jws.signing_input, signature=envelope.jws.signature)
    else:
        accepted: str | tuple[str, ...] = f"{envelope.member}+jwt"
        if envelope.is_old:
            accepted = ("JWT", "jwt")
        jose.verify_compact(envelope.jws, key=key, typ=accepted)
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


def audiences(claims: JsonObject) -> Sequence[object]:
    """`aud` as a list."""
    value = claims.get("aud", [])
    return value if isinstance(value, list) else [value]


def identifier_of(value: object) -> object:
    """The `id` of an object, or the text itself; None when there is neither."""
    return value.get("id") if isinstance(value, dict) else value
