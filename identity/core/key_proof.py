"""Proof that a wallet holds the key its credential will be bound to.

OpenID4VCI 1.0 appendix F.1 (`jwt` proof type) and F.4 (verification).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from identity.core.jose import parse_compact, verify_compact
from identity.core.oid4vci_errors import InvalidProof
from registry.core.encoding import (
    JsonObject,
    base64url_decode,
    base64url_encode,
    canonical_json,
    parse_json_object,
)
from registry.core.keys import PublicKey, parse_did_key, parse_jwk
from registry.core.refusals import Malformed, Refusal

TYP = "openid4vci-proof+jwt"
MAX_PROOF_CHARS = 96 << 10  # a key attestation of 64 keys with its chain fits into the header
MAX_PROOF_AGE_SECONDS = (
    600  # wallet clocks are wrong by minutes; the nonce is what proves freshness
)
MAX_CLOCK_SKEW_SECONDS = 120
MAX_DID_CHARS = 1024  # a did:jwk of a P-384 key with extra members stays below 700
ALGORITHMS = ("ES256", "EdDSA")  # what the metadata advertises; ES384 is accepted too

# From a `key_attestation` and a `kid` to the attested key of that name; raises InvalidProof.
AttestedKey = Callable[[str, str], PublicKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenKey:
    """A key whose holder signed our nonce."""

    key: PublicKey
    did: str  # did:key or did:jwk of the same key: the subject of a W3C credential
    nonce: str
    issuer: str | None = None  # `iss`: the client_id, where the token has one
    attestation: str | None = None  # `key_attestation` of the header, not verified


def verify_key_proofs(
    unverified_proofs: Sequence[str],
    *,
    audience: str,
    now: int,
    max_proofs: int,
    attested_key: AttestedKey | None = None,
) -> tuple[ProvenKey, ...]:
    """Check every proof of a credential request.

    The caller still has to consume the nonces; a nonce that is not ours proves nothing.

    Args:
        unverified_proofs: compact JWTs.
        audience: the credential issuer identifier.
        now: unix seconds.
        max_proofs: the advertised batch size.
        attested_key: finds a key that `kid` names in the attestation beside it; None: where no
            attestation is believed, `kid` names a DID alone.

    Returns:
        One proven key for each proof, in order, all different.

    Raises:
        InvalidProof: no proof, too many, one that does not verify, or a key that comes twice.
    """
    if not unverified_proofs:
        raise InvalidProof("a key proof is required")
    if len(unverified_proofs) > max_proofs:
        raise InvalidProof(f"at most {max_proofs} key proofs in one request")
    proven = tuple(
        verify_key_proof(unverified, audience=audience, now=now, attested_key=attested_key)
        for unverified in unverified_proofs
    )
    if len({item.key for item in proven}) != len(proven):
        raise InvalidProof("two key proofs have the same key")
    return proven


def verify_key_proof(
    unverified: str, *, audience: str, now: int, attested_key: AttestedKey | None = None
) -> ProvenKey:
    """Check one proof, as `verify_key_proofs`.

    1. A compact JWS of type `openid4vci-proof+jwt` with an algorithm that we accept.
    2. Exactly one of `jwk` and `kid`. No private key inside. A `kid` is a did:key or did:jwk URL,
       or names a key of the `key_attestation` beside it, as the example of appendix F.1 has it.
    3. The signature verifies under that key.
    4. `aud` is this issuer, alone.
    5. `iat` lies within the window; `exp` and `nbf`, where given, allow `now`.
    6. `nonce` is there.

    Raises:
        InvalidProof: with the step that failed.
    """
    try:
        jws = parse_compact(unverified, max_chars=MAX_PROOF_CHARS)  # step 1
        key, did = _proven_key(jws.header, attested_key)  # step 2
        claims = verify_compact(jws, key=key, typ=TYP).claims  # step 3
    except InvalidProof:
        raise
    except Refusal as error:
        raise InvalidProof(f"key proof: {error.detail}") from error
    if claims.get("aud") != audience and claims.get("aud") != [audience]:  # step 4
        raise InvalidProof("key proof: aud is not this credential issuer")
    issued_at = _seconds(claims, "iat")  # step 5
    if issued_at is None:
        raise InvalidProof("key proof: iat is missing")
    if issued_at > now + MAX_CLOCK_SKEW_SECONDS:
        raise InvalidProof("key proof: iat lies in the future")
    if issued_at < now - MAX_PROOF_AGE_SECONDS:
        raise InvalidProof("key proof: iat is too long ago")
    expires, not_before = _seconds(claims, "exp"), _seconds(claims, "nbf")
    if expires is not None and expires < now - MAX_CLOCK_SKEW_SECONDS:
        raise InvalidProof("key proof: it has expired")
    if not_before is not None and not_before > now + MAX_CLOCK_SKEW_SECONDS:
        raise InvalidProof("key proof: it is not valid yet")
    nonce = claims.get("nonce")  # step 6
    if not isinstance(nonce, str) or not nonce:
        raise InvalidProof("key proof: nonce is missing")
    issuer, attestation = claims.get("iss"), jws.header.get("key_attestation")
    if not isinstance(issuer, str | None) or not isinstance(attestation, str | None):
        raise InvalidProof("key proof: iss or key_attestation is no text")
    return ProvenKey(key=key, did=did, nonce=nonce, issuer=issuer, attestation=attestation)


def did_jwk(key: PublicKey) -> str:
    """The did:jwk of a key, from its required members in canonical order."""
    return f"did:jwk:{base64url_encode(canonical_json(key.jwk))}"


def parse_holder_did(did: str) -> PublicKey:
    """The key of a did:key or did:jwk.

    Raises:
        Malformed: too long, another method, or a key that is not admitted.
    """
    if len(did) > MAX_DID_CHARS:
        raise Malformed("holder DID is too long")
    if did.startswith("did:key:"):
        return parse_did_key(did)
    if did.startswith("did:jwk:"):
        return parse_jwk(parse_json_object(base64url_decode(did.removeprefix("did:jwk:"))))
    raise Malformed("holder DID is neither did:key nor did:jwk")


def _proven_key(header: JsonObject, attested_key: AttestedKey | None) -> tuple[PublicKey, str]:
    named = [name for name in ("jwk", "kid", "x5c") if name in header]
    if len(named) != 1 or named[0] == "x5c":
        raise InvalidProof("key proof: header needs exactly one of jwk and kid")
    if named[0] == "jwk":
        key = parse_jwk(header["jwk"])
        return key, did_jwk(key)
    kid = header["kid"]
    if not isinstance(kid, str):
        raise InvalidProof("key proof: kid is no text")
    attestation = header.get("key_attestation")
    if attested_key is not None and isinstance(attestation, str) and not kid.startswith("did:"):
        key = attested_key(attestation, kid)
        return key, did_jwk(key)
    did, _, fragment = kid.partition("#")
    key = parse_holder_did(did)
    expected = did.removeprefix("did:key:") if did.startswith("did:key:") else "0"
    if fragment not in ("", expected):
        raise InvalidProof("key proof: kid names no key of its DID")
    return key, did


def _seconds(claims: JsonObject, name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1 << 53:
        raise InvalidProof(f"key proof: {name} is no number of seconds")
    return int(value)
