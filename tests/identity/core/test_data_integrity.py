"""Data Integrity: a good proof, and every way in which it can be about something else."""

import copy
from datetime import UTC, datetime, timedelta

import pytest

from identity.core.data_integrity import (
    CRYPTOSUITES,
    MAX_PROOFS,
    CryptosuiteNotKnown,
    ProofMalformed,
    ProofNotValid,
    add_proof,
    verify_proofs,
)
from registry.core.encoding import base58_encode, base64url_encode
from registry.core.keys import KeyType, SignatureNotValid
from registry.core.refusals import Malformed, NotPermitted, Refusal
from tests.identity.core.contexts import bundled
from tests.identity.core.signers import resolve_did_key, signer

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DOCUMENT = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://www.w3.org/ns/credentials/examples/v2",
    ],
    "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
    "type": ["VerifiableCredential", "AlumniCredential"],
    "issuer": "https://vc.example/issuers/5678",
    "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
}
SUITES = [
    ("eddsa-rdfc-2022", KeyType.ED25519),
    ("eddsa-jcs-2022", KeyType.ED25519),
    ("ecdsa-rdfc-2019", KeyType.P256),
    ("ecdsa-jcs-2019", KeyType.P256),
    ("ecdsa-rdfc-2019", KeyType.P384),
    ("ecdsa-jcs-2019", KeyType.P384),
]
each_suite = pytest.mark.parametrize(("suite", "key_type"), SUITES)


def secure(
    document=DOCUMENT,
    *,
    suite="eddsa-jcs-2022",
    key_type=KeyType.ED25519,
    number=1,
    purpose="assertionMethod",
    **options,
):
    return add_proof(
        document,
        signer=signer(key_type, number),
        cryptosuite=suite,
        created=NOW,
        purpose=purpose,
        contexts=bundled(),
        options=options,
    )


def verify(document, *, purpose="assertionMethod", now=NOW, domain=None, challenge=None):
    return verify_proofs(
        document,
        purpose=purpose,
        resolve_key=resolve_did_key,
        contexts=bundled(),
        now=now,
        domain=domain,
        challenge=challenge,
    )


@each_suite
def test_there_and_back(suite, key_type):
    (verified,) = verify(secure(suite=suite, key_type=key_type))

    assert verified.cryptosuite == suite
    assert verified.key == signer(key_type).key
    assert verified.created == NOW
    assert verified.purpose == "assertionMethod"


@each_suite
@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["credentialSubject"].update(alumniOf="Another School"),
        lambda d: d["credentialSubject"].update(degree="PhD"),
        lambda d: d["credentialSubject"].pop("alumniOf"),
        lambda d: d.update(issuer="https://vc.example/issuers/5679"),
        lambda d: d["type"].append("DegreeCredential"),
        lambda d: d["proof"].update(created="2026-05-01T12:00:01Z"),
        lambda d: d["proof"].update(nonce="added"),
        lambda d: d["proof"].update(domain="added.example"),
        lambda d: d["proof"].update(expires="2099-01-01T00:00:00Z"),
        lambda d: d["proof"].update(id="urn:uuid:added"),
        lambda d: d["proof"].pop("created"),
    ],
)
def test_any_change_to_document_or_proof_is_noticed(suite, key_type, change):
    document = copy.deepcopy(secure(suite=suite, key_type=key_type))
    verify(document)
    change(document)

    with pytest.raises((SignatureNotValid, ProofNotValid)):
        verify(document)


@each_suite
def test_an_undefined_term_added_after_signing_is_noticed(suite, key_type):
    document = secure(
        {
            **DOCUMENT,
            "@context": DOCUMENT["@context"][:1],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "did:example:abcdefgh"},
        },
        suite=suite,
        key_type=key_type,
    )
    verify(document)
    document["credentialSubject"]["clearance"] = "top secret"

    with pytest.raises(Refusal):
        verify(document)


@each_suite
def test_another_key_is_noticed(suite, key_type):
    document = secure(suite=suite, key_type=key_type)
    document["proof"]["verificationMethod"] = signer(key_type, 2).verification_method

    with pytest.raises(SignatureNotValid):
        verify(document)


def test_a_proof_under_one_suite_is_none_under_another():
    document = secure(suite="eddsa-jcs-2022")
    document["proof"]["cryptosuite"] = "eddsa-rdfc-2022"

    with pytest.raises(Refusal):
        verify(document)


