"""Section 5 of the contract: `presentations/verify` and `credentials/derive`."""

from typing import Any

import pytest

from tests.contract.vc_api.suite import ABSENT, EXAMPLES, V1, V2, VERIFIERS, Suite, changed

BINDING = {"domain": "verifier.example", "challenge": "c-1"}


def signed(suite: Suite, presentation: Any, **options: Any) -> Any:
    return suite.sign(presentation, "eddsa-rdfc-2022", "authentication", **options)


@pytest.mark.parametrize("party", VERIFIERS)
def test_with_a_proof_domain_and_challenge(suite: Suite, party: str):
    presentation = signed(suite, suite.presentation(suite.issued()), **BINDING)

    assert suite.verify_presentation(presentation, party).is_verified
    assert suite.verify_presentation(presentation, party, options=BINDING).is_verified
    assert suite.verify_presentation(presentation, party, options={"challenge": "c-1"}).is_verified
    for other in ({"domain": "other.example"}, {"challenge": "c-2"}):
        options = {**BINDING, **other}
        assert not suite.verify_presentation(presentation, party, options=options).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_without_a_proof_it_is_judged_on_form_and_its_credentials(suite: Suite, party: str):
    good, bad = suite.issued(), changed(suite.issued(), name="tampered")

    assert suite.verify_presentation(suite.presentation(good), party).is_verified
    assert not suite.verify_presentation(suite.presentation(bad), party).is_verified
    assert not suite.verify_presentation(suite.presentation(good, bad), party).is_verified
    unproven = suite.verify_presentation(suite.presentation(good), party, options=BINDING)
    assert not unproven.is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_the_proof_is_judged(suite: Suite, party: str):
    presentation = suite.presentation(suite.issued())
    proven = signed(suite, presentation, **BINDING)
    for bad in (
        changed(proven, holder="did:example:eve"),
        changed(proven, verifiableCredential=[suite.issued(name="another")]),
        changed(proven, proof=changed(proven["proof"], challenge="c-2")),
        changed(proven, proof=None),
        changed(proven, proof=[]),
        suite.sign(presentation, "eddsa-rdfc-2022", "assertionMethod", **BINDING),
    ):
        assert not suite.verify_presentation(bad, party).is_verified


REFUSED: dict[str, Any] = {
    "@context missing": {"@context": ABSENT},
    "@context without the base context": {"@context": [EXAMPLES]},
    "@context base context not first": {"@context": [EXAMPLES, V2]},
    "@context item no URL": {"@context": [V2, "https ://not-a-url/contexts/example/v1"]},
    "@context item a number": {"@context": [V2, 123192875]},
    "@context unknown": {"@context": [V2, "https://e.example/context"]},
    "type missing": {"type": ABSENT},
    "type without VerifiablePresentation": {"type": ["Presentation"]},
    "type unmapped": {"type": ["VerifiablePresentation", "Unmapped"]},
    "id no URL": {"id": "presentation"},
    "id several": {"id": ["urn:a:1", "urn:a:2"]},
    "holder no URL": {"holder": "alice"},
    "holder an object without id": {"holder": {"name": "Alice"}},
    "holder a number": {"holder": 4},
    "an undefined term": {"undefinedTerm": "x"},
    "verifiableCredential a text": {"verifiableCredential": "eyJ.e30.x"},
    "verifiableCredential a number": {"verifiableCredential": 4},
    "verifiableCredential with a text": {"verifiableCredential": ["urn:a:1"]},
    "verifiableCredential null": {"verifiableCredential": None},
    "verifiableCredential an empty object": {"verifiableCredential": [{}]},
    "no credential and no proof": {"verifiableCredential": []},
}


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("name", REFUSED)
def test_refused(suite: Suite, name: str, party: str):
    presentation = suite.presentation(suite.issued())

    bad = changed(presentation, **REFUSED[name])

    assert not suite.verify_presentation(bad, party).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize(
    "changes",
    [
        {"@context": [V2, EXAMPLES]},
        {
            "@context": [V2, {"Special": "https://e.example/#Special"}],
            "type": ["VerifiablePresentation", "Special"],
        },
        {"id": "urn:uuid:5d1e8f3e-4a5b-4e57-9c47-000000000001"},
        {"holder": "HOLDER"},
        {"holder": {"id": "HOLDER"}},
        {"verifiableCredential": []},
        {"verifiableCredential": ABSENT},
    ],
)
def test_accepted(suite: Suite, changes: Any, party: str):
    did = suite.did("eddsa-rdfc-2022")
    if "holder" in changes:
        changes = {"holder": {"id": did} if isinstance(changes["holder"], dict) else did}
    presentation = suite.presentation(suite.issued(), **changes)

    assert suite.verify_presentation(signed(suite, presentation, **BINDING), party).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_several_credentials_of_both_models_and_every_kind_of_proof(suite: Suite, party: str):
    base = suite.issued("ecdsa-sd-2023")
    derived = suite.derive(base, ["/credentialSubject"]).credential
    older = suite.issue(suite.older()).credential
    unlinkable = suite.derive(suite.issued("bbs-2023"), ["/credentialSubject"]).credential
    credentials = [
        suite.issued("eddsa-jcs-2022"),
        derived,
        unlinkable,
        older,
        suite.issued("enveloped"),
    ]
    presentation = suite.presentation(*credentials, **{"@context": [V2]})

    assert suite.verify_presentation(presentation, party).is_verified
    assert not suite.verify_presentation(suite.presentation(*credentials, base), party).is_verified


