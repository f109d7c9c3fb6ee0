"""bbs-2023: selective disclosure without a trace (VC DI BBS 1.0 §3).

The issuer signs all statements at once. The holder never shows that signature, only proofs that it
has one, each made of fresh randomness: two of them cannot be told to come from one credential,
except by what is disclosed in both.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from py_arkworks_bls12381 import Scalar

from identity.core.bbs import blind
from identity.core.bbs import proof as plain
from identity.core.bbs import signature as core
from identity.core.bbs.curve import BbsNotValid, scalar
from identity.core.bbs.interface import MAX_MESSAGES, Random
from identity.core.bbs.keys import BbsPublicKey, bbs_public_key
from identity.core.data_integrity.bbs_values import (
    BbsBaseProof,
    BbsDerivedProof,
    Feature,
    parse_bbs_base_proof,
    parse_bbs_derived_proof,
)
from identity.core.data_integrity.sd_document import (
    Parted,
    configuration_hash,
    mandatory_hash,
    part_for_deriving,
    part_for_signing,
    part_for_verifying,
    shuffled_labels,
)
from identity.core.data_integrity.sd_values import HMAC_KEY_BYTES
from identity.core.data_integrity.suite import (
    ProofMalformed,
    ProofNotValid,
    SelectiveSuite,
    SuiteKey,
)
from identity.core.jsonld import ContextStore
from registry.core.encoding import JsonObject

NAME = "bbs-2023"


@runtime_checkable
class BbsSigner(Protocol):
    """One BBS secret key; its bytes stay behind this seam.

    - `sign` returns 80 bytes that `bbs.signature.verify` accepts under `key`.
    - `sign_blind` checks the holder's commitment before it signs, and refuses one that its maker
      cannot open.
    """

    @property
    def key(self) -> BbsPublicKey:
        """The public half."""
        ...

    @property
    def verification_method(self) -> str:
        """The DID URL under which verifiers find the public half."""
        ...

    def sign(self, *, header: bytes, messages: Collection[bytes]) -> bytes: ...

    def sign_blind(
        self,
        commitment: bytes,
        *,
        header: bytes,
        messages: Collection[bytes],
        signer_nym: Scalar | None,
    ) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderCommitment:
    """What a holder asks to have bound into a credential.

    `signer_nym` is the issuer's part of the holder's pseudonyms, or None for a credential without.
    """

    commitment: bytes
    signer_nym: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderPart:
    """What a holder puts into a derived proof besides the credential.

    Args:
        presentation_header: what the proof is bound to, for example a verifier's nonce.
        committed: the secrets that were bound in, in the order of the commitment.
        blind: the blind of the commitment; None for a credential without holder binding.
        prover_nym: the holder's part of its pseudonyms.
        context_id: whom the pseudonym is for.
    """

    presentation_header: bytes = b""
    committed: tuple[bytes, ...] = ()
    blind: Scalar | None = None
    prover_nym: Scalar | None = None
    context_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Bbs2023Suite(SelectiveSuite):
    """The suite as `verify_proofs` sees it; base proofs are made by `create_bbs_base_proof`."""

    name: str = NAME
    made_by: str = "add_bbs_base_proof"

    def verify(
        self, document: JsonObject, proof: JsonObject, *, key: SuiteKey, contexts: ContextStore
    ) -> None:
        """Verify a derived proof (§3.3.8); a base proof is refused, it would disclose all."""
        derived = parse_bbs_derived_proof(proof.get("proofValue"))
        if derived.feature is Feature.PSEUDONYM:
            raise ProofNotValid("a pseudonym is for a verifier that nothing here names")
        _verify(document, proof, derived, key=key, contexts=contexts, pseudonym=None)


def verify_with_pseudonym(
    document: JsonObject,
    proof: JsonObject,
    *,
    key: BbsPublicKey,
    context_id: bytes,
    contexts: ContextStore,
) -> bytes:
    """Verify a derived proof with a pseudonym for `context_id`, and return the pseudonym.

    Raises:
        ProofMalformed, BbsMalformed: no such proof.
        ProofNotValid, BbsNotValid: it does not prove this, or is for another context.
    """
    derived = parse_bbs_derived_proof(proof.get("proofValue"))
    if derived.pseudonym is None:
        raise ProofNotValid("proof has no pseudonym")
    pseudonym = blind.read_pseudonym(context_id, derived.pseudonym)
    _verify(document, proof, derived, key=key, contexts=contexts, pseudonym=pseudonym)
    return derived.pseudonym


def create_bbs_base_proof(
    document: JsonObject,
    config: JsonObject,
    *,
    signer: BbsSigner,
    mandatory_pointers: Collection[str],
    holder: HolderCommitment | None,
    random: Random,
    contexts: ContextStore,
) -> str:
    """`proofValue` of a base proof (§3.3.1, §3.3.5).

    Args:
        document: without proof.
        config: the proof without its value.
        mandatory_pointers: what a holder cannot leave out.
        holder: its commitment, or None for the baseline.
        random: for the labels of this credential.
        contexts: where JSON-LD contexts come from.

    Raises:
        PointerLeadsNowhere: a mandatory pointer names nothing.
        ProofMalformed: more statements than are signed.
        BbsMalformed, BbsNotValid: the commitment is none, or its maker cannot open it.
    """
    hmac_key = random(HMAC_KEY_BYTES)
    lines = part_for_signing(
        document,
        mandatory_pointers=mandatory_pointers,
        relabel=shuffled_labels(hmac_key),
        contexts=contexts,
    )
    header = _header(document, config, lines, contexts=contexts)
    messages = _messages(lines.others)
    nym = None if holder is None else holder.signer_nym
    if holder is None:
        feature, signature = Feature.BASELINE, signer.sign(header=header, messages=messages)
    else:
        feature = Feature.HOLDER_BINDING if nym is None else Feature.PSEUDONYM
        signature = signer.sign_blind(
            holder.commitment, header=header, messages=messages, signer_nym=nym
        )
    return BbsBaseProof(
        feature=feature,
        signature=signature,
        header=header,
        public_key=signer.key.data,
        hmac_key=hmac_key,
        mandatory_pointers=tuple(mandatory_pointers),
        signer_nym=None if nym is None else int(nym),
    ).encode()


def derive_bbs(
    document: JsonObject,
    proof: JsonObject,
    *,
    selective_pointers: Collection[str],
    holder: HolderPart,
    random: Random,
    contexts: ContextStore,
) -> JsonObject:
    """The part of `document` that pointers select, with a derived proof (§3.3.6, §3.3.7).

    Args:
        document: without proof.
        proof: its base proof.
        selective_pointers: what the holder shows besides the mandatory parts.
        holder: what only the holder knows.
        random: makes the proof unlinkable; never the same twice.
        contexts: where JSON-LD contexts come from.

    Raises:
        ProofMalformed: no base proof, one that is not of this document, or other secrets than
            those that it binds.
        PointerLeadsNowhere: a pointer names nothing.
    """
    base = parse_bbs_base_proof(proof.get("proofValue"))
    shown = part_for_deriving(
        document,
        mandatory_pointers=base.mandatory_pointers,
        selective_pointers=selective_pointers,
        relabel=shuffled_labels(base.hmac_key),
        contexts=contexts,
    )
    if _header(document, proof, shown.lines, contexts=contexts) != base.header:
        raise ProofMalformed("base proof is not of this document")
    messages = _messages(shown.lines.others)
    secrets = _secrets(base, holder)
    key = bbs_public_key(base.public_key)
    # A proof from a signature that does not hold would only fail later, at somebody else's door.
    statement = (
        core.plain_statement(key, header=base.header, messages=messages)
        if secrets is None
        else blind.blind_statement(key, header=base.header, messages=messages, secrets=secrets)
    )
    try:
        core.verify_statement(statement, base.signature)
    except BbsNotValid as error:
        raise ProofMalformed("base proof is not of this document") from error
    nym = None if secrets is None else secrets.nym
    context = holder.context_id if nym is not None else None
    derived = BbsDerivedProof(
        feature=base.feature,
        proof=plain.prove(
            statement,
            base.signature,
            presentation_header=holder.presentation_header,
            disclosed=shown.selected_indexes,
            random=random,
            context=None if context is None else blind.context_base(context),
        ),
        labels=shown.labels,
        mandatory_indexes=shown.mandatory_indexes,
        selective_indexes=shown.selected_indexes,
        presentation_header=holder.presentation_header,
        pseudonym=None if nym is None or context is None else blind.pseudonym_for(context, nym),
        messages=None if secrets is None else len(messages),
    )
    return {**shown.revealed, "proof": {**proof, "proofValue": derived.encode()}}


def _verify(
    document: JsonObject,
    proof: JsonObject,
    derived: BbsDerivedProof,
    *,
    key: SuiteKey,
    contexts: ContextStore,
    pseudonym: plain.Pseudonym | None,
) -> None:
    if not isinstance(key, BbsPublicKey):
        raise ProofNotValid("the key is of a type that the cryptosuite does not use")
    lines = part_for_verifying(
        document,
        labels=derived.labels,
        mandatory_indexes=derived.mandatory_indexes,
        contexts=contexts,
    )
    if len(lines.others) != len(derived.selective_indexes):
        raise ProofNotValid("proof does not count the statements that are shown")
    header = _header(document, proof, lines, contexts=contexts)
    messages = _messages(lines.others)
    if derived.messages is None:
        plain.verify_proof(
            key,
            derived.proof,
            header=header,
            presentation_header=derived.presentation_header,
            messages=messages,
            disclosed=derived.selective_indexes,
        )
    else:
        blind.verify_blind_proof(
            key,
            derived.proof,
            header=header,
            presentation_header=derived.presentation_header,
            messages=messages,
            disclosed=derived.selective_indexes,
            signer_messages=derived.messages,
            pseudonym=pseudonym,
        )


def _secrets(base: BbsBaseProof, holder: HolderPart) -> blind.HolderSecrets | None:
    """The holder's secrets, which must be there exactly when the credential is bound to some."""
    if base.feature is Feature.BASELINE:
        return None
    if holder.blind is None:
        raise ProofMalformed("the credential is bound to secrets of its holder")
    nym = None
    if base.signer_nym is not None:
        if holder.prover_nym is None or holder.context_id is None:
            raise ProofMalformed("a pseudonym needs a secret and somebody to be shown to")
        nym = holder.prover_nym + scalar(base.signer_nym)
    return blind.HolderSecrets(committed=holder.committed, blind=holder.blind, nym=nym)


def _header(
    document: JsonObject, config: JsonObject, lines: Parted, *, contexts: ContextStore
) -> bytes:
    return configuration_hash(document, config, contexts=contexts) + mandatory_hash(lines.mandatory)


def _messages(lines: Collection[str]) -> list[bytes]:
    if len(lines) > MAX_MESSAGES:
        raise ProofMalformed("document has too many statements")
    return [text.encode("utf-8") for text in lines]
