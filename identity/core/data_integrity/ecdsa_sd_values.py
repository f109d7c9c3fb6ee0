"""`proofValue` of ecdsa-sd-2023: base and derived proofs as CBOR (VC DI ECDSA 1.0 §3.5)."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from identity.core.data_integrity.suite import ProofMalformed
from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.refusals import Malformed

HMAC_KEY_BYTES = 32
MAX_PROOF_CHARS = 512 << 10  # one signature of 64 bytes a statement
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
        return "u" + base64url_encode(_BASE + cbor2.dumps(parts))


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
        return "u" + base64url_encode(_DERIVED + cbor2.dumps(parts))


def parse_base_proof(value: object) -> BaseProof:
    """Read `proofValue` of a base proof (§3.5.3); raises `ProofMalformed`."""
    parts = _components(value, _BASE)
    signature, key, hmac_key, signatures, pointers = parts
    if not _is_bytes(hmac_key, HMAC_KEY_BYTES):
        raise ProofMalformed("base proof has no HMAC key of 32 bytes")
    if not isinstance(pointers, list) or not all(isinstance(entry, str) for entry in pointers):
        raise ProofMalformed("base proof has no mandatory pointers")
    return BaseProof(
        base_signature=signature,
        public_key=key,
        hmac_key=hmac_key,
        signatures=tuple(_signatures(signatures)),
        mandatory_pointers=tuple(pointers),
    )


def parse_derived_proof(value: object) -> DerivedProof:
    """Read `proofValue` of a derived proof (§3.5.8); raises `ProofMalformed`."""
    signature, key, signatures, labels, indexes = _components(value, _DERIVED)
    if not isinstance(labels, dict) or not all(
        _is_index(number) and _is_bytes(label, 32) for number, label in labels.items()
    ):
        raise ProofMalformed("derived proof has no map of labels")
    names = {f"c14n{number}": "u" + base64url_encode(label) for number, label in labels.items()}
    if len(set(names.values())) != len(names):
        raise ProofMalformed("derived proof has one label for two nodes")
    if not isinstance(indexes, list) or not all(_is_index(index) for index in indexes):
        raise ProofMalformed("derived proof has no mandatory indexes")
    if len(set(indexes)) != len(indexes):
        raise ProofMalformed("derived proof counts a statement twice")
    return DerivedProof(
        base_signature=signature,
        public_key=key,
        signatures=tuple(_signatures(signatures)),
        labels=names,
        mandatory_indexes=tuple(indexes),
    )


def _components(value: object, header: bytes) -> list[Any]:
    """Header, then a CBOR array of five without tags; signature and key are checked here."""
    if not isinstance(value, str) or not value.startswith("u") or len(value) > MAX_PROOF_CHARS:
        raise ProofMalformed("proofValue is not a base64url multibase value, or too long")
    try:
        data = base64url_decode(value[1:])
    except Malformed as error:
        raise ProofMalformed(f"proofValue: {error.detail}") from error
    if not data.startswith(header):
        raise ProofMalformed("proofValue has another header")
    stream = io.BytesIO(data[len(header) :])
    try:
        parts = cbor2.CBORDecoder(stream).decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise ProofMalformed("proofValue is not CBOR") from error
    if stream.read(1) or not isinstance(parts, list) or len(parts) != 5:
        raise ProofMalformed("proofValue is not a CBOR array of five")
    if not _is_bytes(parts[0], 64) or not _is_bytes(parts[1], 35):
        raise ProofMalformed("proofValue has no base signature, or no public key")
    return parts


def _signatures(value: Any) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_STATEMENTS:
        raise ProofMalformed("proof has no signatures, or too many")
    if not all(_is_bytes(entry, 64) for entry in value):
        raise ProofMalformed("proof has a signature that is not 64 bytes long")
    return value


def _is_bytes(value: Any, length: int) -> bool:
    return isinstance(value, bytes) and len(value) == length


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 20
