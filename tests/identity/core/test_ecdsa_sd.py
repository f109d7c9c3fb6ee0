"""ecdsa-sd-2023, step by step against the W3C vectors, and its forgeries.

The unsigned permanent resident card of the vectors has another description than the signed one, so
the document is taken from the signed one.
"""

import copy
from datetime import UTC, datetime

import cbor2
import pytest

from identity.core import jsonld
from identity.core.data_integrity import (
    ProofMalformed,
    ProofNotValid,
    add_base_proof,
    add_proof,
    derive_proof,
    verify_proofs,
)
from identity.core.data_integrity.ecdsa_sd import signed_message
from identity.core.data_integrity.ecdsa_sd_values import parse_base_proof, parse_derived_proof
from identity.core.data_integrity.sd_document import hmac_labels, part_for_verifying
from identity.core.data_integrity.selection import PointerLeadsNowhere, group, select
from registry.core.encoding import base64url_decode, base64url_encode
from registry.core.keys import KeyType, SignatureNotValid, parse_multikey, verify_signature
from registry.core.refusals import Refusal
from tests.identity.core.contexts import bundled
from tests.identity.core.selective import CHANGES, PARTS, check_part
from tests.identity.core.signers import resolve_did_key, signer, signer_of_vector
from tests.vectors import read_vector, vectors_dir

ROOT = vectors_dir() / "vc-di-ecdsa/TestVectors"
KEYS = read_vector(ROOT / "ecdsa-sd-2023/SDKeyMaterial.json")
NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Example:
    def __init__(self, name: str, prefix: str) -> None:
        self.folder = ROOT / "ecdsa-sd-2023" / name
        self.mandatory = read_vector(ROOT / f"{prefix}Mandatory.json")
        self.selective = read_vector(ROOT / f"{prefix}Selective.json")
        self.signed = self.read("addSignedSDBase")
        self.document = {k: v for k, v in self.signed.items() if k != "proof"}

    def read(self, step: str):
        return read_vector(self.folder / f"{step}.json")

    def grouped(self):
        return group(
            self.document,
            groups={
                "mandatory": self.mandatory,
                "selective": self.selective,
                "combined": [*self.mandatory, *self.selective],
            },
            relabel=hmac_labels(bytes.fromhex(KEYS["hmacKeyString"])),
            contexts=bundled(),
        )


EXAMPLES = [Example("prc", "prCred"), Example("employ", "employ")]
each_example = pytest.mark.parametrize("example", EXAMPLES, ids=["prc", "employ"])


def test_the_vectors_are_here():
    for example in EXAMPLES:
        assert len(list(example.folder.iterdir())) == 20


@pytest.mark.parametrize(
    ("example", "name"),
    [(EXAMPLES[0], "prCredUnsigned"), (EXAMPLES[1], "employmentAuth")],
    ids=["prc", "employ"],
)
def test_the_document_is_the_one_that_came_in(example, name):
    unsigned = read_vector(ROOT / f"{name}.json")

    assert set(unsigned) == set(example.document)
    assert {key for key in unsigned if unsigned[key] != example.document[key]} <= {"description"}


@each_example
def test_the_document_in_canonical_form(example):
    lines = jsonld.canonicalise(example.document, bundled()).lines

    assert list(lines) == example.read("addBaseDocCanon")


@each_example
def test_the_labels_that_are_signed(example):
    assert list(example.grouped().lines) == example.read("addBaseDocHMACCanon")


@each_example
def test_the_pointers_select_their_lines(example):
    published = example.read("addBaseTransform")
    grouped = example.grouped()

    assert [[index, grouped.lines[index]] for index in grouped.groups["mandatory"]] == published[
        "mandatory"
    ]["value"]
    assert len(grouped.lines) == len(published["mandatory"]["value"]) + len(
        published["nonMandatory"]["value"]
    )
    indexes = example.read("derivedGroupIndexes")
    for name in ("mandatory", "selective", "combined"):
        assert list(grouped.groups[name]) == indexes[f"{name}Indexes"]


