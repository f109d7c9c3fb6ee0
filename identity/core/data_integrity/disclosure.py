"""Credentials whose holder shows a part: making the base proof, and deriving from it."""

from collections.abc import Callable, Collection
from datetime import datetime

from identity.core.data_integrity import ecdsa_sd
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
    random: Callable[[int], bytes],
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
        signer=signer,
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


def derive_proof(
    document: JsonObject, *, selective_pointers: Collection[str], contexts: ContextStore
) -> JsonObject:
    """Show a part of a credential with a base proof.

    Args:
        document: with exactly one proof, an ecdsa-sd-2023 base proof.
        selective_pointers: JSON pointers to what is shown besides the mandatory parts.
        contexts: where JSON-LD contexts come from.

    Raises:
        ProofMalformed: another proof, or one that does not fit the document.
        PointerLeadsNowhere: a pointer names nothing.
    """
    proof = document.get("proof")
    if isinstance(proof, list) and len(proof) == 1:
        proof = proof[0]
    if not isinstance(proof, dict) or proof.get("cryptosuite") != ecdsa_sd.NAME:
        raise ProofMalformed("document does not have exactly one ecdsa-sd-2023 proof")
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    return ecdsa_sd.derive(
        unsecured, proof, selective_pointers=selective_pointers, contexts=contexts
    )
