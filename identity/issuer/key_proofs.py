"""Which keys a credential request proves: by `jwt` proofs, by attestation, or by both together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.key_attestation import Attestation, AttestationDemand, verify_attestation
from identity.core.key_proof import ProvenKey, did_jwk, verify_key_proofs
from identity.core.oid4vci_errors import InvalidCredentialRequest, InvalidProof
from registry.core.keys import PublicKey

ATTESTATION_ALGORITHMS = ("ES256", "ES384", "EdDSA")
BATCH_SIZE = 10  # copies in one request: one for each place that a citizen shows it to


@dataclass(frozen=True, slots=True)
class ProvenKeys:
    """Keys to bind to, all different, and the nonces that have to be used up."""

    keys: tuple[ProvenKey, ...]
    nonces: frozenset[str]


def proven_keys(
    request: Mapping[str, Any],
    *,
    audience: str,
    client_id: str | None,
    demand: AttestationDemand | None,
    now: datetime,
) -> ProvenKeys:
    """Check the proofs of a credential request (OpenID4VCI 1.0 appendix F).

    Args:
        request: the credential request.
        audience: the credential issuer identifier.
        client_id: of the token; a proof that names another client is refused.
        demand: what the credential asks of key attestations; None: nothing, and they are not read.
        now: current time.

    Raises:
        InvalidProof: a proof is missing, or does not verify.
        InvalidCredentialRequest: `proof` and `proofs` together.
    """
    seconds = int(now.timestamp())
    kind, proofs = _proofs(request)
    if kind == "attestation":
        if demand is None:
            raise InvalidProof("this credential is issued for key proofs of type jwt")
        if len(proofs) != 1:
            raise InvalidProof("exactly one key attestation is expected")
        found = verify_attestation(proofs[0], demand, now=seconds, needs_end=False)
        return _bounded(_attested([found]), {found.nonce})
    beside = _Attestations(demand, seconds) if demand is not None else None
    holders = verify_key_proofs(
        proofs,
        audience=audience,
        now=seconds,
        max_proofs=BATCH_SIZE,
        attested_key=None if beside is None else beside.key,
    )
    for holder in holders:
        # Some wallets name themselves in the pre-authorized flow too, where nobody knows them.
        if client_id is not None and holder.issuer not in (None, client_id):
            raise InvalidProof("key proof: iss is not the client_id of the access token")
    nonces = {holder.nonce for holder in holders}
    if beside is None:
        return _bounded(holders, nonces)
    attestations = [_attestation_of(holder, beside) for holder in holders]
    return _bounded(
        _attested(attestations, first=holders),
        nonces | {attestation.nonce for attestation in attestations},
    )


class _Attestations:
    """Attestations beside the proofs of one request; mostly all have the same, checked once."""

    def __init__(self, demand: AttestationDemand, seconds: int) -> None:
        self._demand, self._seconds = demand, seconds
        self._checked: dict[str, Attestation] = {}

    def read(self, unverified: str) -> Attestation:
        found = self._checked.get(unverified)
        if found is None:
            found = verify_attestation(unverified, self._demand, now=self._seconds, needs_end=True)
            self._checked[unverified] = found
        return found

    def key(self, unverified: str, kid: str) -> PublicKey:
        return self.read(unverified).key_named(kid)


def _attestation_of(holder: ProvenKey, beside: _Attestations) -> Attestation:
    if holder.attestation is None:
        raise InvalidProof("key proof: this credential needs a key_attestation in the header")
    found = beside.read(holder.attestation)
    if holder.key not in found.keys:
        raise InvalidProof("key proof: it is not signed by a key that its attestation names")
    return found


def _attested(
    attestations: Sequence[Attestation], *, first: Sequence[ProvenKey] = ()
) -> tuple[ProvenKey, ...]:
    """One for each attested key; those with a proof of their own keep the DID they came with."""
    known = {holder.key: holder for holder in first}
    for attestation in attestations:
        for key in attestation.keys:
            if key not in known:
                known[key] = ProvenKey(key=key, did=did_jwk(key), nonce=attestation.nonce)
    return tuple(known.values())


def _bounded(keys: tuple[ProvenKey, ...], nonces: set[str]) -> ProvenKeys:
    if len(keys) > BATCH_SIZE:
        raise InvalidProof(f"at most {BATCH_SIZE} keys in one request")
    return ProvenKeys(keys, frozenset(nonces))


def _proofs(request: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Type and texts of the proofs: `proofs` (1.0), or the one `proof` of draft 15."""
    if "proofs" in request and "proof" in request:
        raise InvalidCredentialRequest("proof and proofs exclude each other")
    if "proofs" in request:
        proofs = request["proofs"]
        given = (
            [(kind, found) for kind, found in proofs.items() if found is not None]
            if isinstance(proofs, dict)
            else []
        )
        if len(given) != 1:
            raise InvalidProof("proofs needs exactly one proof type")
        ((kind, found),) = given
    else:
        proof = request.get("proof")
        if proof is None:
            raise InvalidProof("a key proof is required")
        if not isinstance(proof, dict):
            raise InvalidProof("proof is no object")
        kind = proof.get("proof_type")
        found = [proof.get(str(kind))]
    if kind not in ("jwt", "attestation"):
        raise InvalidProof("only key proofs of the types jwt and attestation are supported")
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InvalidProof(f"proofs.{kind} is no array of texts")
    return kind, found