@each_example
def test_the_proof_configuration_in_canonical_form(example):
    lines = jsonld.canonicalise(example.read("addProofConfig"), bundled()).nquads

    assert lines == (example.folder / "addProofConfigCanon.txt").read_text("utf-8")


@each_example
def test_the_signed_message_and_its_signatures(example):
    raw = example.read("addRawBaseSignatureInfo")
    hashes = example.read("addHashData")
    grouped = example.grouped()
    mandatory = [grouped.lines[index] for index in grouped.groups["mandatory"]]
    key = base64url_free(raw["publicKey"])

    message = signed_message(
        example.document,
        example.signed["proof"],
        public_key=key,
        mandatory=mandatory,
        contexts=bundled(),
    )

    assert message[:32].hex() == hashes["proofHash"]
    assert message[-32:].hex() == hashes["mandatoryHash"]
    base_key = parse_multikey(KEYS["baseKeyPair"]["publicKeyMultibase"])
    verify_signature(base_key, message=message, signature=bytes.fromhex(raw["baseSignature"]))
    others = [line for line in grouped.lines if line not in mandatory]
    assert len(others) == len(raw["signatures"])
    for line, signature in zip(others, raw["signatures"], strict=True):
        verify_signature(
            parse_multikey(raw["publicKey"]),
            message=line.encode(),
            signature=bytes.fromhex(signature),
        )


def base64url_free(multikey: str) -> bytes:
    """Multikey with its prefix, as the proof holds it."""
    return b"\x80\x24" + parse_multikey(multikey).data


@each_example
def test_the_base_proof_there_and_back(example):
    raw = example.read("addRawBaseSignatureInfo")

    base = parse_base_proof(example.signed["proof"]["proofValue"])

    assert base.base_signature.hex() == raw["baseSignature"]
    assert base.public_key == base64url_free(raw["publicKey"])
    assert [signature.hex() for signature in base.signatures] == raw["signatures"]
    assert list(base.mandatory_pointers) == raw["mandatoryPointers"]
    assert base.hmac_key.hex().upper() == KEYS["hmacKeyString"]
    assert base.encode() == example.signed["proof"]["proofValue"]


@each_example
def test_the_derived_document(example):
    expected = example.read("derivedRevealDocument")
    data = example.read("derivedDisclosureData")

    derived = derive_proof(
        example.signed,
        selective_pointers=example.selective,
        contexts=bundled(),
        random=counting_random(),
    )

    proof = parse_derived_proof(derived["proof"]["proofValue"])
    assert [signature.hex() for signature in proof.signatures] == data["signatures"]
    assert list(proof.mandatory_indexes) == data["mandatoryIndexes"]
    assert sorted(proof.labels.items()) == sorted(map(tuple, data["labelMap"]["value"]))
    assert {k: v for k, v in derived.items() if k != "proof"} == example.read(
        "derivedUnsignedReveal"
    )
    assert derived == expected


@each_example
def test_the_values_that_pointers_name(example):
    published = example.read("addPointerValues")

    assert [entry["pointer"] for entry in published] == example.mandatory
    for entry in published:
        found = select(example.document, [entry["pointer"]])
        for step in entry["pointer"].split("/")[1:]:
            found = found[0] if isinstance(found, list) else found[step]
        assert found == entry["value"]


@each_example
def test_all_that_deriving_groups(example):
    published = example.read("derivedAllGroupData")
    grouped = example.grouped()
    lines = grouped.lines

    assert list(lines) == published["nquads"]
    assert len(published["deskolemizedNQuads"]) == len(lines)
    assert sorted(label for _, label in published["labelMap"]["value"]) == sorted(
        label[2:] for label in grouped.labels.values()
    )
    for name, group_of in published["groups"].items():
        chosen = grouped.groups[name]
        assert [[index, lines[index]] for index in chosen] == group_of["matching"]["value"]
        assert [
            [index, text] for index, text in enumerate(lines) if index not in chosen
        ] == group_of["nonMatching"]["value"]
        assert len(group_of["deskolemizedNQuads"]) == len(chosen)


