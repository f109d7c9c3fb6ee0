"""Adding and verifying proofs, alone, in sets and in chains (VC Data Integrity 1.0 §4)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from identity.core.bbs.keys import BbsPublicKey
from identity.core.data_integrity.suite import ProofMalformed, ProofNotValid, SuiteKey
from identity.core.data_integrity.suites import BBS_2023, find_cryptosuite
from identity.core.date_time import (
    NotADateTimeStamp,
    format_date_time_stamp,
    parse_date_time_stamp,
)
from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from registry.core.encoding import JsonObject
from registry.core.keys import PublicKey

MAX_PROOFS = 5  # in a set or chain; each costs a canonicalisation, of up to 0.3 s, and a signature
MAX_TEXT_CHARS = 2_048  # identifiers, domains and challenges in a proof

DATA_INTEGRITY_PROOF = "DataIntegrityProof"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
# Contexts that define DataIntegrityProof; a document without any of them gets the v2 one (§2.4.1).
_DEFINING = frozenset(
    {
        "https://www.w3.org/ns/credentials/v2",
        "https://w3id.org/security/data-integrity/v1",
        DATA_INTEGRITY_V2,
    }
)
_OPTIONS = frozenset({"id", "expires", "domain", "challenge", "nonce", "previousProof"})

ResolveKey = Callable[[str, str], PublicKey]
"""(verification method, proof purpose) -> key authorised for it; raises a `Refusal`."""

ResolveBbsKey = Callable[[str, str], BbsPublicKey]
"""The same for BBS keys, which are admitted for `bbs-2023` and nothing else."""


def no_bbs_keys(method: str, purpose: str) -> BbsPublicKey:  # noqa: ARG001
    """For callers who take no BBS proofs: refuses."""
    raise ProofNotValid("no BBS proof is taken here")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    """One proof that verified."""

    proof: JsonObject
    verification_method: str
    key: SuiteKey
    cryptosuite: str
    purpose: str
    created: datetime | None
    domain: tuple[str, ...]
    challenge: str | None


def add_proof(
    document: JsonObject,
    *,
    signer: Signer,
    cryptosuite: str,
    created: datetime,
    purpose: str,
    contexts: ContextStore,
    options: JsonObject | None = None,
) -> JsonObject:
    """Secure `document` with one more proof (§4.2, §4.3).

    Args:
        document: left as it is; the result is a copy. Proofs that it has are kept.
        signer: its `verification_method` goes into the proof.
        cryptosuite: a name in `CRYPTOSUITES`.
        created: aware; written in UTC to the second.
        purpose: `assertionMethod`, `authentication`, ...
        contexts: where JSON-LD contexts come from.
        options: any of id, expires, domain, challenge, nonce and previousProof, as in the proof.

    Raises:
        CryptosuiteNotKnown, ProofMalformed: a bad name or option, or an unknown previous proof.
        Malformed: the document cannot be canonicalised without loss.
    """
    suite = find_cryptosuite(cryptosuite)
    secured, config, unsecured = prepare(
        document,
        method=signer.verification_method,
        cryptosuite=cryptosuite,
        created=created,
        purpose=purpose,
        options=options,
    )
    config["proofValue"] = suite.create(unsecured, config, signer=signer, contexts=contexts)
    return attach(secured, config)


def prepare(
    document: JsonObject,
    *,
    method: str,
    cryptosuite: str,
    created: datetime,
    purpose: str,
    options: JsonObject | None,
) -> tuple[JsonObject, JsonObject, JsonObject]:
    """The document with its contexts, the proof without value, and what that proof is of."""
    if set(options or {}) - _OPTIONS:
        raise ProofMalformed("proof options have a member that is not an option")
    secured = _with_defining_context(document)
    existing = _proofs_of(secured) if "proof" in secured else []
    config: JsonObject = {
        "type": DATA_INTEGRITY_PROOF,
        "cryptosuite": cryptosuite,
        "created": format_date_time_stamp(created),
        "verificationMethod": method,
        "proofPurpose": purpose,
        **(options or {}),
    }
    _check_members(config)
    if len(existing) >= MAX_PROOFS:
        raise ProofMalformed(f"document has {MAX_PROOFS} proofs already")
    return secured, config, _input_document(secured, config, _by_id([*existing, config]))


def attach(document: JsonObject, proof: JsonObject) -> JsonObject:
    """The document with one more proof; a first one stands alone, more make an array."""
    existing = _proofs_of(document) if "proof" in document else []
    return {**document, "proof": [*existing, proof] if existing else proof}


def verify_proofs(
    document: JsonObject,
    *,
    purpose: str,
    resolve_key: ResolveKey,
    contexts: ContextStore,
    now: datetime,
    domain: str | None,
    challenge: str | None,
    resolve_bbs_key: ResolveBbsKey = no_bbs_keys,
) -> list[VerifiedProof]:
    """Verify every proof of a document: a single one, a set or a chain (§4.4, §4.5).

    Args:
        document: with `proof`.
        purpose: the only purpose accepted.
        resolve_key: finds a key and refuses one that is not authorised for the purpose.
        contexts: where JSON-LD contexts come from.
        now: aware; a proof whose `expires` has passed is refused.
        domain: what `domain` of each proof must be, or None for proofs that are bound to none.
        challenge: what `challenge` of each proof must be, or None likewise.
        resolve_bbs_key: the same as `resolve_key` for bbs-2023 proofs; by default none is taken.

    Returns:
        One entry a proof, in the document's order; never empty.

    Raises:
        ProofMalformed, CryptosuiteNotKnown: no proof, or one that is not well-formed.
        ProofNotValid, SignatureNotValid: expired, made for something else, or of something else.
        Malformed: the document cannot be canonicalised without loss.
    """
    proofs = _proofs_of(document)
    by_id = _by_id(proofs)
    verified = []
    for proof in proofs:
        _check_members(proof)
        suite = find_cryptosuite(proof.get("cryptosuite"))
        method = proof["verificationMethod"]
        if proof["proofPurpose"] != purpose:
            raise ProofNotValid("proof was made for another purpose")
        if "expires" in proof and parse_date_time_stamp(proof["expires"]) <= now:
            raise ProofNotValid("proof has expired")
        domains = tuple(_texts(proof.get("domain", [])))
        if domain is not None and set(domains) != {domain}:
            raise ProofNotValid("proof is for another domain")
        if challenge is not None and proof.get("challenge") != challenge:
            raise ProofNotValid("proof answers another challenge")
        # A chain: the proofs before are part of what this one signs, and verify in this loop too.
        unsecured = _input_document(document, proof, by_id)
        resolve = resolve_bbs_key if suite is BBS_2023 else resolve_key
        key = resolve(method, purpose)
        suite.verify(unsecured, proof, key=key, contexts=contexts)
        verified.append(
            VerifiedProof(
                proof=proof,
                verification_method=method,
                key=key,
                cryptosuite=suite.name,
                purpose=purpose,
                created=parse_date_time_stamp(proof["created"]) if "created" in proof else None,
                domain=domains,
                challenge=proof.get("challenge"),
            )
        )
    return verified


def _proofs_of(document: JsonObject) -> list[JsonObject]:
    proof = document.get("proof")
    proofs: list[Any] = proof if isinstance(proof, list) else [proof]
    if not proofs or not all(isinstance(entry, dict) for entry in proofs):
        raise ProofMalformed("document has no proof, or one that is not an object")
    if len(proofs) > MAX_PROOFS:
        raise ProofMalformed(f"document has more than {MAX_PROOFS} proofs")
    return proofs


def _by_id(proofs: list[JsonObject]) -> dict[str, JsonObject]:
    by_id: dict[str, JsonObject] = {}
    for proof in proofs:
        if "id" in proof:
            if proof["id"] in by_id:
                raise ProofMalformed("two proofs have the same id")
            by_id[_text(proof["id"])] = proof
    return by_id


def _input_document(
    document: JsonObject, proof: JsonObject, by_id: dict[str, JsonObject]
) -> JsonObject:
    """What `proof` is a proof of: the document, with the proofs that it continues (§4.5)."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    if "previousProof" not in proof:
        return unsecured
    names = _texts(proof["previousProof"])
    if not names or len(set(names)) != len(names):
        raise ProofMalformed("previousProof names nothing, or one proof twice")
    for name in names:
        if name not in by_id or by_id[name] is proof or name == proof.get("id"):
            raise ProofMalformed("previousProof names a proof that is not there")
    unsecured["proof"] = [by_id[name] for name in names]
    return unsecured