def test_a_presentation_of_data_model_1(suite: Suite):
    older = suite.issue(suite.older()).credential
    presentation = suite.presentation(older, **{"@context": [V1]})

    assert suite.verify_presentation(signed(suite, presentation, **BINDING)).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_whoever_says_it_itself_is_the_holder(suite: Suite, party: str):
    """VCDM 2.0, presentations including holder claims."""
    own = suite.issued()

    for holder, outcome in ((suite.did("eddsa-rdfc-2022"), True), ("did:example:acme", False)):
        presentation = signed(suite, suite.presentation(own, holder=holder), **BINDING)
        assert suite.verify_presentation(presentation, party).is_verified is outcome


@pytest.mark.parametrize("party", VERIFIERS)
@pytest.mark.parametrize("held", [0, 1])
def test_the_holder_is_who_signs(suite: Suite, held: int, party: str):
    """VCALM: the holder matches the verification method of the presentation's proof."""
    others = [suite.issued("ecdsa-jcs-2019-p256")][:held]
    own = suite.did("eddsa-rdfc-2022")
    for holder, outcome in ((own, True), ({"id": own}, True), ("did:example:acme", False)):
        presentation = signed(suite, suite.presentation(*others, holder=holder), **BINDING)
        assert suite.verify_presentation(presentation, party).is_verified is outcome
    # Unsigned, it is a claim that nobody made: judged on form.
    unsigned = suite.presentation(*others, holder="did:example:acme")
    assert suite.verify_presentation(unsigned, party).is_verified is bool(held)


def test_a_credential_without_a_proof_is_none_even_within_a_signed_presentation(suite: Suite):
    presentation = suite.presentation(suite.credential(), holder=suite.did("eddsa-rdfc-2022"))

    assert not suite.verify_presentation(signed(suite, presentation, **BINDING)).is_verified


@pytest.mark.parametrize("times", [2, 8])
@pytest.mark.parametrize("party", VERIFIERS)
def test_the_same_credential_several_times(suite: Suite, party: str, times: int):
    """Nothing in it has an id, so that every blank node has a twin: legal, and quickly named."""
    own = suite.issued(id=ABSENT)
    presentation = suite.presentation(*[own] * times, holder=suite.did("eddsa-rdfc-2022"))

    proven = signed(suite, presentation, **BINDING)

    assert suite.verify_presentation(proven, party, options=BINDING).is_verified
    bad = changed(proven, verifiableCredential=[own] * (times - 1))
    assert not suite.verify_presentation(bad, party, options=BINDING).is_verified


