"""bbs-2023, every step of the W3C vectors: baseline, holder binding, pseudonyms, and both.

The published commitments were made of true randomness; it follows from the secrets that are
published beside them, so they too are made again here, to the byte. The unsigned permanent resident
card has another description than the signed one, so the document is taken from the signed one.
"""

import itertools
import json

import pytest

from identity.core import jsonld
from identity.core.bbs import blind, signature
from identity.core.bbs import proof as proofs
from identity.core.bbs.curve import read_scalars, write_scalar
from identity.core.bbs.interface import messages_to_scalars
from identity.core.bbs.keys import bbs_public_key
from identity.core.data_integrity import derive_proof
from identity.core.data_integrity.bbs_2023 import create_bbs_base_proof, verify_with_pseudonym
from identity.core.data_integrity.bbs_values import (
    Feature,
    parse_bbs_base_proof,
    parse_bbs_derived_proof,
)
from identity.core.data_integrity.sd_document import (
    configuration_hash,
    mandatory_hash,
    part_for_verifying,
)
from identity.core.data_integrity.selection import select
from registry.core.refusals import Refusal
from tests.identity.core.bbs.bbs_resolving import resolve_bbs_did_key, verify
from tests.identity.core.bbs.examples import (
    CONTEXT_ID,
    EXAMPLES,
    FILES,
    HMAC_KEY,
    PRESENTATION_HEADER,
    PROVER_NYM,
    PUBLIC_KEY,
    ROOT,
    SIGNER,
    SIGNER_NYM,
    Example,
    draws,
    number,
)
from tests.identity.core.contexts import bundled
from tests.vectors import read_vector

BLIND = {name: example for name, example in EXAMPLES.items() if example.is_blind}
each_example = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
each_blind = pytest.mark.parametrize("example", BLIND.values(), ids=BLIND)


def each_that_has(step: str):
    """The examples with a file for this step; how many there are, `STEPS` says."""
    having = {name: example for name, example in EXAMPLES.items() if example.has(step)}
    return pytest.mark.parametrize("example", having.values(), ids=having)


# Which test reads which step; a file of no step here would be one that nobody reads.
STEPS = {
    "addBaseDocCanon.json": 5,
    "addBaseDocHMACCanon.json": 5,
    "addBaseTransform.json": 5,
    "addHashData.json": 5,
    "addPointerValues.json": 2,
    "addProofConfig.json": 5,
    "addProofConfigCanon.txt": 5,
    "addRawBaseSignatureInfo.json": 5,
    "addSignedSDBase.json": 5,
    "commitmentInfo.json": 3,
    "derivedAdjIndexes.json": 5,
    "derivedAllGroupData.json": 4,
    "derivedDisclosureData.json": 5,
    "derivedGroupIndexes.json": 5,
    "derivedRecoveredBaseData.json": 5,
    "derivedRevealDocument.json": 5,
    "derivedUnsignedReveal.json": 5,
    "nymSecret.json": 2,
    "verifyDerivedProofValue.json": 4,
    "verifyNQuads.json": 4,
    # Inputs, read by examples.py.
    "BBSDeriveMaterial.json": 1,
    "BBSKeyMaterial.json": 1,
    "holderSecret.json": 1,
    "license.json": 1,
    "licenseMandatory.json": 1,
    "licenseSelective.json": 1,
    "proverNym.json": 1,
    "signerNymEntropy.json": 1,
    "verifierInfo.json": 1,
    "prCredMandatory.json": 1,
    "prCredSelective.json": 1,
    "prCredUnsigned.json": 1,
    "windDoc.json": 1,
    "windMandatory.json": 1,
    "windSelective.json": 1,
}


def test_every_vector_is_read():
    names = [path.name for path in FILES]

    assert {name: names.count(name) for name in sorted(set(names))} == dict(sorted(STEPS.items()))
    assert len(FILES) == 104


def pairs(published) -> list:
    return [[index, text] for index, text in published["value"]]


def test_the_keys_belong_together():
    assert SIGNER.key == bbs_public_key(PUBLIC_KEY)
    method = read_vector(ROOT / "addProofConfig.json")["verificationMethod"]
    assert SIGNER.verification_method == method
    assert resolve_bbs_did_key(method, "assertionMethod") == SIGNER.key


@each_example
def test_the_document_is_the_one_that_came_in(example: Example):
    different = {
        name for name in example.unsigned if example.unsigned[name] != example.document[name]
    }

    assert different <= {"description"}
    assert set(example.unsigned) == set(example.document)


@each_example
def test_the_document_in_canonical_form(example: Example):
    lines = jsonld.canonicalise(example.document, bundled()).lines

    assert list(lines) == example.read("addBaseDocCanon")


@each_example
def test_the_labels_that_are_signed(example: Example):
    assert list(example.grouped.lines) == example.read("addBaseDocHMACCanon")