def _check_members(proof: JsonObject) -> None:
    if proof.get("type") != DATA_INTEGRITY_PROOF:
        raise ProofMalformed("proof is not a DataIntegrityProof")
    for name in ("verificationMethod", "proofPurpose"):
        _text(proof.get(name), name)
    for name in ("id", "challenge", "nonce"):
        if name in proof:
            _text(proof[name], name)
    if "domain" in proof and not _texts(proof["domain"]):
        raise ProofMalformed("proof has an empty domain")
    for name in ("created", "expires"):
        if name in proof:
            try:
                parse_date_time_stamp(proof[name])
            except NotADateTimeStamp as error:
                raise ProofMalformed(f"proof {name}: {error.detail}") from error


def _text(value: Any, name: str = "member") -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT_CHARS:
        raise ProofMalformed(f"proof {name} is missing, no text, or too long")
    return value


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if len(values) > MAX_PROOFS:
        raise ProofMalformed("proof names too much at once")
    return [_text(entry) for entry in values]


def _with_defining_context(document: JsonObject) -> JsonObject:
    """A copy of `document` whose contexts define what a proof is."""
    contexts = document.get("@context", [])
    listed = contexts if isinstance(contexts, list) else [contexts]
    if any(isinstance(context, str) and context in _DEFINING for context in listed):
        return dict(document)
    return {**document, "@context": [*listed, DATA_INTEGRITY_V2]}
