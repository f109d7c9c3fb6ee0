"""Key attestations of wallets (OpenID4VCI 1.0 appendix D): who says how well keys are kept.

A wallet's provider signs that keys lie in a storage of some strength. We check that only where an
agency demands it for a credential, and then against the providers that this agency trusts.
"""

import re
from dataclasses import dataclass
from typing import Any

from identity.core.attesters import Attesters, attester_key
from identity.core.jose import parse_compact, verify_compact
from identity.core.oid4vci_errors import InvalidProof
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey, parse_jwk
from registry.core.refusals import Refusal

TYP = "key-attestation+jwt"
MAX_ATTESTATION_CHARS = 64 << 10
MAX_ATTESTED_KEYS = 64
CLOCK_SKEW_SECONDS = 120
_PLACE = re.compile("0|[1-9][0-9]?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationDemand:
    """What an agency asks of attestations, and whom it believes.

    `key_storage` and `user_authentication` list accepted values; an empty one asks for nothing.
    """

    trusted_keys: tuple[PublicKey, ...] = ()
    trusted_roots: tuple[bytes, ...] = ()  # DER
    key_storage: tuple[str, ...] = ()
    user_authentication: tuple[str, ...] = ()

    @property
    def metadata(self) -> JsonObject:
        """`key_attestations_required` of a proof type (§12.2.4)."""
        named = {
            "key_storage": list(self.key_storage),
            "user_authentication": list(self.user_authentication),
        }
        return {name: values for name, values in named.items() if values}


@dataclass(frozen=True, slots=True)
class Attestation:
    """An attestation that a trusted provider signed. The nonce is the caller's to use up."""

    keys: tuple[PublicKey, ...]
    nonce: str
    names: tuple[str | None, ...]  # `kid` of each key, where it has one

    def key_named(self, kid: str) -> PublicKey:
        """The key that a proof beside the attestation means by its `kid`.

        The specification leaves the name open (its example is "0"). Wallets send the place in
        `attested_keys`, counted from 0; a `kid` that a key bears itself goes before that.

        Raises:
            InvalidProof: none has that name, or several.
        """
        found = [key for key, name in zip(self.keys, self.names, strict=True) if name == kid]
        if not found and _PLACE.fullmatch(kid):
            found = list(self.keys[int(kid) : int(kid) + 1])
        if len(found) != 1:
            raise InvalidProof("key proof: kid names no key of its attestation")
        return found[0]


def verify_attestation(
    unverified: str, demand: AttestationDemand, *, now: int, needs_end: bool
) -> Attestation:
    """Check an attestation (§D.1).

    1. A compact JWS of type `key-attestation+jwt`, not larger than any should be.
    2. Signed by a trusted key, or by a certificate under a trusted root that is valid now.
    3. Issued in the past; not expired, and with an end where it comes with a `jwt` proof.
    4. Key storage and user authentication are among those that are accepted.
    5. Attested keys are there, admitted, and all different; the nonce is there.

    Raises:
        InvalidProof: with the step that failed.
    """
    try:
        jws = parse_compact(unverified, max_chars=MAX_ATTESTATION_CHARS)  # 1
        attesters = Attesters(demand.trusted_keys, demand.trusted_roots)
        key = attester_key(jws, attesters, typ=TYP, now=now)
        claims = verify_compact(jws, key=key, typ=TYP).claims  # 2
        listed = _list(claims, "attested_keys")
        keys = tuple(parse_jwk(item) for item in listed)  # 5
    except InvalidProof:
        raise
    except Refusal as error:
        raise InvalidProof(f"key attestation: {error.detail}") from error
    issued, ends = _seconds(claims, "iat"), _seconds(claims, "exp")  # 3
    if issued is None or issued > now + CLOCK_SKEW_SECONDS:
        raise InvalidProof("key attestation: iat is missing, or lies in the future")
    if ends is None and needs_end:
        raise InvalidProof("key attestation: exp is missing")
    if ends is not None and ends < now - CLOCK_SKEW_SECONDS:
        raise InvalidProof("key attestation: it has expired")
    for name, accepted in (  # 4
        ("key_storage", demand.key_storage),
        ("user_authentication", demand.user_authentication),
    ):
        if accepted and not set(accepted) & {str(item) for item in _list(claims, name)}:
            raise InvalidProof(f"key attestation: {name} is none of {', '.join(accepted)}")
    if len(set(keys)) != len(keys):
        raise InvalidProof("key attestation: a key comes twice")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonce:
        raise InvalidProof("key attestation: nonce is missing")
    names = tuple(item["kid"] if isinstance(item.get("kid"), str) else None for item in listed)
    return Attestation(keys, nonce, names)


def _list(claims: JsonObject, name: str) -> list[Any]:
    found = claims.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_ATTESTED_KEYS:
        raise InvalidProof(f"key attestation: {name} is missing, empty or too long")
    return found


def _seconds(claims: JsonObject, name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1 << 53:
        raise InvalidProof(f"key attestation: {name} is no number of seconds")
    return int(value)
