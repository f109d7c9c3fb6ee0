"""`proofValue` of bbs-2023: base and derived proofs as CBOR (VC DI BBS §3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from identity.core.bbs.curve import G1_BYTES, G2_BYTES, ORDER
from identity.core.bbs.interface import MAX_MESSAGES
from identity.core.bbs.proof import MAX_PROOF_BYTES
from identity.core.bbs.signature import SIGNATURE_BYTES
from identity.core.data_integrity.sd_values import (
    HMAC_KEY_BYTES,
    is_bytes,
    is_index,
    read_components,
    read_header,
    read_indexes,
    read_pointers,
    write_components,
)
from identity.core.data_integrity.suite import ProofMalformed

HEADER_BYTES = 64  # two SHA-256: of the proof configuration, and of the mandatory lines
MAX_PRESENTATION_HEADER_BYTES = 1_024


class Feature(Enum):
    """What a signature binds besides the credential; each has its own first bytes."""

    BASELINE = "baseline"
    HOLDER_BINDING = "anonymous_holder_binding"  # secrets that only the holder knows
    PSEUDONYM = "pseudonym"  # and one of them makes a pseudonym for each verifier


_BIGNUM = 2  # RFC 8949 §3.4.3
_BASE = {
    Feature.BASELINE: b"\xd9\x5d\x02",
    Feature.HOLDER_BINDING: b"\xd9\x5d\x04",
    Feature.PSEUDONYM: b"\xd9\x5d\x08",
}
_DERIVED = {
    Feature.BASELINE: b"\xd9\x5d\x03",
    Feature.HOLDER_BINDING: b"\xd9\x5d\x05",
    Feature.PSEUDONYM: b"\xd9\x5d\x09",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BbsBaseProof:
    """What the issuer gives to the holder. `signer_nym` is there exactly for pseudonyms."""

    feature: Feature
    signature: bytes
    header: bytes
    public_key: bytes
    hmac_key: bytes
    mandatory_pointers: tuple[str, ...]
    signer_nym: int | None = None

    def encode(self) -> str:
        """`proofValue` (§3.2.3)."""
        parts: list[object] = [
            self.signature,
            self.header,
            self.public_key,
            self.hmac_key,
            list(self.mandatory_pointers),
        ]
        if self.signer_nym is not None:
            parts.append(self.signer_nym)
        return write_components(_BASE[self.feature], parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class BbsDerivedProof:
    """What the holder gives to a verifier.

    `labels` lead from canonical names (`c14n0`) to those that were signed (`b3`). `messages` is how
    many statements the issuer signed one by one, and `pseudonym` 48 bytes; None where the feature
    has none.
    """

    feature: Feature
    proof: bytes
    labels: Mapping[str, str]
    mandatory_indexes: tuple[int, ...]
    selective_indexes: tuple[int, ...]
    presentation_header: bytes
    pseudonym: bytes | None = None
    messages: int | None = None

    def encode(self) -> str:
        """`proofValue` (§3.2.7)."""
        parts: list[object] = [
            self.proof,
            {int(name[4:]): int(label[1:]) for name, label in self.labels.items()},
            list(self.mandatory_indexes),
            list(self.selective_indexes),
            self.presentation_header,
        ]
        parts += [extra for extra in (self.pseudonym, self.messages) if extra is not None]
        return write_components(_DERIVED[self.feature], parts)


def parse_bbs_base_proof(value: object) -> BbsBaseProof:
    """Read `proofValue` of a base proof (§3.2.4); raises `ProofMalformed`."""
    feature = _feature(value, _BASE)
    has_nym = feature is Feature.PSEUDONYM
    # The entropy is a number of up to 255 bits, which CBOR writes under a tag.
    tags = (_BIGNUM,) if has_nym else ()
    parts = read_components(value, _BASE[feature], count=5 + has_nym, tags=tags)
    signature, header, public_key, hmac_key, pointers = parts[:5]
    sizes = (
        (signature, SIGNATURE_BYTES),
        (header, HEADER_BYTES),
        (public_key, G2_BYTES),
        (hmac_key, HMAC_KEY_BYTES),
    )
    if not all(is_bytes(part, size) for part, size in sizes):
        raise ProofMalformed("base proof has a part of the wrong length")
    if has_nym and not _is_scalar(parts[5]):
        raise ProofMalformed("base proof has no entropy for pseudonyms")
    return BbsBaseProof(
        feature=feature,
        signature=signature,
        header=header,
        public_key=public_key,
        hmac_key=hmac_key,
        mandatory_pointers=read_pointers(pointers),
        signer_nym=parts[5] if has_nym else None,
    )


def parse_bbs_derived_proof(value: object) -> BbsDerivedProof:
    """Read `proofValue` of a derived proof (§3.2.8); raises `ProofMalformed`.

    Every bound is checked here, before any point is read.
    """
    feature = _feature(value, _DERIVED)
    extras = {Feature.BASELINE: 0, Feature.HOLDER_BINDING: 1, Feature.PSEUDONYM: 2}[feature]
    parts = read_components(value, _DERIVED[feature], count=5 + extras)
    proof, labels, mandatory, selective, presentation_header = parts[:5]
    if not isinstance(proof, bytes) or len(proof) > MAX_PROOF_BYTES:
        raise ProofMalformed("derived proof has no BBS proof, or one that is too long")
    if (
        not isinstance(presentation_header, bytes)
        or len(presentation_header) > MAX_PRESENTATION_HEADER_BYTES
    ):
        raise ProofMalformed("derived proof has no presentation header, or one that is too long")
    pseudonym = parts[5] if feature is Feature.PSEUDONYM else None
    if pseudonym is not None and not is_bytes(pseudonym, G1_BYTES):
        raise ProofMalformed("derived proof has no pseudonym")
    messages = parts[-1] if extras else None
    if messages is not None and not (is_index(messages) and messages <= MAX_MESSAGES):
        raise ProofMalformed("derived proof does not say how many statements were signed")
    selected = read_indexes(selective)
    if list(selected) != sorted(selected) or len(selected) > MAX_MESSAGES:
        raise ProofMalformed("derived proof does not count statements in order")
    return BbsDerivedProof(
        feature=feature,
        proof=proof,
        labels=_labels(labels),
        mandatory_indexes=read_indexes(mandatory),
        selective_indexes=selected,
        presentation_header=presentation_header,
        pseudonym=pseudonym,
        messages=messages,
    )


def _feature(value: object, headers: Mapping[Feature, bytes]) -> Feature:
    header = read_header(value)
    for feature, known in headers.items():
        if header == known:
            return feature
    raise ProofMalformed("proofValue has another header")


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(
        is_index(number) and is_index(label) for number, label in value.items()
    ):
        raise ProofMalformed("derived proof has no map of labels")
    if len(set(value.values())) != len(value):
        raise ProofMalformed("derived proof has one label for two nodes")
    return {f"c14n{number}": f"b{label}" for number, label in value.items()}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < ORDER
