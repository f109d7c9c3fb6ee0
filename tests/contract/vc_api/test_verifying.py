"""Section 4 of the contract: `credentials/verify`, line by line."""

import copy
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest

from identity.core.data_integrity import add_base_proof
from registry.core.encoding import base64url_encode, multibase_decode
from tests.contract.vc_api.suite import (
    ABSENT,
    EXAMPLES,
    V2,
    VERIFIERS,
    Suite,
    changed,
    now,
    with_proof,
)

SIGNED_ODD = {
    "type other than DataIntegrityProof": {"type": "Ed25519Signature2020"},
    "type unknown": {"type": "UnknownProofType"},
    "type missing": {"type": ABSENT},
    "cryptosuite unknown": {"cryptosuite": "UnknownCryptosuite"},
    "cryptosuite of another kind of key": {"cryptosuite": "ecdsa-rdfc-2019"},
    "cryptosuite missing": {"cryptosuite": ABSENT},
    "verificationMethod missing": {"verificationMethod": ABSENT},
    "verificationMethod does not resolve": {"verificationMethod": "did:key:invalidVm"},
    "verificationMethod of an unknown method": {"verificationMethod": "did:example:x#y"},
    "verificationMethod not of that DID": {
        "verificationMethod": "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH#other"
    },
    "proofPurpose missing": {"proofPurpose": ABSENT},
    "proofPurpose other than assertionMethod": {"proofPurpose": "authentication"},
    "proofPurpose unknown": {"proofPurpose": "https://e.example/#purpose"},
    "created no date": {"created": "invalidDate"},
    "created without offset": {"created": "2024-01-01T00:00:00"},
    "expires no date": {"expires": "never"},
    "expires without offset": {"expires": "2099-01-01T00:00:00"},
    "expires in the past": {"expires": "2024-01-01T00:00:01Z"},
}


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("name", SIGNED_ODD)
def test_refused_though_signed(suite: Suite, name: str, party: str):
    changes = {key: value for key, value in SIGNED_ODD[name].items() if value is not ABSENT}
    absent = {key: ABSENT for key, value in SIGNED_ODD[name].items() if value is ABSENT}
    try:
        document = suite.sign_odd(suite.credential(), **changes, **absent)
    except Exception:
        document = with_proof(suite.issued(), **changes, **absent)

    assert not suite.verify(document, party).is_verified


def test_the_maker_of_odd_proofs_makes_even_ones_too(suite: Suite):
    for changes in ({}, {"created": ABSENT}, {"expires": now(hours=1)}, {"nonce": "n"}):
        assert suite.verify(suite.sign_odd(suite.credential(), **changes)).is_verified


UNSIGNED_ODD = {
    "proof missing": ABSENT,
    "proof null": None,
    "proof a text": "z123",
    "proof an empty array": [],
    "proof an array with a text": ["z123"],
    "proof an empty object": {},
}


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("name", UNSIGNED_ODD)
def test_refused_proof_missing_or_not_an_object_or_array_of_objects(
    suite: Suite, name: str, party: str
):
    document = changed(suite.issued(), proof=UNSIGNED_ODD[name])

    assert not suite.verify(document, party).is_verified


ONE_VALUE = ("eddsa-rdfc-2022", "eddsa-jcs-2022", "ecdsa-rdfc-2019-p384", "ecdsa-jcs-2019-p256")


@pytest.mark.parametrize("instance", ONE_VALUE)
def test_refused_proof_value_missing_null_or_without_its_multibase_prefix(
    suite: Suite, instance: str
):
    document = suite.issued(instance)
    value = document["proof"]["proofValue"]
    other = "u" + base64url_encode(multibase_decode(value))
    for bad in (ABSENT, None, 7, "", "z", value[1:], other, value + "0", value[:-2], "a" + value):
        assert not suite.verify(with_proof(document, proofValue=bad)).is_verified
    for name, bad_member in (("cryptosuite", "none"), ("created", now(hours=-5))):
        assert not suite.verify(with_proof(document, **{name: bad_member})).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("instance", [*ONE_VALUE, "ecdsa-rdfc-2019-p256", "ecdsa-jcs-2019-p384"])
