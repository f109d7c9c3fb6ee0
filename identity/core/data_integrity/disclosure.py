"""Credentials whose holder shows a part: making the base proof, and deriving from it."""

from collections.abc import Collection
from datetime import UTC, datetime

from identity.core.bbs.interface import Random
from identity.core.data_integrity import bbs_2023, ecdsa_sd
from identity.core.data_integrity.bbs_2023 import BbsSigner, HolderCommitment, HolderPart
from identity.core.data_integrity.proofs import attach, prepare
from identity.core.data_integrity.suite import ProofMalformed
from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from registry.core.encoding import JsonObject


def add_base_proof(
    document: JsonObject,
    *,
    signer: Signer,
    created: datetime,
    purpose: str,
    contexts: ContextStore,
    random: Random,
    mandatory_pointers: Collection[str] = ecdsa_sd.DEFAULT_MANDATORY,
    options: JsonObject | None = None,
) -> JsonObject:
    """Secure `document` with an ecdsa-sd-2023 base proof; only its holder should see the result.

    Args:
        document: left as it is; the result is a copy.
        signer: P-256; its `verification_method` goes into the proof.
        created: aware; written in UTC to the second.
        purpose: `assertionMethod`.
        contexts: where JSON-LD contexts come from.
        random: returns that many random bytes.
        mandatory_pointers: JSON pointers to what the holder cannot leave out.
        options: as `add_proof`.

    Raises:
        PointerLeadsNowhere: a pointer names nothing.
        As `add_proof`.
    """
    secured, config, unsecured = prepare(
        document,
        method=signer.verification_method,
        cryptosuite=ecdsa_sd.NAME,
        created=created,
        purpose=purpose,
        options=options,
    )
    config["proofValue"] = ecdsa_sd.create_base_proof(
        unsecured,
        config,
        signer=signer,
        mandatory_pointers=mandatory_pointers,
        random=random,
        contexts=contexts,
    )
    return attach(secured, config)


def add_bbs_base_proof(
    document: JsonObject,
    *,
    signer: BbsSigner,
    created: datetime,
    purpose: str,
    contexts: ContextStore,
    random: Random,
    mandatory_pointers: Collection[str] = ecdsa_sd.DEFAULT_MANDATORY,
    holder: HolderCommitment | None = None,
    options: JsonObject | None = None,
) -> JsonObject:
    """Secure `document` with a bbs-2023 base proof; only its holder should see the result.

    Args:
        document: left as it is; the result is a copy.
        signer: a BBS key; its `verification_method` goes into the proof.
        created: aware; written in UTC, and as the beginning of its day: every derived proof shows
            it, and a second would tell credentials apart.
        purpose: `assertionMethod`.
        contexts: where JSON-LD contexts come from.
        random: returns that many random bytes.
        mandatory_pointers: JSON pointers to what the holder cannot leave out.
        holder: a commitment to bind the credential to, or None.
        options: as `add_proof`.

    Raises:
        PointerLeadsNowhere: a pointer names nothing.
        BbsNotValid: the commitment is of nobody who can open it.
        As `add_proof`.
    """
    secured, config, unsecured = prepare(
        document,
        method=signer.verification_method,
        cryptosuite=bbs_2023.NAME,
        created=created.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        purpose=purpose,
        options=options,
    )
    config["proofValue"] = bbs_2023.create_bbs_base_proof(
        unsecured,
        config,
        signer=signer,
        mandatory_pointers=mandatory_pointers,
        holder=holder,
        random=random,
        contexts=contexts,
    )
    return attach(secured, config)


def derive_proof(
    document: JsonObject,
    *,
    selective_pointers: Collection[str],
    contexts: ContextStore,
    random: Random,
    holder: HolderPart | None = None,
) -> JsonObject:
    """Show a part of a credential with a base proof.

    Args:
        document: with exactly one proof, a base proof of ecdsa-sd-2023 or bbs-2023.
        selective_pointers: JSON pointers to what is shown besides the mandatory parts.
        contexts: where JSON-LD contexts come from.
        random: returns that many random bytes; bbs-2023 proofs are made of them.
        holder: what only the holder knows; bbs-2023 only.

    Raises:
        ProofMalformed: another proof, or one that does not fit the document.
        PointerLeadsNowhere: a pointer names nothing.
    """
    proof = document.get("proof")
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    suite = proof.get("cryptosuite") if isinstance(proof, dict) else None
    if isinstance(proof, dict) and suite == bbs_2023.NAME:
        return bbs_2023.derive_bbs(
            unsecured,
            proof,
            selective_pointers=selective_pointers,
            holder=holder or HolderPart(),
            random=random,
            contexts=contexts,
        )
    if not isinstance(proof, dict) or suite != ecdsa_sd.NAME:
        raise ProofMalformed("document does not have exactly one proof that can be derived from")
    return ecdsa_sd.derive(
        unsecured, proof, selective_pointers=selective_pointers, contexts=contexts
    )