def test_another_expected_purpose_is_refused(suite: Suite):
    presentation = signed(suite, suite.presentation(suite.issued()), **BINDING)
    for purpose, outcome in (("authentication", True), ("assertionMethod", False)):
        options = {"expectedProofPurpose": purpose}
        answer = suite.verify_presentation(presentation, options=options)
        assert answer.is_verified is outcome


def envelope(suite: Suite, payload: Any, **options: Any) -> Any:
    given = {"typ": "vp+jwt", "media_type": "application/vp+jwt", **options}
    return suite.envelope(payload, kind="EnvelopedVerifiablePresentation", **given)


def enveloped_presentation(suite: Suite, **changes: Any) -> Any:
    return suite.presentation(suite.issued("enveloped"), holder=suite.did("enveloped"), **changes)


@pytest.mark.parametrize("party", VERIFIERS)
def test_enveloped_presentations(suite: Suite, party: str):
    holder = suite.did("enveloped")
    payload = enveloped_presentation(suite)
    bound = {**payload, "iss": holder, "aud": "verifier.example", "nonce": "c-1"}

    assert suite.verify_presentation(envelope(suite, payload), party).is_verified
    assert suite.verify_presentation(envelope(suite, bound), party, options=BINDING).is_verified
    bare = changed(payload, verifiableCredential=[])
    assert suite.verify_presentation(envelope(suite, bare), party).is_verified
    old = {"iss": holder, "aud": "verifier.example", "nonce": "c-1", "vp": payload}
    given = {"typ": "JWT", "media_type": "application/jwt"}
    assert suite.verify_presentation(
        envelope(suite, old, **given), party, options=BINDING
    ).is_verified
    for claims in ({"aud": "other.example"}, {"nonce": "c-2"}, {"aud": ["a", "b"]}):
        bad = envelope(suite, {**bound, **claims})
        assert not suite.verify_presentation(bad, party, options=BINDING).is_verified


@pytest.mark.parametrize("party", VERIFIERS)
def test_enveloped_presentations_that_are_refused(suite: Suite, party: str):
    payload = enveloped_presentation(suite)
    good = envelope(suite, payload)
    assert suite.verify_presentation(good, party).is_verified
    embedded = changed(payload, verifiableCredential=[suite.issued()])
    for bad in (
        changed(good, **{"@context": []}),
        changed(good, **{"@context": [EXAMPLES]}),
        changed(good, type=["VerifiablePresentation"]),
        changed(good, type=ABSENT),
        changed(good, id=good["id"].partition(",")[2]),
        changed(good, id=good["id"][:-3]),
        envelope(suite, embedded),  # its credentials are not enveloped (section 8)
        envelope(suite, {**payload, "vp": {}}),
        envelope(suite, {**payload, "vc": {}}),
        envelope(suite, {"vp": payload}),
        envelope(suite, payload, typ="vc+jwt"),
        envelope(suite, payload, typ="JWT"),
        envelope(suite, payload, media_type="application/vc+jwt"),
        envelope(suite, payload, media_type="application/jwt", typ="JWT"),
        envelope(suite, changed(payload, holder="did:example:eve")),
        envelope(suite, {**payload, "iss": "did:example:eve"}),
        envelope(suite, {**payload, "exp": 1}),
        envelope(suite, {**payload, "nbf": 1 << 40}),
        envelope(suite, changed(payload, type=["Presentation"])),
        envelope(suite, payload, kid=suite.signer("ecdsa-rdfc-2019-p256").verification_method),
        envelope(suite, payload, kid="did:example:x#y"),
    ):
        assert not suite.verify_presentation(bad, party).is_verified


SD = ("ecdsa-sd-2023", "bbs-2023")
DERIVE_PATHS = [
    "/issuers/ecdsa-sd-2023",
    "/issuers/bbs-2023",
    "/issuers/eddsa-rdfc-2022",
    "/verifiers/conformance",
    "/verifiers/proof-only",
]