@each_example
def test_what_the_holder_takes_from_the_base_proof(example):
    recovered = example.read("derivedRecoveredBaseData")
    base = parse_base_proof(example.signed["proof"]["proofValue"])
    derived = parse_derived_proof(example.read("derivedRevealDocument")["proof"]["proofValue"])
    signatures = example.read("derivedAdjSignatures")
    indexes = example.read("derivedAdjMandatoryIndexes")["adjMandatoryIndexes"]

    assert base.base_signature.hex() == recovered["baseSignature"]
    assert base.public_key == base64url_free(recovered["proofPublicKey"])
    assert base.hmac_key.hex() == recovered["hmacKey"]
    assert [signature.hex() for signature in base.signatures] == recovered["signatures"]
    assert list(base.mandatory_pointers) == recovered["mandatoryPointers"]
    assert [
        base.signatures[index].hex() for index in signatures["adjSignatureIndexes"]
    ] == signatures["filteredSignatures"]
    assert [s.hex() for s in derived.signatures] == signatures["filteredSignatures"]
    assert list(derived.mandatory_indexes) == indexes


@each_example
def test_what_the_verifier_reads(example):
    revealed = example.read("derivedRevealDocument")
    proof = revealed.pop("proof")
    value = parse_derived_proof(proof["proofValue"])
    published = example.read("verifyDerivedProofValue")
    data = example.read("verifyCreateVerifyData")

    lines = part_for_verifying(
        revealed,
        labels=value.labels,
        mandatory_indexes=value.mandatory_indexes,
        contexts=bundled(),
    )

    quads = example.read("verifyNQuads")
    places = set(value.mandatory_indexes)
    assert list(lines.mandatory) == [text for at, text in enumerate(quads) if at in places]
    assert list(lines.others) == [text for at, text in enumerate(quads) if at not in places]
    assert list(lines.others) == data["nonMandatory"]
    for step in (published, data):
        assert value.base_signature.hex() == step["baseSignature"]
        assert value.public_key == base64url_free(step["publicKey"])
        assert [signature.hex() for signature in value.signatures] == step["signatures"]
    assert sorted(value.labels.items()) == sorted(map(tuple, published["labelMap"]))
    assert list(value.mandatory_indexes) == published["mandatoryIndexes"]
    message = signed_message(
        revealed,
        proof,
        public_key=value.public_key,
        mandatory=lines.mandatory,
        contexts=bundled(),
    )
    assert message[:32].hex() == data["proofHash"]
    assert message[-32:].hex() == data["mandatoryHash"]


@each_example
def test_the_published_derived_document_verifies(example):
    assert len(verify(example.read("derivedRevealDocument"))) == 1


def test_keys_of_the_vectors_belong_together():
    for pair in (KEYS["baseKeyPair"], KEYS["proofKeyPair"]):
        assert (
            signer_of_vector(pair["secretKeyMultibase"]).key.multikey
            == (pair["publicKeyMultibase"])
        )


# Our own


def counting_random():
    draws = iter(range(1, 1_000))
    return lambda size: next(draws).to_bytes(size, "big")


DOCUMENT = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "RegattaCredential"],
    "issuer": "https://vc.example/issuers/5678",
    "credentialSubject": {
        "sailNumber": "Earth101",
        "sails": [
            {"size": 5.5, "sailName": "Kihei", "year": 2023},
            {"size": 6.1, "sailName": "Lahaina", "year": 2023},
            {"size": 6.1, "sailName": "Lahaina", "year": 2023},
        ],
        "notes": [{"a/b": "slash", "c~d": "tilde"}],
    },
}


def base(mandatory=("/issuer",), document=DOCUMENT):
    return add_base_proof(
        document,
        signer=signer(KeyType.P256),
        created=NOW,
        purpose="assertionMethod",
        contexts=bundled(),
        random=counting_random(),
        mandatory_pointers=mandatory,
    )


def derive(pointers, secured=None):
    return derive_proof(
        secured or base(),
        selective_pointers=pointers,
        contexts=bundled(),
        random=counting_random(),
    )


def verify(document):
    return verify_proofs(
        document,
        purpose="assertionMethod",
        resolve_key=resolve_did_key,
        contexts=bundled(),
        now=NOW,
        domain=None,
        challenge=None,
    )