@each_example
def test_the_pointers_select_their_lines(example: Example):
    published = example.read("addBaseTransform")
    indexes = example.read("derivedGroupIndexes")
    lines = example.grouped.lines
    mandatory = example.grouped.groups["mandatory"]
    others = [index for index in range(len(lines)) if index not in mandatory]

    assert published["mandatoryPointers"] == example.mandatory
    assert [[index, lines[index]] for index in mandatory] == pairs(published["mandatory"])
    assert [[index, lines[index]] for index in others] == pairs(published["nonMandatory"])
    assert others == indexes["nonMandatoryIndexes"]
    for name in ("mandatory", "selective", "combined"):
        assert list(example.grouped.groups[name]) == indexes[f"{name}Indexes"]


@each_that_has("derivedAllGroupData")
def test_all_that_deriving_groups(example: Example):
    published = example.read("derivedAllGroupData")
    lines, groups = example.grouped.lines, example.grouped.groups

    assert list(lines) == published["nquads"]
    assert len(published["deskolemizedNQuads"]) == len(lines)
    assert sorted(label for _, label in published["labelMap"]["value"]) == sorted(
        label[2:] for label in example.grouped.labels.values()
    )
    for name, group in published["groups"].items():
        chosen = groups[name]
        assert [[index, lines[index]] for index in chosen] == pairs(group["matching"])
        assert [[index, text] for index, text in enumerate(lines) if index not in chosen] == pairs(
            group["nonMatching"]
        )
        assert len(group["deskolemizedNQuads"]) == len(chosen)


@each_that_has("addPointerValues")
def test_the_values_that_pointers_name(example: Example):
    for entry in example.read("addPointerValues"):
        pointer, value = entry["pointer"], entry["value"]
        # The first example's file leaves the beginning of its pointers out.
        if pointer not in example.mandatory:
            pointer = f"/credentialSubject{pointer}"
        assert pointer in example.mandatory
        found = select(example.document, [pointer])
        for step in pointer.split("/")[1:]:
            found = found[0] if isinstance(found, list) else found[step]
        assert found == value


@each_example
def test_the_proof_configuration_in_canonical_form(example: Example):
    lines = jsonld.canonicalise(example.read("addProofConfig"), bundled()).nquads

    assert lines == (example.folder / "addProofConfigCanon.txt").read_text("utf-8")


@each_example
def test_the_hashes(example: Example):
    published = example.read("addHashData")
    lines = [example.grouped.lines[index] for index in example.grouped.groups["mandatory"]]
    config = example.read("addProofConfig")

    assert {**config, "@context": None} == {
        **{k: v for k, v in example.signed["proof"].items() if k != "proofValue"},
        "@context": None,
    }
    digest = configuration_hash(example.document, config, contexts=bundled())
    assert digest.hex() == published["proofHash"]
    assert mandatory_hash(lines).hex() == published["mandatoryHash"]


@each_blind
def test_the_holders_commitment(example: Example):
    published = example.read("commitmentInfo")
    secrets = example.secrets
    committed = [
        *messages_to_scalars(example.committed, example.api),
        *([PROVER_NYM] if example.nym else []),
    ]
    *answers, challenge = read_scalars(example.commitment[48:])
    masks = [
        answer - value * challenge
        for answer, value in zip(answers, [secrets.blind, *committed], strict=True)
    ]
    again = draws(b"".join(bytes(16) + write_scalar(value) for value in [secrets.blind, *masks]))

    made, hidden_by = blind.commit(
        example.committed, prover_nym=PROVER_NYM if example.nym else None, random=again
    )

    assert made.hex() == published["commitmentWithProof"]
    assert write_scalar(hidden_by).hex() == published["secretProverBlind"]
    point, count = blind.verify_commitment(made, example.api)
    assert count == len(committed)
    assert point is not None


@each_that_has("nymSecret")
def test_the_secret_of_the_pseudonym(example: Example):
    nym = PROVER_NYM + SIGNER_NYM

    assert int(nym) == int(example.read("nymSecret")["nymSecretHex"], 16)
    published = example.read("derivedDisclosureData")["pseudonym"]
    assert blind.pseudonym_for(CONTEXT_ID, nym).hex() == published


@each_example
def test_the_signature(example: Example):
    raw = example.read("addRawBaseSignatureInfo")
    header, messages = example.header, example.messages

    if example.is_blind:
        made = blind.blind_sign(
            SIGNER.secret,
            example.commitment,
            header=header,
            messages=messages,
            signer_nym=SIGNER_NYM if example.nym else None,
        )
        blind.verify_blind(
            SIGNER.key, made, header=header, messages=messages, secrets=example.secrets
        )
        assert raw["bbsHeader"] == header.hex()
        assert raw["publicKey"] == PUBLIC_KEY.hex()
        assert raw["hmacKey"] == HMAC_KEY.hex()
    else:
        made = signature.sign(SIGNER.secret, header=header, messages=messages)
        signature.verify(SIGNER.key, made, header=header, messages=messages)

    assert made.hex() == raw["bbsSignature"]
    assert raw["mandatoryPointers"] == example.mandatory
    if example.nym:
        assert number(raw["signerNymEntropyHex"]) == SIGNER_NYM