@pytest.mark.parametrize("instance", SD)
@pytest.mark.parametrize("path", DERIVE_PATHS)
def test_derive_on_both_paths_shows_what_is_selected_and_nothing_else(
    suite: Suite, path: str, instance: str
):
    base = suite.issue(
        suite.credential(instance, name="kept back"),
        instance,
        options={"mandatoryPointers": ["/issuer", "/validFrom"]},
    ).credential

    derived = suite.derive(base, ["/credentialSubject/id"], path).credential

    assert "name" not in derived
    assert "degree" not in derived["credentialSubject"]
    assert derived["credentialSubject"]["id"] == base["credentialSubject"]["id"]
    assert derived["issuer"] == base["issuer"]
    assert derived["validFrom"] == base["validFrom"]
    assert suite.verify(derived).is_verified


@pytest.mark.parametrize(
    "pointers",
    [["/nothing"], ["issuer"], [4], "/issuer", {"a": 1}, ["/credentialSubject"] * 1000],
)
@pytest.mark.parametrize("instance", SD)
def test_derive_refuses_pointers_that_lead_nowhere(suite: Suite, instance: str, pointers: Any):
    base = suite.issued(instance)

    for path in DERIVE_PATHS:
        suite.derive(base, pointers, path).must_refuse()


@pytest.mark.parametrize("instance", SD)
def test_derive_refuses_what_has_no_base_proof(suite: Suite, instance: str):
    base = suite.issued(instance)
    derived = suite.derive(base, ["/credentialSubject"]).credential
    for document in (
        suite.issued(),
        suite.credential(),
        derived,
        changed(base, proof=[base["proof"], base["proof"]]),
        changed(base, name="another document"),
        {},
    ):
        for path in DERIVE_PATHS:
            suite.derive(document, ["/credentialSubject"], path).must_refuse()


@pytest.mark.parametrize("instance", SD)
def test_derive_arrays_in_whole_and_in_part(suite: Suite, instance: str):
    base = suite.issued(instance, credentialSubject={"marks": [{"n": 1}, {"n": 2}]})
    for pointers in (
        ["/credentialSubject/marks"],
        ["/credentialSubject/marks/0/n"],
        ["/credentialSubject/marks/1/n"],
    ):
        assert suite.verify(suite.derive(base, pointers).credential).is_verified


def test_a_set_of_one_domain_is_that_domain(suite: Suite):
    vc = suite.issued()

    def asked(stated: Any, expected: Any) -> bool:
        signed = suite.sign(
            suite.presentation(vc), purpose="authentication", domain=stated, challenge="1"
        )
        options = {"domain": expected, "challenge": "1"}
        return suite.verify_presentation(signed, options=options).is_verified

    assert asked("one.example", ["one.example"])
    assert asked(["one.example"], "one.example")
    assert asked(["one.example"], ["one.example"])
    assert not asked(["one.example"], ["two.example"])
    assert not asked(["one.example", "two.example"], "one.example")
    assert not asked("one.example", ["one.example", "two.example"])
    assert not asked("one.example", [])


@pytest.mark.parametrize("instance", ["ecdsa-sd-2023", "bbs-2023"])
def test_a_list_is_shown_whole_or_not_at_all(suite: Suite, instance: str):
    """What each element of a JSON-LD list says holds only beside the others."""
    term = {"@id": "https://e.example/steps", "@container": "@list"}
    context = [V2, EXAMPLES, {"steps": term}]
    subject = {"id": "did:example:alice", "steps": ["a", "b", "c"]}
    sent = suite.credential(instance, credentialSubject=subject, **{"@context": context})
    base = suite.issue(sent, instance).credential

    whole = suite.derive(base, ["/credentialSubject/steps"], f"/issuers/{instance}")
    part = suite.derive(base, ["/credentialSubject/steps/1"], f"/issuers/{instance}")
    wanted = {"mandatoryPointers": ["/issuer", "/credentialSubject/steps/0"]}

    assert whole.status == 201
    assert suite.verify(whole.credential).is_verified
    part.must_refuse()
    suite.issue(sent, instance, options=wanted).must_refuse()
