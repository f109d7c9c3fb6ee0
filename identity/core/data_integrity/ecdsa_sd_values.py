"""`proofValue` of ecdsa-sd-2023: base and derived proofs as CBOR (VC DI ECDSA 1.0 §3.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from identity.core.data_integrity.sd_values import (
    HMAC_KEY_BYTES,
    is_bytes,
    is_index,
    read_components,
    read_indexes,
    read_pointers,
    write_components,
)
from identity.core.data_integrity.suite import ProofMalformed
from registry.core.encoding import base64url_decode, base64url_encode

MAX_STATEMENTS = 2_000  # signatures in a proof; each is checked

_BASE, _DERIVED = b"\xd9\x5d\x00", b"\xd9\x5d\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseProof:
    """What the issuer gives to the holder."""

    base_signature: bytes
    public_key: bytes  # multicodec prefix and compressed P-256 point: 35 bytes
    hmac_key: bytes
    signatures: tuple[bytes, ...]
    mandatory_pointers: tuple[str, ...]

    def encode(self) -> str:
        """`proofValue` (§3.5.2)."""
        parts = [
            self.base_signature,
            self.public_key,
            self.hmac_key,
            list(self.signatures),
            list(self.mandatory_pointers),
        ]
        return write_components(_BASE, parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedProof:
    """What the holder gives to a verifier."""

    base_signature: bytes
    public_key: bytes
    signatures: tuple[bytes, ...]
    labels: Mapping[str, str]  # "c14n0" -> "u…"
    mandatory_indexes: tuple[int, ...]

    def encode(self) -> str:
        """`proofValue` (§3.5.7); the labels compressed to numbers and bytes."""
        compressed = {
            int(canonical.removeprefix("c14n")): base64url_decode(label[1:])
            for canonical, label in self.labels.items()
        }
        parts = [
            self.base_signature,
            self.public_key,
            list(self.signatures),
            compressed,
            list(self.mandatory_indexes),
        ]
        return write_components(_DERIVED, parts)


def parse_base_proof(value: object) -> BaseProof:
    """Read `proofValue` of a base proof (§3.5.3); raises `ProofMalformed`."""
    parts = _components(value, _BASE)
    signature, key, hmac_key, signatures, pointers = parts
    if not is_bytes(hmac_key, HMAC_KEY_BYTES):
        raise ProofMalformed("base proof has no HMAC key of 32 bytes")
    return BaseProof(
        base_signature=signature,
        public_key=key,
        hmac_key=hmac_key,
        signatures=tuple(_signatures(signatures)),
        mandatory_pointers=read_pointers(pointers),
    )


def parse_derived_proof(value: object) -> DerivedProof:
    """Read `proofValue` of a derived proof (§3.5.8); raises `ProofMalformed`."""
    signature, key, signatures, labels, indexes = _components(value, _DERIVED)
    if not isinstance(labels, dict) or not all(
        is_index(number) and is_bytes(label, 32) for number, label in labels.items()
    ):
        raise ProofMalformed("derived proof has no map of labels")
    names = {f"c14n{number}": "u" + base64url_encode(label) for number, label in labels.items()}
    if len(set(names.values())) != len(names):
        raise ProofMalformed("derived proof has one label for two nodes")
    return DerivedProof(
        base_signature=signature,
        public_key=key,
        signatures=tuple(_signatures(signatures)),
        labels=names,
        mandatory_indexes=read_indexes(indexes),
    )


def _components(value: object, header: bytes) -> list[Any]:
    """Header, then a CBOR array of five without tags; signature and key are checked here."""
    parts = read_components(value, header, count=5)
    if not is_bytes(parts[0], 64) or not is_bytes(parts[1], 35):
        raise ProofMalformed("proofValue has no base signature, or no public key")
    return parts


def _signatures(value: Any) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_STATEMENTS:
        raise ProofMalformed("proof has no signatures, or too many")
    if not all(is_bytes(entry, 64) for entry in value):
        raise ProofMalformed("proof has a signature that is not 64 bytes long")
    return value
