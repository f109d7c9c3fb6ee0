"""ecdsa-sd-2023: selective disclosure with ECDSA (VC DI ECDSA 1.0 §3.5).

The issuer signs each statement by itself under a key made for this credential, and once the parts
that may not be left out. The holder passes on the signatures of what it shows.
"""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.core import jsonld
from identity.core.data_integrity.ecdsa_sd_values import (
    HMAC_KEY_BYTES,
    MAX_STATEMENTS,
    BaseProof,
    DerivedProof,
    parse_base_proof,
    parse_derived_proof,
)
from identity.core.data_integrity.selection import (
    LabelMap,
    group,
    relabelled,
    select,
)
from identity.core.data_integrity.suite import ProofMalformed, ProofNotValid, unsigned_config
from identity.core.jsonld import ContextStore
from identity.core.rdf_canon import canonicalise, line
from identity.core.signing import Signer
from registry.core.encoding import JsonObject, base64url_encode
from registry.core.keys import KeyType, PublicKey, public_key, verify_signature

NAME = "ecdsa-sd-2023"
DEFAULT_MANDATORY = ("/issuer",)

_P256_MULTICODEC = b"\x80\x24"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class EcdsaSdSuite:
    """The suite as `verify_proofs` sees it; base proofs are made by `create_base_proof`."""

    name: str = NAME

    def create(
        self,
        document: JsonObject,  # noqa: ARG002
        config: JsonObject,  # noqa: ARG002
        *,
        signer: Signer,  # noqa: ARG002
        contexts: ContextStore,  # noqa: ARG002
    ) -> str:
        """Not this way: a base proof needs randomness and mandatory pointers."""
        raise ProofMalformed("ecdsa-sd-2023 proofs are made with add_base_proof")

    def verify(
        self, document: JsonObject, proof: JsonObject, *, key: PublicKey, contexts: ContextStore
    ) -> None:
        """Verify a derived proof (§3.5.9); a base proof is refused, it would disclose all."""
        if key.type is not KeyType.P256:
            raise ProofNotValid("the key is of a type that the cryptosuite does not use")
        derived = parse_derived_proof(proof.get("proofValue"))
        proof_key = _public_key(derived.public_key)
        quads = jsonld.to_quads(document, contexts)
        canonical = canonicalise(quads)
        labels = {}
        for came_in, name in canonical.identifiers.items():
            if name[2:] not in derived.labels:
                raise ProofNotValid("proof has no label for a node of the document")
            labels[came_in] = "_:" + derived.labels[name[2:]]
        if len(labels) != len(derived.labels):
            raise ProofNotValid("proof has a label for a node that is not there")
        lines = sorted({line(relabelled(quad, labels)) for quad in quads})
        indexes = set(derived.mandatory_indexes)
        if not indexes <= set(range(len(lines))):
            raise ProofNotValid("proof counts statements that are not there")
        mandatory = [text for index, text in enumerate(lines) if index in indexes]
        others = [text for index, text in enumerate(lines) if index not in indexes]
        if len(others) != len(derived.signatures):
            raise ProofNotValid("proof has not one signature for each statement")
        message = signed_message(
            document, proof, public_key=derived.public_key, mandatory=mandatory, contexts=contexts
        )
        verify_signature(key, message=message, signature=derived.base_signature)
        for text, signature in zip(others, derived.signatures, strict=True):
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
    grouped = group(
        document,
        groups={"mandatory": mandatory_pointers},
        relabel=hmac_labels(hmac_key),
        contexts=contexts,
    )
    chosen = set(grouped.groups["mandatory"])
    mandatory = [text for index, text in enumerate(grouped.lines) if index in chosen]
    others = [text for index, text in enumerate(grouped.lines) if index not in chosen]
    if len(others) > MAX_STATEMENTS:
        raise ProofMalformed("document has too many statements")
    message = signed_message(
        document,
        config,
        public_key=_P256_MULTICODEC + point,
        mandatory=mandatory,
        contexts=contexts,
    )
    return BaseProof(
        base_signature=signer.sign(message),
        public_key=_P256_MULTICODEC + point,
        hmac_key=hmac_key,
        signatures=tuple(_sign(private, text.encode("utf-8")) for text in others),
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
    combined = list(dict.fromkeys([*base.mandatory_pointers, *selective_pointers]))
    if not combined:
        raise ProofMalformed("nothing is selected")
    grouped = group(
        document,
        groups={
            "mandatory": base.mandatory_pointers,
            "selective": selective_pointers,
            "combined": combined,
        },
        relabel=hmac_labels(base.hmac_key),
        contexts=contexts,
    )
    mandatory, selective = set(grouped.groups["mandatory"]), set(grouped.groups["selective"])
    others = [index for index in range(len(grouped.lines)) if index not in mandatory]
    if len(others) != len(base.signatures):
        raise ProofMalformed("base proof has not one signature for each statement")
    signatures = [
        signature
        for index, signature in zip(others, base.signatures, strict=True)
        if index in selective
    ]
    # The verifier sees other canonical names, since it sees less: tell it which is which.
    seen = canonicalise(grouped.quads["combined"]).identifiers
    derived = DerivedProof(
        base_signature=base.base_signature,
        public_key=base.public_key,
        signatures=tuple(signatures),
        labels={name[2:]: grouped.labels[came_in][2:] for came_in, name in seen.items()},
        mandatory_indexes=tuple(
            place for place, index in enumerate(grouped.groups["combined"]) if index in mandatory
        ),
    )
    revealed = select(document, combined)
    revealed["proof"] = {**proof, "proofValue": derived.encode()}
    return revealed


def hmac_labels(key: bytes) -> Callable[[Mapping[str, str]], LabelMap]:
    """Labels that tell nothing about what is left out (§3.4.7)."""

    def relabel(identifiers: Mapping[str, str]) -> LabelMap:
        return {
            came_in: "_:u" + base64url_encode(hmac.digest(key, name[2:].encode("ascii"), "sha256"))
            for came_in, name in identifiers.items()
        }

    return relabel


def signed_message(
    document: JsonObject,
    config: JsonObject,
    *,
    public_key: bytes,
    mandatory: Sequence[str],
    contexts: ContextStore,
) -> bytes:
    """hash(proof configuration) ‖ public key ‖ hash(mandatory statements) (§3.5.4)."""
    configuration = {**unsigned_config(config), "@context": document.get("@context")}
    canonical = jsonld.canonicalise(configuration, contexts).nquads
    return (
        hashlib.sha256(canonical.encode("utf-8")).digest()
        + public_key
        + hashlib.sha256("".join(mandatory).encode("utf-8")).digest()
    )


def _public_key(data: bytes) -> PublicKey:
    if not data.startswith(_P256_MULTICODEC):
        raise ProofMalformed("the public key in the proof is not P-256")
    return public_key(KeyType.P256, data[len(_P256_MULTICODEC) :])


def _sign(private: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