def test_refused_any_change_and_any_other_key(suite: Suite, instance: str, party: str):
    document = suite.issued(instance)
    other = suite.signer("status" if instance.startswith("eddsa") else "enveloped")
    for bad in (
        changed(document, credentialSubject={"id": "did:example:eve", "degree": {}}),
        changed(document, validFrom="2024-01-01T00:00:01Z"),
        changed(document, id=ABSENT),
        changed(document, name="More"),
        with_proof(document, verificationMethod=other.verification_method),
    ):
        assert not suite.verify(bad, party).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize(
    "added",
    [
        {"undefinedTerm": "x"},
        {"credentialSubject": {"id": "urn:a:b", "undefinedTerm": "x"}},
        {"type": ["VerifiableCredential", "UndefinedType"]},
        {"evidence": {"id": "relative/url", "type": "https://e.example/#T"}},
        {"credentialSubject": {"id": "relative", "type": "https://e.example/#T"}},
    ],
)
def test_refused_undefined_terms_types_and_relative_urls_added_after_signing(
    suite: Suite, party: str, added: Any
):
    document = suite.issued(
        **{
            "@context": [V2],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "urn:a:b"},
        }
    )
    assert suite.verify(document, party).is_verified

    assert not suite.verify(changed(document, **added), party).is_verified


def test_refused_undefined_terms_even_when_jcs_signs_them(suite: Suite):
    for added in ({"undefinedTerm": "x"}, {"type": ["VerifiableCredential", "Undefined"]}):
        document = suite.credential(
            "eddsa-jcs-2022",
            **{
                "@context": [V2],
                "type": ["VerifiableCredential"],
                "credentialSubject": {"id": "urn:a:b"},
                **added,
            },
        )

        assert not suite.verify(suite.sign(document, "eddsa-jcs-2022")).is_verified


@pytest.mark.parametrize(
    ("stated", "expected", "is_verified"),
    [
        ({"domain": "a.example", "challenge": "c"}, {"domain": "a.example"}, True),
        ({"domain": "a.example", "challenge": "c"}, {"challenge": "c"}, True),
        ({"domain": "a.example", "challenge": "c"}, {}, True),
        ({"domain": "a.example", "challenge": "c"}, {"domain": "b.example"}, False),
        ({"domain": "a.example", "challenge": "c"}, {"challenge": "d"}, False),
        ({"domain": "a.example"}, {"domain": "a.example", "challenge": "d"}, False),
        ({}, {"domain": "a.example"}, False),
        ({}, {"challenge": "c"}, False),
        ({}, {"domain": 7}, False),
    ],
)
@pytest.mark.parametrize("party", VERIFIERS)
def test_domain_and_challenge_when_given_must_equal_the_proofs(
    suite: Suite, stated: Any, expected: Any, is_verified: bool, party: str
):
    document = suite.sign(suite.credential(), **stated)

    assert suite.verify(document, party, options=expected).is_verified is is_verified


def test_another_expected_purpose_is_refused(suite: Suite):
    document = suite.issued()

    for purpose, outcome in (("assertionMethod", True), ("authentication", False)):
        answer = suite.verify(document, options={"expectedProofPurpose": purpose})
        assert answer.is_verified is outcome


def test_proof_sets_every_proof_must_verify(suite: Suite):
    first = suite.sign(suite.credential())
    both = suite.sign(first)
    assert len(both["proof"]) == 2
    assert suite.verify(both).is_verified
    assert suite.verify(changed(both, proof=both["proof"][::-1])).is_verified

    for index in (0, 1):
        broken = copy.deepcopy(both)
        broken["proof"][index]["created"] = "2024-01-01T00:00:00Z"
        assert not suite.verify(broken).is_verified


def test_a_proof_of_somebody_else_in_the_set_is_for_proof_only(suite: Suite):
    both = suite.sign(suite.sign(suite.credential()), "ecdsa-rdfc-2019-p256")

    assert not suite.verify(both).is_verified
    assert suite.verify(both, "proof-only").is_verified


@pytest.mark.parametrize("as_array", [False, True])
def test_proof_chains(suite: Suite, as_array: bool):
    first = suite.sign(suite.credential(), id="urn:uuid:first")
    previous = ["urn:uuid:first"] if as_array else "urn:uuid:first"
    chain = suite.sign(first, id="urn:uuid:second", previousProof=previous)
    longer = suite.sign(chain, previousProof=["urn:uuid:first", "urn:uuid:second"])
    assert suite.verify(chain).is_verified
    assert suite.verify(longer).is_verified

    missing: list[Any] = ["urn:uuid:gone", ["urn:uuid:first", "urn:uuid:gone"], [], 7, {"a": 1}]
    for name in missing:
        broken = copy.deepcopy(chain)
        broken["proof"][1]["previousProof"] = name
        assert not suite.verify(broken).is_verified
    without = copy.deepcopy(chain)
    del without["proof"][0]
    assert not suite.verify(without).is_verified
    replaced = copy.deepcopy(chain)  # the earlier proof is part of what the later one signs
    replaced["proof"][0] = suite.sign(suite.credential(), id="urn:uuid:first", nonce="another")[
        "proof"
    ]
    assert not suite.verify(replaced).is_verified
    unchained = copy.deepcopy(chain)
    del unchained["proof"][1]["previousProof"]
    assert not suite.verify(unchained).is_verified


