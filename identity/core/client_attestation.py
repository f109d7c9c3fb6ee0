"""Attestation-based client authentication: which wallet asks, by the word of its provider.

draft-ietf-oauth-attestation-based-client-auth (07 and later), as HAIP 1.0 §4.4.1 wants it of
issuers. The provider attests a key of the wallet for a while; the wallet proves that key with
each request, once.
"""

from dataclasses import dataclass

from identity.core.attesters import Attesters, attester_key
from identity.core.jose import parse_compact, verify_compact
from identity.core.oid4vci_errors import InvalidClient
from registry.core.encoding import JsonObject
from registry.core.hashing import labelled_hash
from registry.core.keys import PublicKey, parse_jwk
from registry.core.refusals import Refusal

ATTESTATION_TYP = "oauth-client-attestation+jwt"
POP_TYP = "oauth-client-attestation-pop+jwt"
ALGORITHMS = ("ES256", "ES384", "EdDSA")
MAX_ATTESTATION_CHARS = 24 << 10  # a chain of five certificates, and room
MAX_POP_CHARS = 8 << 10
MAX_JTI_CHARS = 256
WINDOW_SECONDS = 300  # how far the proof may lie from now, either way, as DPoP has it
CLOCK_SKEW_SECONDS = 120


@dataclass(frozen=True, slots=True)
class ClientTrust:
    """Whose word an agency takes about wallets, and whether every wallet must have one."""

    attesters: Attesters
    required: bool


@dataclass(frozen=True, slots=True)
class AttestedClient:
    """A wallet that proved itself. `replay_digest` must not have come before, see `expires_at`."""

    client_id: str
    replay_digest: bytes
    expires_at: int  # unix seconds: until then the same proof would be taken again


def verify_client_attestation(
    unverified_attestation: str,
    unverified_proof: str,
    attesters: Attesters,
    *,
    issuer_url: str,
    client_id: str | None,
    now: int,
) -> AttestedClient:
    """Check both headers of a request; the caller still has to refuse a repeated proof.

    1. The attestation: type, signed by a trusted provider, for a client, not expired, with a key.
    2. The proof: type, signed by that key.
    3. It is for this authorization server, alone, made just now, and has a number.
    4. Attestation, proof and request name one client.

    Args:
        unverified_attestation: value of `OAuth-Client-Attestation`.
        unverified_proof: value of `OAuth-Client-Attestation-PoP`.
        attesters: who is trusted.
        issuer_url: the authorization server's issuer identifier.
        client_id: of the request; None where it names none.
        now: unix seconds.

    Raises:
        InvalidClient: with the step that failed.
    """
    try:
        attestation = parse_compact(unverified_attestation, max_chars=MAX_ATTESTATION_CHARS)
        signer = attester_key(attestation, attesters, typ=ATTESTATION_TYP, now=now)
        attested = verify_compact(attestation, key=signer, typ=ATTESTATION_TYP).claims  # 1
        subject, instance = _attested(attested, now=now)
        proof = parse_compact(unverified_proof, max_chars=MAX_POP_CHARS)
        claims = verify_compact(proof, key=instance, typ=POP_TYP).claims  # 2
    except InvalidClient:
        raise
    except Refusal as error:
        raise InvalidClient(f"client attestation: {error.detail}") from error
    if claims.get("aud") not in (issuer_url, [issuer_url]):  # 3
        raise InvalidClient("client attestation proof: aud is not this authorization server")
    made = _seconds(claims, "iat", "client attestation proof")
    if made is None or not now - WINDOW_SECONDS <= made <= now + WINDOW_SECONDS:
        raise InvalidClient("client attestation proof: iat is missing, or too far from now")
    ends = _seconds(claims, "exp", "client attestation proof")
    if ends is not None and ends < now - CLOCK_SKEW_SECONDS:
        raise InvalidClient("client attestation proof: it has expired")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= MAX_JTI_CHARS:
        raise InvalidClient("client attestation proof: jti is missing or too long")
    if claims.get("iss", subject) != subject or client_id not in (None, subject):  # 4
        raise InvalidClient("client attestation: another client_id than the attested one")
    return AttestedClient(
        client_id=subject,
        replay_digest=labelled_hash(
            "cairn/client-attestation-jti/v1",
            instance.jwk_thumbprint.encode("ascii"),
            jti.encode("utf-8"),
        ),
        expires_at=made + 2 * WINDOW_SECONDS,
    )


def _attested(claims: JsonObject, *, now: int) -> tuple[str, PublicKey]:
    """The client and its key; what is in `cnf` is a public key that is admitted."""
    subject, confirmation = claims.get("sub"), claims.get("cnf")
    if not isinstance(subject, str) or not subject:
        raise InvalidClient("client attestation: sub is missing")
    ends = _seconds(claims, "exp", "client attestation")
    if ends is None or ends < now - CLOCK_SKEW_SECONDS:
        raise InvalidClient("client attestation: exp is missing, or has passed")
    for name in ("iat", "nbf"):
        begins = _seconds(claims, name, "client attestation")
        if begins is not None and begins > now + CLOCK_SKEW_SECONDS:
            raise InvalidClient(f"client attestation: {name} lies in the future")
    if not isinstance(confirmation, dict):
        raise InvalidClient("client attestation: cnf is missing")
    return subject, parse_jwk(confirmation.get("jwk"))


def _seconds(claims: JsonObject, name: str, what: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1 << 53:
        raise InvalidClient(f"{what}: {name} is no number of seconds")
    return int(value)