@pytest.mark.parametrize("pointers", PARTS)
def test_a_part_verifies(pointers):
    derived = derive(pointers)

    verify(derived)
    check_part(derived, pointers, DOCUMENT)


def test_nothing_may_be_mandatory_as_long_as_something_is_shown():
    verify(derive(["/issuer"], base(mandatory=[])))

    with pytest.raises(ProofMalformed):
        derive([], base(mandatory=[]))


@pytest.mark.parametrize(
    "pointer",
    [
        "/nope",
        "/credentialSubject/sails/3",
        "/credentialSubject/sails/01",
        "issuer",
        "/credentialSubject/sails/-",
        "/issuer/id",
        "/credentialSubject/sails/x",
        "/",
        None,
        "/credentialSubject/sails/\u0661",
        "/" + "x" * 2_000,
    ],
)
def test_pointers_that_name_nothing_are_refused(pointer):
    with pytest.raises(PointerLeadsNowhere):
        base(mandatory=[pointer])
    with pytest.raises(PointerLeadsNowhere):
        derive([pointer])
    with pytest.raises(PointerLeadsNowhere):
        select(DOCUMENT, [pointer])


@pytest.mark.parametrize(
    "change",
    [
        *CHANGES,
        lambda d: d["proof"].update(verificationMethod=signer(KeyType.P256, 2).verification_method),
    ],
)
def test_any_change_to_the_part_is_noticed(change):
    derived = copy.deepcopy(derive(["/credentialSubject/sailNumber"]))
    verify(derived)
    change(derived)

    with pytest.raises((SignatureNotValid, ProofNotValid)):
        verify(derived)


def test_mandatory_parts_cannot_be_passed_off_as_chosen_ones():
    derived = derive(["/credentialSubject/sailNumber"])

    with pytest.raises((SignatureNotValid, ProofNotValid)):
        verify(rebuilt(derived, 4, lambda indexes: indexes[1:]))


def test_statements_of_two_credentials_do_not_mix():
    other = base(document={**DOCUMENT, "credentialSubject": {"sailNumber": "Mars1"}})
    foreign = parts_of(derive(["/credentialSubject/sailNumber"], other))
    derived = derive(["/credentialSubject/sailNumber"])

    with pytest.raises(Refusal):
        verify(rebuilt(derived, 2, lambda _: foreign[2]))


def parts_of(derived) -> list:
    return cbor2.loads(base64url_decode(derived["proof"]["proofValue"][1:])[3:])


def rebuilt(derived, position, change, header=b"\xd9\x5d\x01"):
    parts = parts_of(derived)
    parts[position] = change(parts[position])
    changed = copy.deepcopy(derived)
    changed["proof"]["proofValue"] = "u" + base64url_encode(header + cbor2.dumps(parts))
    return changed


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (0, lambda signature: signature[:-1]),
        (0, lambda signature: signature.hex()),
        (0, lambda _: cbor2.CBORTag(64, bytes(64))),
        (1, lambda key: key[2:]),
        (1, lambda key: b"\xed\x01" + key[2:]),
        (1, lambda key: key[:3] + bytes([key[3] ^ 1]) + key[4:]),
        (2, lambda signatures: signatures[:-1]),
        (2, lambda signatures: [*signatures, signatures[0]]),
        (2, lambda signatures: signatures[::-1]),
        (2, lambda signatures: [signatures[0]] * len(signatures)),
        (2, lambda signatures: [entry[:-1] for entry in signatures]),
        (2, lambda _: {}),
        (3, lambda labels: dict(list(labels.items())[1:])),
        (3, lambda labels: {**labels, 99: bytes(32)}),
        (3, lambda labels: dict.fromkeys(labels, bytes(32))),
        (3, lambda labels: {number: label[:-1] for number, label in labels.items()}),
        (3, lambda labels: {str(number): label for number, label in labels.items()}),
        (3, lambda _: []),
        (4, lambda indexes: [*indexes, 10_000]),
        (4, lambda indexes: [*indexes, indexes[0]]),
        (4, lambda indexes: [-1, *indexes]),
        (4, lambda indexes: [True, *indexes]),
        (4, lambda _: {}),
        (4, lambda indexes: [str(index) for index in indexes]),
    ],
)
def test_derived_proofs_that_are_refused(position, change):
    derived = derive(["/credentialSubject/sails/1"])
    verify(rebuilt(derived, 0, lambda signature: signature))

    with pytest.raises(Refusal):
        verify(rebuilt(derived, position, change))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "u",
        "z" + "1" * 40,
        "u!",
        "u" + base64url_encode(b"\xd9\x5d\x01"),
        "u" + base64url_encode(b"\xd9\x5d\x01\x80"),
        "u" + base64url_encode(b"\xd9\x5d\x01\xff"),
        "u" + base64url_encode(b"\xd9\x5d\x02" + cbor2.dumps([1, 2, 3, 4, 5])),
        "u" + base64url_encode(b"\xd9\x5d\x01" + cbor2.dumps([1, 2, 3, 4, 5])),
        "u" + base64url_encode(b"\xd9\x5d\x01" + b"\x81" * 5_000 + b"\x01"),
        "u" + base64url_encode(b"\xd9\x5d\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
    ],
)
def test_proof_values_that_are_none(value):
    derived = derive([])
    derived["proof"]["proofValue"] = value

    with pytest.raises(ProofMalformed):
        verify(derived)
    with pytest.raises(ProofMalformed):
        derive([], derived)