SD = ("ecdsa-sd-2023", "bbs-2023")


def base_of(suite: Suite, instance: str = "ecdsa-sd-2023", **changes: Any) -> Any:
    return suite.issued(instance, **changes)


def derived_of(suite: Suite, instance: str = "ecdsa-sd-2023") -> Any:
    return suite.derive(base_of(suite, instance), ["/credentialSubject"]).credential


@pytest.mark.parametrize("instance", SD)
@pytest.mark.parametrize("party", VERIFIERS)
def test_sd_base_proofs_are_refused(suite: Suite, party: str, instance: str):
    assert not suite.verify(base_of(suite, instance), party).is_verified
    assert suite.verify(derived_of(suite, instance), party).is_verified


def recoded(value: str, change: Any) -> str:
    data = multibase_decode(value)
    components = cbor2.loads(data[3:])
    change(components)
    return "u" + base64url_encode(data[:3] + cbor2.dumps(components))


def _drop(index: int) -> Any:
    return lambda parts: parts.pop(index)


def _put(index: int, value: Any) -> Any:
    return lambda parts: parts.__setitem__(index, value)


CBOR = {
    "fewer elements": _drop(4),
    "one element more": lambda parts: parts.append(b""),
    "a base signature of another length": _put(0, bytes(63)),
    "a base signature that is none": _put(0, bytes(64)),
    "a key of another length": _put(1, bytes(35)),
    "a key with another header": _put(1, b"\xed\x01" + bytes(33)),
    "signatures no array": _put(2, {}),
    "one signature too many": lambda parts: parts[2].append(bytes(64)),
    "one signature too few": lambda parts: parts[2].pop(),
    "a signature of another length": lambda parts: parts[2].__setitem__(0, bytes(63)),
    "labels no map": _put(3, []),
    "a label that is no bytes": lambda parts: parts[3].__setitem__(0, "not bytes"),
    "a label of another length": lambda parts: parts[3].__setitem__(0, bytes(31)),
    "one label too many": lambda parts: parts[3].__setitem__(99, bytes(32)),
    "indexes no array": _put(4, "0"),
    "an index that is a text": lambda parts: parts[4].__setitem__(0, "0"),
    "an index beyond the statements": lambda parts: parts[4].append(999),
    "a negative index": lambda parts: parts[4].append(-1),
    "a tag": lambda parts: parts.__setitem__(0, cbor2.CBORTag(64, parts[0])),
}


BBS_CBOR = {
    "fewer elements": _drop(4),
    "one element more": lambda parts: parts.append(b""),
    "a BBS proof cut short": lambda parts: parts.__setitem__(0, parts[0][:-32]),
    "a BBS proof that is none": _put(0, bytes(400)),
    "a BBS proof that is no bytes": _put(0, "text"),
    "a BBS proof made longer": lambda parts: parts.__setitem__(0, parts[0] + b"\1" * 32),
    "labels no map": _put(1, []),
    "a label that is no number": lambda parts: parts[1].__setitem__(0, "b0"),
    "one label too many": lambda parts: parts[1].__setitem__(99, 99),
    "indexes no array": _put(2, "0"),
    "an index that is a text": lambda parts: parts[2].__setitem__(0, "0"),
    "an index beyond the statements": lambda parts: parts[2].append(999),
    "a negative index": lambda parts: parts[2].append(-1),
    "selected indexes no array": _put(3, {}),
    "a selected index beyond the messages": lambda parts: parts[3].append(999),
    "a selected index twice": lambda parts: parts[3].append(parts[3][-1]),
    "another presentation header": _put(4, b"x"),
    "a presentation header that is no bytes": _put(4, "x"),
    "a tag": lambda parts: parts.__setitem__(0, cbor2.CBORTag(64, parts[0])),
}


@pytest.mark.parametrize("name", BBS_CBOR)
def test_bbs_wrong_cbor_elements_or_counts(suite: Suite, name: str):
    document = derived_of(suite, "bbs-2023")
    value = document["proof"]["proofValue"]
    assert suite.verify(with_proof(document, proofValue=recoded(value, id))).is_verified
    bad = with_proof(document, proofValue=recoded(value, BBS_CBOR[name]))

    assert not suite.verify(bad).is_verified


