"""The examples of VC DI BBS: five folders of vectors, and the secrets they were made with."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from py_arkworks_bls12381 import Scalar

from identity.adapters.bbs_keys import BbsKey
from identity.core.bbs.blind import HolderSecrets
from identity.core.bbs.curve import scalar
from identity.core.bbs.interface import BLIND, CORE, PSEUDONYM, expand_message
from identity.core.bbs.keys import public_key_of
from identity.core.data_integrity.bbs_2023 import HolderCommitment, HolderPart
from identity.core.data_integrity.sd_document import shuffled_labels
from identity.core.data_integrity.selection import group
from tests.identity.core.contexts import bundled
from tests.vectors import read_vector, vectors_dir

ROOT = vectors_dir() / "vc-di-bbs/TestVectors"
_KEYS = read_vector(ROOT / "BBSKeyMaterial.json")
_DERIVING = read_vector(ROOT / "BBSDeriveMaterial.json")
_INPUTS = ROOT / "FeatureInputs"

HMAC_KEY = bytes.fromhex(_KEYS["hmacKeyString"])
PUBLIC_KEY = bytes.fromhex(_KEYS["publicKeyHex"])
PRESENTATION_HEADER = bytes.fromhex(_DERIVING["presentationHeaderHex"])
HOLDER_SECRET = bytes.fromhex(read_vector(_INPUTS / "holderSecret.json")["holderSecretHex"])
CONTEXT_ID = read_vector(_INPUTS / "verifierInfo.json")["verifierId"].encode()


def number(text: str) -> Scalar:
    """A scalar in hexadecimal."""
    return scalar(int(text, 16))


PROVER_NYM = number(read_vector(_INPUTS / "proverNym.json")["proverNymHex"])
SIGNER_NYM = number(read_vector(_INPUTS / "signerNymEntropy.json")["signerNymEntropyHex"])
_SECRET = number(_KEYS["privateKeyHex"])
SIGNER = BbsKey(_SECRET, public_key_of(_SECRET))


def draws(data: bytes) -> Callable[[int], bytes]:
    """A random source that hands out `data`, once, and no more."""
    rest = memoryview(data)

    def random(size: int) -> bytes:
        nonlocal rest
        assert len(rest) >= size
        taken, rest = bytes(rest[:size]), rest[size:]
        return taken

    return random


def mocked(count: int, api: bytes) -> Callable[[int], bytes]:
    """The `count` scalars of the vectors: from digits of pi, under the interface's own name."""
    seed = bytes.fromhex(_DERIVING["pseudoRandSeedHex"])
    return draws(expand_message(seed, api, 48 * count))


class Example:
    """One folder, with its document and pointers."""

    def __init__(
        self, folder: str, prefix: str, document: str, *, secrets: bool, nym: bool
    ) -> None:
        self.folder = ROOT / folder
        self.mandatory = read_vector(ROOT / f"{prefix}Mandatory.json")
        self.selective = read_vector(ROOT / f"{prefix}Selective.json")
        self.unsigned = read_vector(ROOT / document)
        self.signed = self.read("addSignedSDBase")
        self.document = {name: v for name, v in self.signed.items() if name != "proof"}
        self.committed = (HOLDER_SECRET,) if secrets else ()
        self.nym = nym
        self.is_blind = secrets or nym
        self.api = PSEUDONYM if nym else BLIND if secrets else CORE

    def has(self, step: str) -> bool:
        """The folder has this step."""
        return (self.folder / f"{step}.json").exists()

    def read(self, step: str) -> Any:
        """One step of the construction."""
        return read_vector(self.folder / f"{step}.json")

    @cached_property
    def grouped(self):
        """The document as issuer and holder see it."""
        return group(
            self.document,
            groups={
                "mandatory": self.mandatory,
                "selective": self.selective,
                "combined": [*self.mandatory, *self.selective],
            },
            relabel=shuffled_labels(HMAC_KEY),
            contexts=bundled(),
        )

    @property
    def messages(self) -> list[bytes]:
        """What is signed statement by statement."""
        mandatory = set(self.grouped.groups["mandatory"])
        return [text.encode() for at, text in enumerate(self.grouped.lines) if at not in mandatory]

    @property
    def header(self) -> bytes:
        """What is signed in any case."""
        hashes = self.read("addHashData")
        return bytes.fromhex(hashes["proofHash"] + hashes["mandatoryHash"])

    @property
    def commitment(self) -> bytes:
        """What the holder sent to the issuer."""
        return bytes.fromhex(self.read("commitmentInfo")["commitmentWithProof"])

    @property
    def holder_commitment(self) -> HolderCommitment | None:
        """The same, as issuing takes it."""
        if not self.is_blind:
            return None
        return HolderCommitment(
            commitment=self.commitment, signer_nym=SIGNER_NYM if self.nym else None
        )

    @property
    def holder(self) -> HolderPart:
        """What deriving takes from the holder."""
        if not self.is_blind:
            return HolderPart(presentation_header=PRESENTATION_HEADER)
        return HolderPart(
            presentation_header=PRESENTATION_HEADER,
            committed=self.committed,
            blind=number(self.read("commitmentInfo")["secretProverBlind"]),
            prover_nym=PROVER_NYM if self.nym else None,
            context_id=CONTEXT_ID if self.nym else None,
        )

    @property
    def secrets(self) -> HolderSecrets:
        """What the holder knows of a blind signature."""
        return HolderSecrets(
            committed=self.committed,
            blind=number(self.read("commitmentInfo")["secretProverBlind"]),
            nym=PROVER_NYM + SIGNER_NYM if self.nym else None,
        )

    @property
    def random(self) -> Callable[[int], bytes]:
        """The randomness of the published derived proof."""
        hidden = len(self.messages) - len(self.read("derivedAdjIndexes")["adjSelectiveIndexes"])
        hidden += len(self.committed) + self.nym + self.is_blind
        return mocked(5 + hidden, self.api)


_LICENSE = {"prefix": "FeatureInputs/license", "document": "FeatureInputs/license.json"}
EXAMPLES = {
    "windsurf": Example(".", "wind", "windDoc.json", secrets=False, nym=False),
    "prc": Example("prc", "prCred", "prCredUnsigned.json", secrets=False, nym=False),
    "HolderBinding": Example("HolderBinding", **_LICENSE, secrets=True, nym=False),
    "Pseudonym": Example("Pseudonym", **_LICENSE, secrets=False, nym=True),
    "PseudonymHB": Example("PseudonymHB", **_LICENSE, secrets=True, nym=True),
}
FILES: list[Path] = sorted(path for path in ROOT.rglob("*") if path.is_file())