def test_something_after_the_cbor_is_refused():
    derived = derive([])
    data = base64url_decode(derived["proof"]["proofValue"][1:])
    derived["proof"]["proofValue"] = "u" + base64url_encode(data + b"\0")

    with pytest.raises(ProofMalformed):
        verify(derived)


def test_a_base_proof_is_not_accepted_by_a_verifier():
    with pytest.raises(ProofMalformed):
        verify(base())


def test_only_a_base_proof_can_be_derived_from():
    with pytest.raises(ProofMalformed):
        derive([], derive(["/credentialSubject"]))
    plain = add_proof(
        DOCUMENT,
        signer=signer(KeyType.P256),
        cryptosuite="ecdsa-jcs-2019",
        created=NOW,
        purpose="assertionMethod",
        contexts=bundled(),
    )
    with pytest.raises(ProofMalformed):
        derive([], plain)
    with pytest.raises(ProofMalformed):
        derive([], DOCUMENT)


def test_a_changed_document_cannot_be_derived_into_something_that_verifies():
    secured = base()
    secured["credentialSubject"] = {**secured["credentialSubject"], "sailNumber": "Mars1"}

    with pytest.raises(Refusal):
        verify(derive(["/credentialSubject/sailNumber"], secured))


def test_the_suite_is_for_p_256_alone_and_needs_its_own_way_of_signing():
    for key_type in (KeyType.ED25519, KeyType.P384):
        with pytest.raises(ProofNotValid):
            add_base_proof(
                DOCUMENT,
                signer=signer(key_type),
                created=NOW,
                purpose="assertionMethod",
                contexts=bundled(),
                random=counting_random(),
            )
    with pytest.raises(ProofMalformed):
        add_proof(
            DOCUMENT,
            signer=signer(KeyType.P256),
            cryptosuite="ecdsa-sd-2023",
            created=NOW,
            purpose="assertionMethod",
            contexts=bundled(),
        )


def test_what_is_selected_whole_is_copied_once(monkeypatch):
    document = {"@context": [], "a": {"b": [{"c": "x"}, "y"], "d": "z"}, "e": "other"}
    copied: list[object] = []
    plain = copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda value: copied.append(value) or plain(value))

    selected = select(document, ["/a/b/0/c", "/a", "/a", "/a/b", "/a/d"] * 50)

    assert selected == {"@context": [], "a": document["a"]}
    assert copied == [[], document["a"]]
    with pytest.raises(PointerLeadsNowhere):
        select(document, ["/a", "/a/nothing"])


def test_names_kept_for_the_suite_are_refused_in_documents():
    with pytest.raises(ProofMalformed):
        base(document={**DOCUMENT, "id": "urn:bnid:n0"})