@pytest.mark.parametrize("name", CBOR)
def test_sd_wrong_cbor_elements_or_counts(suite: Suite, name: str):
    document = derived_of(suite)
    value = document["proof"]["proofValue"]
    bad = with_proof(document, proofValue=recoded(value, CBOR[name]))

    assert not suite.verify(bad).is_verified


@pytest.mark.parametrize("instance", SD)
def test_sd_wrong_header_or_prefix(suite: Suite, instance: str):
    document = derived_of(suite, instance)
    value = document["proof"]["proofValue"]
    data = multibase_decode(value)
    for bad in (
        value[1:],
        "a",
        "z" + value[1:],
        value[:1] + value[4:],
        "u" + base64url_encode(b"\xd9\x5d\x00" + data[3:]),
        "u" + base64url_encode(b"\xd9\x5d\x02" + data[3:]),
        "u" + base64url_encode(b"\xd9\x5d\x05" + data[3:]),
        "u" + base64url_encode(b"\xd9\x5d\x07" + data[3:]),
        "u" + base64url_encode(b"\xd9\x5d\x09" + data[3:]),
        "u" + base64url_encode(data[:3]),
        "u" + base64url_encode(data + b"\x00"),
        None,
        ABSENT,
    ):
        assert not suite.verify(with_proof(document, proofValue=bad)).is_verified


@pytest.mark.parametrize("instance", SD)
def test_sd_modified_disclosures(suite: Suite, instance: str):
    document = derived_of(suite, instance)
    eve = {**document["credentialSubject"], "id": "urn:invalid"}
    for bad in (
        changed(document, credentialSubject=eve),
        changed(document, name="x"),
        with_proof(document, cryptosuite="invalid-cryptosuite"),
        with_proof(document, created="2024-01-01T00:00:00Z"),
    ):
        assert not suite.verify(bad).is_verified


@pytest.mark.parametrize("secured_by", SD)
def test_sd_refused_with_a_key_of_another_curve_or_issuer(suite: Suite, secured_by: str):
    document = derived_of(suite, secured_by)
    for instance in ("ecdsa-rdfc-2019-p256", "ecdsa-rdfc-2019-p384", "eddsa-rdfc-2022"):
        method = suite.signer(instance).verification_method
        assert not suite.verify(with_proof(document, verificationMethod=method)).is_verified


@pytest.mark.parametrize(
    ("changes", "is_verified"),
    [
        ({"validFrom": "2999-01-01T00:00:00Z"}, False),
        ({"validUntil": "2024-01-02T00:00:00Z"}, False),
        ({"validUntil": "2999-01-01T00:00:00Z"}, True),
        ({"validFrom": ABSENT}, True),
    ],
)
def test_the_validity_period(suite: Suite, changes: Any, is_verified: bool):
    document = suite.issued(**changes)

    assert suite.verify(document).is_verified is is_verified
    assert suite.verify(document, "proof-only").is_verified  # published vectors expire


def test_issuer_binding_strict_by_default_and_proof_only_by_name(suite: Suite):
    document = suite.sign(suite.credential(issuer="https://issuer.example"))

    assert not suite.verify(document, "conformance").is_verified
    assert suite.verify(document, "proof-only").is_verified

    other = suite.sign(suite.credential(issuer=suite.did("status")))
    assert not suite.verify(other, "conformance").is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_what_is_no_credential(suite: Suite, party: str):
    documents: list[Any] = [
        {},
        {"type": ["NonconformingDocument"]},
        suite.credential(),
        "eyJ.e30.x",
        {"@context": [V2, EXAMPLES], "type": "EnvelopedVerifiableCredential"},
    ]
    for document in documents:
        assert not suite.verify(document, party).is_verified


ENVELOPES = {
    "@context empty": {"@context": []},
    "@context another": {"@context": EXAMPLES},
    "@context missing": {"@context": ABSENT},
    "type missing": {"type": ABSENT},
    "type another": {"type": "VerifiableCredential"},
    "type a presentation's": {"type": "EnvelopedVerifiablePresentation"},
    "id missing": {"id": ABSENT},
    "id null": {"id": None},
    "id no data URL": {"id": "https://e.example/"},
    "id of another media type": {"id": "data:application/json,{}"},
    "id without a JWS": {"id": "data:application/vc+jwt,e30"},
}


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("name", ENVELOPES)
def test_enveloped_context_type_and_data_url(suite: Suite, name: str, party: str):
    envelope = suite.issued("enveloped")
    assert suite.verify(envelope, party).is_verified

    assert not suite.verify(changed(envelope, **ENVELOPES[name]), party).is_verified