@each_example
def test_the_base_proof_there_and_back(example: Example):
    published = example.signed["proof"]["proofValue"]

    made = create_bbs_base_proof(
        example.document,
        example.read("addProofConfig"),
        signer=SIGNER,
        mandatory_pointers=example.mandatory,
        holder=example.holder_commitment,
        random=draws(HMAC_KEY),
        contexts=bundled(),
    )

    assert made == published
    base = parse_bbs_base_proof(published)
    recovered = example.read("derivedRecoveredBaseData")
    assert base.encode() == published
    assert base.signature.hex() == recovered["bbsSignature"]
    assert base.hmac_key.hex() == recovered["hmacKey"]
    assert list(base.mandatory_pointers) == recovered["mandatoryPointers"]
    if example.is_blind:
        assert base.header.hex() == recovered["bbsHeader"]
        assert base.public_key.hex() == recovered["publicKey"]
        # With holder binding, pseudonyms have no name of their own in the first bytes.
        name = "pseudonym" if example.nym else "anonymous_holder_binding"
        assert base.feature is Feature(name)
    if example.nym:
        assert base.signer_nym == int(number(recovered["signerNymEntropy"]))


@each_example
def test_the_derived_document_to_the_byte(example: Example):
    derived = derive_proof(
        example.signed,
        selective_pointers=example.selective,
        contexts=bundled(),
        random=example.random,
        holder=example.holder,
    )

    published = example.read("derivedDisclosureData")
    value = parse_bbs_derived_proof(derived["proof"]["proofValue"])
    assert value.proof.hex() == published["bbsProof"]
    assert sorted(value.labels.items()) == sorted(map(tuple, published["labelMap"]["value"]))
    adjusted = example.read("derivedAdjIndexes")
    for indexes in (published["mandatoryIndexes"], adjusted["adjMandatoryIndexes"]):
        assert list(value.mandatory_indexes) == indexes
    for indexes in (published["adjSelectiveIndexes"], adjusted["adjSelectiveIndexes"]):
        assert list(value.selective_indexes) == indexes
    assert value.presentation_header == bytes(published["presentationHeader"].values())
    assert value.messages == published.get("lengthBBSMessages")
    assert (value.pseudonym or b"").hex() == published.get("pseudonym", "")
    unsigned = {name: member for name, member in derived.items() if name != "proof"}
    assert unsigned == example.read("derivedUnsignedReveal")
    assert derived == example.read("derivedRevealDocument")
    assert value.encode() == derived["proof"]["proofValue"]


@each_that_has("verifyDerivedProofValue")
def test_what_the_verifier_reads(example: Example):
    revealed = example.read("derivedRevealDocument")
    value = parse_bbs_derived_proof(revealed["proof"]["proofValue"])
    published = example.read("verifyDerivedProofValue")

    lines = part_for_verifying(
        {name: member for name, member in revealed.items() if name != "proof"},
        labels=value.labels,
        mandatory_indexes=value.mandatory_indexes,
        contexts=bundled(),
    )

    assert value.proof.hex() == published["bbsProof"]
    assert sorted(value.labels.items()) == sorted(map(tuple, published["labelMap"]))
    assert list(value.mandatory_indexes) == published["mandatoryIndexes"]
    assert list(value.selective_indexes) == published["adjSelectedIndexes"]
    quads = example.read("verifyNQuads")
    assert [*lines.mandatory, *lines.others] == [
        *(quads[index] for index in value.mandatory_indexes),
        *(text for index, text in enumerate(quads) if index not in value.mandatory_indexes),
    ]


@each_example
def test_the_published_proof_verifies(example: Example):
    revealed = example.read("derivedRevealDocument")
    value = parse_bbs_derived_proof(revealed["proof"]["proofValue"])
    messages = [example.messages[index] for index in value.selective_indexes]
    given = {
        "header": example.header,
        "presentation_header": PRESENTATION_HEADER,
        "messages": messages,
        "disclosed": value.selective_indexes,
    }

    if not example.is_blind:
        proofs.verify_proof(SIGNER.key, value.proof, **given)
        assert len(verify(revealed)) == 1
    elif not example.nym:
        blind.verify_blind_proof(
            SIGNER.key, value.proof, **given, signer_messages=value.messages, pseudonym=None
        )
        assert len(verify(revealed)) == 1
    else:
        proof = revealed.pop("proof")
        pseudonym = verify_with_pseudonym(
            revealed, proof, key=SIGNER.key, context_id=CONTEXT_ID, contexts=bundled()
        )
        assert pseudonym.hex() == example.read("derivedDisclosureData")["pseudonym"]


def test_both_pseudonyms_of_one_holder_are_the_same_for_one_verifier():
    shown = {
        example.read("derivedDisclosureData")["pseudonym"]
        for example in EXAMPLES.values()
        if example.nym
    }

    assert len(shown) == 1


def test_no_two_published_proofs_verify_in_each_others_place():
    revealed = {
        name: example.read("derivedRevealDocument")["proof"]["proofValue"]
        for name, example in EXAMPLES.items()
        if not example.nym
    }
    for ours, theirs in itertools.permutations(revealed, 2):
        document = json.loads(json.dumps(EXAMPLES[ours].read("derivedRevealDocument")))
        document["proof"]["proofValue"] = revealed[theirs]
        with pytest.raises(Refusal):
            verify(document)