@pytest.mark.parametrize(
    ("suite", "key_type"),
    [
        ("eddsa-jcs-2022", KeyType.P256),
        ("eddsa-rdfc-2022", KeyType.P384),
        ("ecdsa-jcs-2019", KeyType.ED25519),
        ("ecdsa-rdfc-2019", KeyType.ED25519),
    ],
)
def test_a_suite_has_its_own_types_of_key(suite, key_type):
    with pytest.raises(ProofNotValid):
        secure(suite=suite, key_type=key_type)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("proof"),
        lambda d: d.update(proof=None),
        lambda d: d.update(proof=[]),
        lambda d: d.update(proof="x"),
        lambda d: d.update(proof=[d["proof"], "x"]),
        lambda d: d.update(proof=[[d["proof"]]]),
        lambda d: d["proof"].update(type="Ed25519Signature2020"),
        lambda d: d["proof"].update(type=["DataIntegrityProof"]),
        lambda d: d["proof"].pop("type"),
        lambda d: d["proof"].pop("cryptosuite"),
        lambda d: d["proof"].update(cryptosuite="eddsa-jcs-2099"),
        lambda d: d["proof"].update(cryptosuite=["eddsa-jcs-2022"]),
        lambda d: d["proof"].pop("verificationMethod"),
        lambda d: d["proof"].update(verificationMethod={"id": "x"}),
        lambda d: d["proof"].update(verificationMethod=""),
        lambda d: d["proof"].pop("proofPurpose"),
        lambda d: d["proof"].update(proofPurpose=5),
        lambda d: d["proof"].pop("proofValue"),
        lambda d: d["proof"].update(proofValue=None),
        lambda d: d["proof"].update(proofValue=""),
        lambda d: d["proof"].update(proofValue=d["proof"]["proofValue"][1:]),
        lambda d: d["proof"].update(proofValue="u" + base64url_encode(bytes(64))),
        lambda d: d["proof"].update(proofValue="z0"),
        lambda d: d["proof"].update(proofValue="z" + "1" * 10_000),
        lambda d: d["proof"].update(created="2026-05-01"),
        lambda d: d["proof"].update(created="2026-05-01T12:00:00"),
        lambda d: d["proof"].update(created=5),
        lambda d: d["proof"].update(expires="soon"),
        lambda d: d["proof"].update(expires=None),
        lambda d: d["proof"].update(challenge=5),
        lambda d: d["proof"].update(challenge=""),
        lambda d: d["proof"].update(domain=[]),
        lambda d: d["proof"].update(domain=[5]),
        lambda d: d["proof"].update(nonce={}),
        lambda d: d["proof"].update(id=5),
        lambda d: d["proof"].update(previousProof=[]),
        lambda d: d["proof"].update(previousProof=None),
        lambda d: d["proof"].update(previousProof="urn:not-there"),
        lambda d: d.update(proof=[d["proof"]] * (MAX_PROOFS + 1)),
    ],
)
def test_proofs_that_are_not_well_formed_are_refused(change):
    document = copy.deepcopy(secure())
    verify(document)
    change(document)

    with pytest.raises((ProofMalformed, CryptosuiteNotKnown)):
        verify(document)


@pytest.mark.parametrize("length", [0, 63, 65, 96])
def test_signatures_of_another_length_are_refused(length):
    document = secure()
    document["proof"]["proofValue"] = "z" + base58_encode(bytes(length))

    with pytest.raises(SignatureNotValid):
        verify(document)


def test_a_proof_is_for_one_purpose():
    document = secure(purpose="authentication", challenge="c", domain="d")
    verify(document, purpose="authentication", challenge="c", domain="d")

    with pytest.raises(ProofNotValid, match="purpose"):
        verify(document)


def test_the_resolver_hears_the_purpose_and_may_refuse():
    heard = []

    def resolve(method, purpose):
        heard.append((method, purpose))
        raise NotPermitted("not for this")

    with pytest.raises(NotPermitted):
        verify_proofs(
            secure(),
            purpose="assertionMethod",
            resolve_key=resolve,
            contexts=bundled(),
            now=NOW,
            domain=None,
            challenge=None,
        )
    assert heard == [(signer().verification_method, "assertionMethod")]


@pytest.mark.parametrize("value", [None, "other", "C"])
def test_the_challenge_must_be_ours(value):
    options = {} if value is None else {"challenge": value}
    document = secure(purpose="authentication", **options)

    with pytest.raises(ProofNotValid, match="challenge"):
        verify(document, purpose="authentication", challenge="c")


