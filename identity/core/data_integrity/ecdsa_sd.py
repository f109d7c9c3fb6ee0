"""ecdsa-sd-2023: selective disclosure with ECDSA (VC DI ECDSA 1.0 §3.5).

The issuer signs each statement by itself under a key made for this credential, and once the parts
that may not be left out. The holder passes on the signatures of what it shows.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.core.data_integrity.ecdsa_sd_values import (
    MAX_STATEMENTS,
    BaseProof,
    DerivedProof,
    parse_base_proof,
    parse_derived_proof,
)
from identity.core.data_integrity.sd_document import (
    configuration_hash,
    hmac_labels,
    mandatory_hash,
    part_for_deriving,
    part_for_signing,
    part_for_verifying,
)
from identity.core.data_integrity.sd_values import HMAC_KEY_BYTES
from identity.core.data_integrity.suite import (
    ProofMalformed,
    ProofNotValid,
    SelectiveSuite,
    SuiteKey,
)
from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from registry.core.encoding import JsonObject
from registry.core.keys import KeyType, PublicKey, public_key, verify_signature

NAME = "ecdsa-sd-2023"
DEFAULT_MANDATORY = ("/issuer",)

_P256_MULTICODEC = b"\x80\x24"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class EcdsaSdSuite(SelectiveSuite):
    """The suite as `verify_proofs` sees it; base proofs are made by `create_base_proof`."""

    name: str = NAME
    made_by: str = "add_base_proof"

    def verify(
        self, document: JsonObject, proof: JsonObject, *, key: SuiteKey, contexts: ContextStore
    ) -> None:
        """Verify a derived proof (§3.5.9); a base proof is refused, it would disclose all."""
        if not isinstance(key, PublicKey) or key.type is not KeyType.P256:
            raise ProofNotValid("the key is of a type that the cryptosuite does not use")
        derived = parse_derived_proof(proof.get("proofValue"))
        proof_key = _public_key(derived.public_key)
        lines = part_for_verifying(
            document,
            labels=derived.labels,
            mandatory_indexes=derived.mandatory_indexes,
            contexts=contexts,
        )
        if len(lines.others) != len(derived.signatures):
            raise ProofNotValid("proof has not one signature for each statement")
        message = signed_message(
            document,
            proof,
            public_key=derived.public_key,
            mandatory=lines.mandatory,
            contexts=contexts,
        )
        verify_signature(key, message=message, signature=derived.base_signature)
        for text, signature in zip(lines.others, derived.signatures, strict=True):
            verify_signature(proof_key, message=text.encode("utf-8"), signature=signature)


def create_base_proof(
    document: JsonObject,
    config: JsonObject,
    *,
    signer: Signer,
    mandatory_pointers: Collection[str],
    random: Callable[[int], bytes],
    contexts: ContextStore,
) -> str:
    """`proofValue` of a base proof (§3.5.1, §3.5.5).

    Args:
        document: without proof.
        config: the proof without its value.
        signer: P-256.
        mandatory_pointers: what a holder cannot leave out.
        random: for the key of this credential and for its labels.
        contexts: where JSON-LD contexts come from.

    Raises:
        PointerLeadsNowhere: a mandatory pointer names nothing.
        ProofNotValid: the signer's key is not P-256.
    """
    if signer.key.type is not KeyType.P256:
        raise ProofNotValid("the key is of a type that the cryptosuite does not use")
    hmac_key = random(HMAC_KEY_BYTES)
    # Two draws make the key uniform: 512 bits modulo the order leave no bias to measure.
    scalar = int.from_bytes(random(32) + random(32), "big") % (_P256_ORDER - 1) + 1
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    lines = part_for_signing(
        document,
        mandatory_pointers=mandatory_pointers,
        relabel=hmac_labels(hmac_key),
        contexts=contexts,
    )
    if len(lines.others) > MAX_STATEMENTS:
        raise ProofMalformed("document has too many statements")
    message = signed_message(
        document,
        config,
        public_key=_P256_MULTICODEC + point,
        mandatory=lines.mandatory,
        contexts=contexts,
    )
    return BaseProof(
        base_signature=signer.sign(message),
        public_key=_P256_MULTICODEC + point,
        hmac_key=hmac_key,
        signatures=tuple(_sign(private, text.encode("utf-8")) for text in lines.others),
        mandatory_pointers=tuple(mandatory_pointers),
    ).encode()


def derive(
    document: JsonObject,
    proof: JsonObject,
    *,
    selective_pointers: Collection[str],
    contexts: ContextStore,
) -> JsonObject:
    """The part of `document` that pointers select, with a derived proof (§3.5.6, §3.5.8).

    Args:
        document: without proof.
        proof: its base proof.
        selective_pointers: what the holder shows besides the mandatory parts.
        contexts: where JSON-LD contexts come from.

    Raises:
        ProofMalformed: no base proof, or one that does not fit the document.
        PointerLeadsNowhere: a pointer names nothing.
    """
    base = parse_base_proof(proof.get("proofValue"))
    shown = part_for_deriving(
        document,
        mandatory_pointers=base.mandatory_pointers,
        selective_pointers=selective_pointers,
        relabel=hmac_labels(base.hmac_key),
        contexts=contexts,
    )
    if len(shown.lines.others) != len(base.signatures):
        raise ProofMalformed("base proof has not one signature for each statement")
    derived = DerivedProof(
        base_signature=base.base_signature,
        public_key=base.public_key,
        signatures=tuple(base.signatures[place] for place in shown.selected_indexes),
        labels=shown.labels,
        mandatory_indexes=shown.mandatory_indexes,
    )
    return {**shown.revealed, "proof": {**proof, "proofValue": derived.encode()}}


def signed_message(
    document: JsonObject,
    config: JsonObject,
    *,
    public_key: bytes,
    mandatory: Sequence[str],
    contexts: ContextStore,
) -> bytes:
    """hash(proof configuration) ‖ public key ‖ hash(mandatory statements) (§3.5.4)."""
    return (
        configuration_hash(document, config, contexts=contexts)
        + public_key
        + mandatory_hash(mandatory)
    )


def _public_key(data: bytes) -> PublicKey:
    if not data.startswith(_P256_MULTICODEC):
        raise ProofMalformed("the public key in the proof is not P-256")
    return public_key(KeyType.P256, data[len(_P256_MULTICODEC) :])


def _sign(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
