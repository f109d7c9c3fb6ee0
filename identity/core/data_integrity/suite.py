"""What a cryptosuite is, and what the suites have in common."""

import copy
import hashlib
from dataclasses import dataclass
from typing import Protocol

from identity.core.bbs.keys import BbsPublicKey
from identity.core.jsonld import ContextStore
from identity.core.signing import Signer
from registry.core.encoding import JsonObject, base58_encode, multibase_decode
from registry.core.keys import KeyType, PublicKey, verify_signature
from registry.core.refusals import Malformed, NotPermitted

SuiteKey = PublicKey | BbsPublicKey
"""What a proof is verified under; each suite refuses the kinds that it does not use."""


class ProofMalformed(Malformed):
    """The proof is not one that the specification allows."""


class ProofNotValid(NotPermitted):
    """A well-formed proof that does not prove what is asked."""


class Cryptosuite(Protocol):
    """Every suite keeps these promises.

    - `create` returns the `proofValue`; `config` is the proof without it, and may be completed.
    - `verify` returns when the proof covers `document` as it is, and raises otherwise.
    - `document` never has the proof under verification; it has `proof` when the proof continues
      a chain, and holds there the proofs before it.
    """

    @property
    def name(self) -> str:
        """The value of `cryptosuite`."""
        ...

    def create(
        self, document: JsonObject, config: JsonObject, *, signer: Signer, contexts: ContextStore
    ) -> str: ...

    def verify(
        self, document: JsonObject, proof: JsonObject, *, key: SuiteKey, contexts: ContextStore
    ) -> None: ...


class Canonicaliser(Protocol):
    """Turns a document into the bytes that are hashed."""

    def __call__(self, document: JsonObject, *, contexts: ContextStore, hash_name: str) -> bytes:
        """`hash_name` as in `hash_name_for`; raises `Malformed` only."""
        ...


def hash_name_for(key_type: KeyType) -> str:
    """Every suite hashes with the hash of its key's curve."""
    return "sha384" if key_type is KeyType.P384 else "sha256"


def decode_base58_proof_value(proof: JsonObject) -> bytes:
    """`proofValue` of the suites that write multibase `z`.

    Raises:
        ProofMalformed: absent, no string, another multibase, or not base58.
    """
    value = proof.get("proofValue")
    if not isinstance(value, str) or not value.startswith("z"):
        raise ProofMalformed("proofValue is not a base58-btc multibase value")
    try:
        return multibase_decode(value)
    except Malformed as error:
        raise ProofMalformed(f"proofValue: {error.detail}") from error


def unsigned_config(proof: JsonObject) -> JsonObject:
    """The proof configuration: the proof without its value."""
    return {name: value for name, value in proof.items() if name != "proofValue"}


@dataclass(frozen=True, slots=True)
class HashedSuite:
    """Signs hash(proof configuration) ‖ hash(document): eddsa-* and ecdsa-*, rdfc and jcs.

    `own_context` is set for the JCS suites, whose proof carries the `@context` it was made under,
    so that contexts may be appended to the document afterwards (VC DI EdDSA 1.0 §3.3).
    """

    name: str
    key_types: frozenset[KeyType]
    canonicalise: Canonicaliser
    own_context: bool

    def create(
        self, document: JsonObject, config: JsonObject, *, signer: Signer, contexts: ContextStore
    ) -> str:
        if self.own_context and "@context" in document:
            config["@context"] = copy.deepcopy(document["@context"])
        message = self.hash_data(document, config, key_type=signer.key.type, contexts=contexts)
        return "z" + base58_encode(signer.sign(message))

    def verify(
        self, document: JsonObject, proof: JsonObject, *, key: SuiteKey, contexts: ContextStore
    ) -> None:
        if not isinstance(key, PublicKey):
            raise ProofNotValid("the key is of a type that the cryptosuite does not use")
        signature = decode_base58_proof_value(proof)
        if self.own_context and "@context" in proof:
            document = {**document, "@context": _leading_context(document, proof["@context"])}
        message = self.hash_data(
            document, unsigned_config(proof), key_type=key.type, contexts=contexts
        )
        verify_signature(key, message=message, signature=signature)

    def hash_data(
        self,
        document: JsonObject,
        config: JsonObject,
        *,
        key_type: KeyType,
        contexts: ContextStore,
    ) -> bytes:
        """The signed bytes: two hashes, 64 bytes or, for P-384, 96."""
        if key_type not in self.key_types:
            raise ProofNotValid("the key is of a type that the cryptosuite does not use")
        if not self.own_context:
            config = {**config, "@context": document.get("@context")}
        name = hash_name_for(key_type)
        return b"".join(
            hashlib.new(name, self.canonicalise(part, contexts=contexts, hash_name=name)).digest()
            for part in (config, document)
        )


@dataclass(frozen=True, slots=True)
class SelectiveSuite:
    """What ecdsa-sd-2023 and bbs-2023 have in common as `verify_proofs` and `add_proof` see them.

    `made_by` names the function that makes their base proofs.
    """

    name: str
    made_by: str

    def create(
        self,
        document: JsonObject,  # noqa: ARG002
        config: JsonObject,  # noqa: ARG002
        *,
        signer: Signer,  # noqa: ARG002
        contexts: ContextStore,  # noqa: ARG002
    ) -> str:
        """Not this way: a base proof needs randomness and mandatory pointers."""
        raise ProofMalformed(f"{self.name} proofs are made with {self.made_by}")


def _leading_context(document: JsonObject, signed: object) -> object:
    """The contexts that were signed, when the document's begin with them (§3.3.2 step 4)."""
    ours = signed if isinstance(signed, list) else [signed]
    theirs = document.get("@context")
    theirs = theirs if isinstance(theirs, list) else [theirs]
    if theirs[: len(ours)] != ours:
        raise ProofNotValid("the document's contexts do not begin with those of the proof")
    return signed