@pytest.mark.parametrize("value", [None, "other", ["d", "other"]])
def test_the_domain_must_be_ours_alone(value):
    options = {} if value is None else {"domain": value}
    document = secure(purpose="authentication", **options)

    with pytest.raises(ProofNotValid, match="domain"):
        verify(document, purpose="authentication", domain="d")


def test_a_proof_expires():
    document = secure(expires="2026-05-01T12:00:10Z")
    verify(document, now=NOW + timedelta(seconds=9))

    with pytest.raises(ProofNotValid, match="expired"):
        verify(document, now=NOW + timedelta(seconds=10))


# Sets and chains


@each_suite
def test_every_proof_of_a_set_must_verify(suite, key_type):
    document = secure(secure(), suite=suite, key_type=key_type, number=2)
    assert len(verify(document)) == 2

    for number in (0, 1):
        broken = copy.deepcopy(document)
        value = broken["proof"][number]["proofValue"]
        broken["proof"][number]["proofValue"] = value[:-1] + ("1" if value[-1] != "1" else "2")
        with pytest.raises(Refusal):
            verify(broken)


@each_suite
def test_a_chain_signs_the_proofs_before_it(suite, key_type):
    first = secure(suite="eddsa-rdfc-2022", id="urn:uuid:1")
    document = secure(first, suite=suite, key_type=key_type, number=2, previousProof="urn:uuid:1")
    assert len(verify(document)) == 2

    replaced = copy.deepcopy(document)
    other = secure(suite="eddsa-rdfc-2022", number=3, id="urn:uuid:1")
    replaced["proof"][0] = other["proof"]
    with pytest.raises(SignatureNotValid):
        verify(replaced)

    shortened = copy.deepcopy(document)
    del shortened["proof"][0]
    with pytest.raises(ProofMalformed):
        verify(shortened)


def test_a_proof_cannot_be_its_own_predecessor_and_ids_are_unique():
    with pytest.raises(ProofMalformed):
        secure(id="urn:uuid:1", previousProof="urn:uuid:1")
    with pytest.raises(ProofMalformed):
        secure(secure(id="urn:uuid:1"), id="urn:uuid:1")
    with pytest.raises(ProofMalformed):
        secure(secure(id="urn:uuid:1"), previousProof=["urn:uuid:1", "urn:uuid:1"])


# Contexts


def test_contexts_may_follow_those_that_a_jcs_proof_signed():
    document = secure(suite="eddsa-jcs-2022")
    appended = copy.deepcopy(document)
    appended["@context"].append("https://w3id.org/security/data-integrity/v2")
    verify(appended)

    for contexts in (
        ["https://w3id.org/security/data-integrity/v2", *document["@context"]],
        document["@context"][:1],
        document["@context"][::-1],
    ):
        with pytest.raises((ProofNotValid, SignatureNotValid)):
            verify({**document, "@context": contexts})


def test_a_document_without_the_definition_of_a_proof_gets_it():
    document = {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": ["VerifiableCredential"],
        "issuer": "did:example:issuer",
        "issuanceDate": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:subject"},
    }

    secured = secure(document, suite="eddsa-rdfc-2022")

    assert secured["@context"] == [
        "https://www.w3.org/2018/credentials/v1",
        "https://w3id.org/security/data-integrity/v2",
    ]
    assert document["@context"] == ["https://www.w3.org/2018/credentials/v1"]
    verify(secured)


def test_what_is_given_is_left_as_it_is():
    before = copy.deepcopy(DOCUMENT)
    first = secure()
    copied = copy.deepcopy(first)
    secure(first, number=2)

    assert before == DOCUMENT
    assert first == copied


def test_unknown_options_and_suites_are_refused():
    with pytest.raises(ProofMalformed):
        secure(proofValue="z")
    with pytest.raises(ProofMalformed):
        secure(verificationMethod="did:example:other")
    with pytest.raises(CryptosuiteNotKnown):
        secure(suite="eddsa-2099")
    assert {suite for suite, _ in SUITES} <= set(CRYPTOSUITES)


def test_a_document_that_loses_something_is_not_signed_under_rdfc():
    with pytest.raises(Malformed):
        secure({**DOCUMENT, "id": "relative"}, suite="eddsa-rdfc-2022")


def test_a_moment_without_offset_is_refused():
    with pytest.raises(Malformed):
        add_proof(
            DOCUMENT,
            signer=signer(),
            cryptosuite="eddsa-jcs-2022",
            created=datetime(2026, 1, 1),  # noqa: DTZ001
            purpose="assertionMethod",
            contexts=bundled(),
        )