def test_enveloped_the_jws_alone_is_no_envelope(suite: Suite):
    envelope = suite.issued("enveloped")

    text = envelope["id"].partition(",")[2]
    assert not suite.verify(changed(envelope, id=text)).is_verified
    assert not suite.verify(changed(envelope, id=envelope["id"][:-2])).is_verified
    head, _, signature = text.split(".")
    other = suite.issued("enveloped", name="Other")["id"].split(".")[1]
    assert not suite.verify(
        changed(envelope, id=f"data:application/vc+jwt,{head}.{other}.{signature}")
    ).is_verified


def test_enveloped_strictness_goes_by_media_type(suite: Suite):
    """Section 8: VCDM 1.1 style in `application/jwt` verifies, in `application/vc+jwt` not."""
    document, issuer = suite.credential("enveloped"), suite.did("enveloped")
    old = {"iss": issuer, "jti": document["id"], "sub": "did:example:alice", "vc": document}
    media = "application/jwt"

    assert suite.verify(suite.envelope(old, typ="JWT", media_type=media)).is_verified
    assert suite.verify(
        suite.envelope({**old, "vc": changed(document, issuer=ABSENT)}, typ="JWT", media_type=media)
    ).is_verified
    for bad in (
        suite.envelope(old),  # vc+jwt with a vc claim
        suite.envelope(old, typ="JWT"),
        suite.envelope(document, typ="JWT"),
        suite.envelope(document, media_type=media),
        suite.envelope(document, typ="JWT", media_type=media),
        suite.envelope(old, media_type=media),
        suite.envelope({**old, "iss": "did:example:x"}, typ="JWT", media_type=media),
        suite.envelope({**old, "jti": "urn:a:b"}, typ="JWT", media_type=media),
        suite.envelope({**old, "sub": "urn:a:b"}, typ="JWT", media_type=media),
        suite.envelope({**old, "exp": 1}, typ="JWT", media_type=media),
        suite.envelope({**old, "vc": "x"}, typ="JWT", media_type=media),
        suite.envelope({**document, "vp": {}}),
        suite.envelope({**document, "iss": "did:example:x"}),
        suite.envelope({**document, "exp": 1}),
        suite.envelope({**document, "nbf": 1 << 40}),
        suite.envelope({**document, "exp": "soon"}),
        suite.envelope(document, typ="vp+jwt"),
        suite.envelope(document, typ="dc+sd-jwt"),
        suite.envelope(document, kid="did:example:x#y"),
        suite.envelope(document, kid=suite.signer("status").verification_method),
    ):
        assert not suite.verify(bad).is_verified, bad
    assert suite.verify(suite.envelope({**document, "iss": issuer, "iat": 1})).is_verified


def test_a_base_proof_with_tags_or_another_key_length_is_not_derived_from(suite: Suite):
    document = base_of(suite)
    value = document["proof"]["proofValue"]
    for change in (_put(2, bytes(31)), _drop(4), _put(4, [7]), _put(4, ["/nothing"])):
        bad = with_proof(document, proofValue=recoded(value, change))
        suite.derive(bad, ["/credentialSubject"]).must_refuse()


def test_a_base_proof_by_a_stranger_is_derived_and_judged_like_ours(suite: Suite):
    """Holders derive from whatever they hold; nothing but the key tells whose it is."""
    signer = suite.signer("ecdsa-rdfc-2019-p256")
    document = add_base_proof(
        suite.credential("ecdsa-rdfc-2019-p256"),
        signer=signer,
        created=datetime.now(UTC),
        purpose="assertionMethod",
        contexts=suite.contexts,
        random=bytes,
    )

    assert suite.verify(suite.derive(document, ["/credentialSubject/id"]).credential).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_what_was_verified_comes_back_when_asked_for(suite: Suite, party: str):
    """VCALM: `returnCredential` and `returnPresentation`; otherwise it is not returned."""
    good, bad = suite.issued(), changed(suite.issued(), name="tampered")
    for document in (good, bad):
        answer = suite.verify(document, party, options={"returnCredential": True})
        assert answer.body["credential"] == document
        shown = suite.presentation(document)
        answer = suite.verify_presentation(shown, party, options={"returnPresentation": True})
        assert answer.body["verifiablePresentation"] == shown
        for option in (False, None, "true"):
            answer = suite.verify(document, party, options={"returnCredential": option})
            assert "credential" not in answer.body
        options = {"returnCredential": True}
        answer = suite.verify_presentation(shown, party, options=options)
        assert "verifiablePresentation" not in answer.body
