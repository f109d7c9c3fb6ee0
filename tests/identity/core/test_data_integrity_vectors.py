"""Data Integrity, step by step, against the W3C vectors of vc-di-eddsa and vc-di-ecdsa."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from identity.core.data_integrity import add_proof, verify_proofs
from identity.core.data_integrity.proofs import _input_document
from identity.core.data_integrity.suite import (
    HashedSuite,
    ProofMalformed,
    decode_base58_proof_value,
    hash_name_for,
)
from identity.core.data_integrity.suites import canonical_rdf, find_cryptosuite
from registry.core.encoding import base58_encode
from registry.core.keys import KeyType, verify_signature
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import KeySigner, resolve_did_key, signer_of_vector
from tests.vectors import read_vector, vectors_dir

EDDSA = vectors_dir() / "vc-di-eddsa/TestVectors"
ECDSA = vectors_dir() / "vc-di-ecdsa/TestVectors"
CHAIN = EDDSA / "proof-set-chain"
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Construction:
    """One directory of the vectors: every intermediate value of one proof."""

    folder: Path
    suffix: str
    unsigned: str
    keys: str

    def text(self, step: str) -> str:
        return (self.folder / f"{step}{self.suffix}.txt").read_text("utf-8")

    def json(self, step: str) -> dict:
        return read_vector(self.folder / f"{step}{self.suffix}.json")

    @property
    def document(self) -> dict:
        root = EDDSA if EDDSA in self.folder.parents else ECDSA
        return read_vector(root / self.unsigned)

    @property
    def signer(self) -> KeySigner:
        root = EDDSA if EDDSA in self.folder.parents else ECDSA
        pair = read_vector(root / self.keys)
        return signer_of_vector(pair.get("privateKeyMultibase") or pair["secretKeyMultibase"])

    @property
    def suite(self) -> HashedSuite:
        suite = find_cryptosuite(self.json("proofConfig")["cryptosuite"])
        assert isinstance(suite, HashedSuite)
        return suite


PLAIN, EMPLOYMENT = "unsigned.json", "employmentAuth.json"
CONSTRUCTIONS = [
    Construction(EDDSA / "eddsa-rdfc-2022", "DataInt", PLAIN, "keyPair.json"),
    Construction(EDDSA / "eddsa-rdfc-2022/employ", "DataInt", EMPLOYMENT, "keyPair.json"),
    Construction(EDDSA / "eddsa-jcs-2022", "JCS", PLAIN, "keyPair.json"),
    Construction(ECDSA / "ecdsa-rdfc-2019-p256", "ECDSAP256", PLAIN, "p256KeyPair.json"),
    Construction(
        ECDSA / "ecdsa-rdfc-2019-p256/employ", "ECDSAP256", EMPLOYMENT, "p256KeyPair.json"
    ),
    Construction(ECDSA / "ecdsa-jcs-2019-p256", "JCSECDSAP256", PLAIN, "p256KeyPair.json"),
    Construction(ECDSA / "ecdsa-rdfc-2019-p384", "ECDSAP384", PLAIN, "p384KeyPair.json"),
    Construction(
        ECDSA / "ecdsa-rdfc-2019-p384/employ", "ECDSAP384", EMPLOYMENT, "p384KeyPair.json"
    ),
    Construction(ECDSA / "ecdsa-jcs-2019-p384", "JCSECDSAP384", PLAIN, "p384KeyPair.json"),
]
each_construction = pytest.mark.parametrize(
    "vector", CONSTRUCTIONS, ids=lambda v: str(v.folder.relative_to(vectors_dir())).split("/", 2)[2]
)


def test_every_directory_of_the_vectors_is_covered():
    covered = {construction.folder for construction in CONSTRUCTIONS}
    not_ours = {"Ed25519Signature2020", "ecdsa-sd-2023", "prc", "proof-set-chain"}

    for root, count in ((EDDSA, 3), (ECDSA, 6)):
        folders = {path.parent for path in root.rglob("proofConfig*.json")}
        ours = {folder for folder in folders if folder.name not in not_ours}
        assert ours <= covered
        assert len(ours) == count


@each_construction
def test_the_document_in_canonical_form(vector):
    name = hash_name_for(vector.signer.key.type)

    canonical = vector.suite.canonicalise(vector.document, contexts=bundled(), hash_name=name)

    assert canonical.decode("utf-8") == vector.text("canonDoc")
    assert hashlib.new(name, canonical).hexdigest() == vector.text("docHash")


@each_construction
def test_the_proof_configuration_in_canonical_form(vector):
    name = hash_name_for(vector.signer.key.type)
    config = vector.json("proofConfig")

    canonical = vector.suite.canonicalise(config, contexts=bundled(), hash_name=name)

    assert canonical.decode("utf-8") == vector.text("proofCanon")
    assert hashlib.new(name, canonical).hexdigest() == vector.text("proofHash")


@each_construction
def test_the_combined_hash(vector):
    combined = vector.suite.hash_data(
        vector.document,
        vector.json("proofConfig"),
        key_type=vector.signer.key.type,
        contexts=bundled(),
    )

    assert combined.hex() == vector.text("combinedHash")


@each_construction
def test_the_signature_and_its_encoding(vector):
    signature = bytes.fromhex(vector.text("sigHex"))
    message = bytes.fromhex(vector.text("combinedHash"))

    verify_signature(vector.signer.key, message=message, signature=signature)

    assert "z" + base58_encode(signature) == vector.text("sigBTC58")
    assert vector.json("signed")["proof"]["proofValue"] == vector.text("sigBTC58")
    if vector.signer.key.type is KeyType.ED25519:  # ECDSA draws a number
        assert vector.signer.sign(message) == signature


@each_construction
def test_the_secured_document_verifies(vector):
    verified = verify(vector.json("signed"))

    assert [proof.key for proof in verified] == [vector.signer.key]


@each_construction
def test_a_proof_made_here_has_the_published_shape_and_verifies(vector):
    published = vector.json("signed")
    created = datetime.fromisoformat(published["proof"]["created"])

    secured = add_proof(
        vector.document,
        signer=vector.signer,
        cryptosuite=vector.suite.name,
        created=created,
        purpose="assertionMethod",
        contexts=bundled(),
    )

    if vector.signer.key.type is KeyType.ED25519:
        assert secured == published
    verify(secured)
    del secured["proof"]["proofValue"], published["proof"]["proofValue"]
    assert secured == published


def verify(document: dict):
    return verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=resolve_did_key,
        contexts=bundled(),
        now=NOW,
        domain=None,
        challenge=None,
    )


# Proof sets and chains


def chain_signer(number: int) -> KeySigner:
    pairs = read_vector(CHAIN / "multiKeyPairs.json")
    return signer_of_vector(pairs[f"keyPair{number}"]["privateKeyMultibase"])


def continued(document: dict, config: dict, number: int) -> dict:
    """One more proof, with the members of a published configuration."""
    options = {
        name: value
        for name, value in config.items()
        if name in ("id", "previousProof", "domain", "challenge", "expires", "nonce")
    }
    return add_proof(
        document,
        signer=chain_signer(number),
        cryptosuite=config["cryptosuite"],
        created=datetime.fromisoformat(config["created"]),
        purpose=config["proofPurpose"],
        contexts=bundled(),
        options=options,
    )


STEPS = [
    ("unsigned", "proofSetConfig1", 1, "signedProofSet1"),
    ("signedProofSet1", "proofSetConfig2", 2, "signedProofSet2"),
    ("signedProofSet2", "proofChainConfig1", 3, "signedProofChain1"),
    ("signedProofChain1", "proofChainConfig2", 4, "signedProofChain2"),
]


@pytest.mark.parametrize(("before", "config", "number", "after"), STEPS)
def test_each_step_of_the_published_sets_and_chains(before, config, number, after):
    document = read_vector(CHAIN / f"{before}.json")
    if before == "signedProofSet2":
        # The published chain gives the proofs of the set their ids.
        document = {**document, "proof": read_vector(CHAIN / f"{after}.json")["proof"][:2]}
    expected = read_vector(CHAIN / f"{after}.json")
    configuration = read_vector(CHAIN / f"{config}.json")

    result = continued(document, configuration, number)

    proofs = result["proof"] if isinstance(result["proof"], list) else [result["proof"]]
    wanted = expected["proof"] if isinstance(expected["proof"], list) else [expected["proof"]]
    assert proofs[-1]["proofValue"] == wanted[-1]["proofValue"]
    assert proofs == wanted
    assert len(verify(result)) == len(wanted)


@pytest.mark.parametrize(("name", "count"), [(step[3], n) for n, step in enumerate(STEPS, 1)])
def test_published_sets_and_chains_verify(name, count):
    # signedProofChain1 has the two proofs of the set and one more, and so on.
    document = read_vector(CHAIN / f"{name}.json")

    assert len(verify(json.loads(json.dumps(document)))) == count


@pytest.mark.parametrize("name", ["Set", "Chain"])
@pytest.mark.parametrize("number", [1, 2])
def test_each_proof_by_itself(name, number):
    signed = read_vector(CHAIN / f"proof{name}ConfigSigned{number}.json")
    config = read_vector(CHAIN / f"proof{name}Config{number}.json")
    proofs = read_vector(CHAIN / f"signedProof{name}{number}.json")["proof"]
    last = proofs[-1] if isinstance(proofs, list) else proofs

    assert signed == last
    assert {k: v for k, v in signed.items() if k != "proofValue"} == {
        k: v for k, v in config.items() if k != "@context"
    }


@pytest.mark.parametrize("number", [1, 2])
def test_what_a_proof_of_a_chain_signs(number):
    """Data Integrity §4.5: the document with just the proofs that the new one continues."""
    published = read_vector(CHAIN / f"proofChainTempDoc{number}.json")
    signed = read_vector(CHAIN / f"proofChainConfigSigned{number}.json")
    chain = read_vector(CHAIN / f"signedProofChain{number}.json")
    by_id = {proof["id"]: proof for proof in chain["proof"] if "id" in proof}
    config = {name: value for name, value in signed.items() if name != "proofValue"}

    unsecured = _input_document(chain, signed, by_id)
    message = find_cryptosuite("eddsa-rdfc-2022").hash_data(
        published, config, key_type=KeyType.ED25519, contexts=bundled()
    )

    assert unsecured == published
    verify_signature(
        chain_signer(number + 2).key,
        message=message,
        signature=decode_base58_proof_value(signed),
    )


def test_every_file_of_the_sets_and_chains_is_used():
    assert len(list(CHAIN.glob("*.json"))) == 16


# The deprecated suite: every step comes out, and the proof is refused for its type.

OLD = EDDSA / "Ed25519Signature2020"


def old(step: str) -> str:
    return (OLD / f"{step}EdSig.txt").read_text("utf-8")


def test_each_step_of_ed25519_signature_2020():
    assert len(list(OLD.iterdir())) == 9
    signed = read_vector(OLD / "signedEdSig.json")
    document = {name: value for name, value in signed.items() if name != "proof"}
    config = read_vector(OLD / "proofConfigEdSig.json")
    canonical, configuration = (
        canonical_rdf(part, contexts=bundled(), hash_name="sha256") for part in (document, config)
    )
    digests = [hashlib.sha256(part).digest() for part in (configuration, canonical)]
    signature = bytes.fromhex(old("sigHex"))

    assert canonical.decode("utf-8") == old("canonDoc")
    assert configuration.decode("utf-8") == old("proofCanon")
    assert [digest.hex() for digest in digests] == [old("proofHash"), old("docHash")]
    assert b"".join(digests).hex() == old("combinedHash")
    assert "z" + base58_encode(signature) == old("sigBTC58") == signed["proof"]["proofValue"]
    key = resolve_did_key(config["verificationMethod"], "assertionMethod")
    assert key == signer_of_vector(read_vector(EDDSA / "keyPair.json")["privateKeyMultibase"]).key
    verify_signature(key, message=b"".join(digests), signature=signature)


def test_a_proof_of_the_deprecated_suite_is_refused():
    with pytest.raises(ProofMalformed):
        verify(read_vector(OLD / "signedEdSig.json"))
