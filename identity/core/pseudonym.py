"""A pseudonym for one relying party: it knows a wallet again, and nobody else can.

The wallet makes a P-256 key for each relying party and uses it for nothing else. When a request
asks for it, the wallet signs a statement of its own kind with that key and sends it beside
`vp_token`, as receipts are sent. The relying party gets a value derived from its DID and the key.

It proves: the wallet that answered before. It does not prove that a person has one pseudonym only,
and it says nothing about her; that is what the credentials beside it are for. No issuer takes part,
so none can compute it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from identity.core import jose
from identity.core.signing import Signer
from identity.core.verification.failure import CheckFailed
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.hashing import labelled_hash
from registry.core.keys import KeyType, PublicKey, parse_jwk
from registry.core.refusals import Refusal

TYP = "cairn-pseudonym+jwt"
MAX_STATEMENT_CHARS = 4096  # a P-256 JWK, a client_id and a nonce leave most of it empty
_HEADER = frozenset({"typ", "alg", "jwk"})
_CLAIMS = frozenset({"aud", "nonce", "iat", "vp_hash"})


class Wish(StrEnum):
    """Whether a relying party asks for a pseudonym."""

    NONE = "none"
    WANTED = "wanted"  # taken when it comes; the citizen may leave it out
    REQUIRED = "required"  # an answer without one is a "no"


class PseudonymMissing(CheckFailed):
    """A pseudonym was required, and none came."""

    def __init__(self) -> None:
        super().__init__("pseudonym_missing", "a pseudonym was required, and none came")


class PseudonymForAnother(CheckFailed):
    """The statement was made for another party, request or answer."""


class PseudonymNotValid(CheckFailed):
    """The statement is none, or its key or signature does not do."""

    def __init__(self, detail: str) -> None:
        super().__init__("pseudonym_not_valid", detail)


class PseudonymKeyReused(CheckFailed):
    """The key is one that a credential of the answer is bound to; it has another purpose."""

    def __init__(self) -> None:
        super().__init__("pseudonym_key_reused", "a credential is bound to the pseudonym's key")


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudonymExpectation:
    """What a pseudonym in this answer has to fit.

    Args:
        wish: what the request said.
        party: ledger DID of the relying party.
        audience: the whole `client_id` that was asked under.
        nonce: of the request.
        vp_token: as it came beside the statement.
        max_age_seconds, skew_seconds: how old the statement may be, and how wrong a clock.
        now: unix seconds.
    """

    wish: Wish
    party: str
    audience: str
    nonce: str
    vp_token: JsonObject
    max_age_seconds: int
    skew_seconds: int
    now: int


def make_statement(
    *, signer: Signer, audience: str, nonce: str, vp_token: JsonObject, issued_at: int
) -> str:
    """What a wallet sends as `pseudonym`, under the key that it keeps for this party.

    Args:
        issued_at: unix seconds.
    """
    return jose.sign_compact(
        header={"typ": TYP, "jwk": signer.key.jwk},
        payload={
            "aud": audience,
            "nonce": nonce,
            "iat": issued_at,
            "vp_hash": presentations_hash(vp_token),
        },
        signer=signer,
    )


def presentations_hash(vp_token: JsonObject) -> str:
    """Names the presentations that a statement goes with: 32 bytes, base64url.

    Raises:
        Malformed: it has no canonical form.
    """
    digest = labelled_hash("cairn/pseudonym-presentations/v1", canonical_json(vp_token))
    return base64url_encode(digest)


def pseudonym_of(*, party: str, key: PublicKey) -> str:
    """The pseudonym of whoever holds `key`, at one relying party: 32 bytes, base64url."""
    digest = labelled_hash("cairn/pseudonym/v1", party.encode(), key.jwk_thumbprint.encode())
    return base64url_encode(digest)


def verify_pseudonym(
    unverified: object, *, expected: PseudonymExpectation, holder_keys: Collection[PublicKey]
) -> str:
    """Check the statement beside an answer; returns the pseudonym.

    1. Not asked for: whatever came is ignored, as OAuth has unknown parameters ignored. Nothing
       came: empty, unless it was required.
    2. A compact JWS of our type with `jwk`, `typ` and `alg` in its header and nothing else.
    3. An admitted P-256 key without its private half, under which the signature verifies.
    4. The key is none that a credential of this answer is bound to: a key has one purpose, and a
       copy's key would make the pseudonym end with the copy.
    5. Its claims are `aud`, `nonce`, `iat` and `vp_hash`; it is for this party and this request,
       goes with these presentations, and is fresh.

    Args:
        unverified: the parameter `pseudonym`; None when there is none.
        holder_keys: keys that the presented credentials are bound to.

    Returns:
        The pseudonym; empty when there is none.

    Raises:
        PseudonymMissing, PseudonymNotValid, PseudonymKeyReused, PseudonymForAnother: with the step
            that failed.
    """
    if expected.wish is Wish.NONE:  # step 1
        return ""
    if unverified is None:
        if expected.wish is Wish.REQUIRED:
            raise PseudonymMissing
        return ""
    text = unverified if isinstance(unverified, str) else ""  # which is no JWS either
    try:
        jws = jose.parse_compact(text, max_chars=MAX_STATEMENT_CHARS)  # step 2
        if set(jws.header) != _HEADER:
            raise PseudonymNotValid("the pseudonym's header is not typ, alg and jwk")
        key = parse_jwk(jws.header["jwk"])  # step 3
        if key.type is not KeyType.P256:
            raise PseudonymNotValid("the pseudonym's key is not on P-256")
        claims = jose.verify_compact(jws, key=key, typ=TYP).claims
        presented = presentations_hash(expected.vp_token)
    except PseudonymNotValid:
        raise
    except Refusal as refusal:
        raise PseudonymNotValid(f"pseudonym: {refusal.detail}") from refusal
    if key in holder_keys:  # step 4
        raise PseudonymKeyReused
    _check_claims(claims, expected=expected, presented=presented)  # step 5
    return pseudonym_of(party=expected.party, key=key)


def _check_claims(claims: JsonObject, *, expected: PseudonymExpectation, presented: str) -> None:
    if set(claims) != _CLAIMS:
        raise PseudonymNotValid("the pseudonym's claims are not aud, nonce, iat and vp_hash")
    for claim, value, name in (
        ("aud", expected.audience, "audience"),
        ("nonce", expected.nonce, "nonce"),
        ("vp_hash", presented, "answer"),
    ):
        if claims[claim] != value:
            raise PseudonymForAnother(
                f"pseudonym_other_{name}", f"the pseudonym is for another {name}"
            )
    made_at = claims["iat"]
    if type(made_at) is not int:
        raise PseudonymNotValid("the pseudonym's iat is no number of seconds")
    age = expected.now - made_at
    if age > expected.max_age_seconds + expected.skew_seconds:
        raise PseudonymNotValid("the pseudonym's statement is too old")
    if age < -expected.skew_seconds:
        raise PseudonymNotValid("the pseudonym's statement is from the future")
