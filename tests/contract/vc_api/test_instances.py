"""Sections 1 and 2 of the contract: what is common, and the instances."""

import socket
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from identity.adapters.key_files import key_from_seed
from identity.cli.instances import print_instances
from identity.installation.conformance import known_key
from registry.core.keys import KeyType
from tests.contract.vc_api.suite import ABSENT, BASE, DATA_INTEGRITY, V1, V2, VERIFIERS, Suite

INSTANCES = {
    "eddsa-rdfc-2022": ("eddsa-rdfc-2022", "z6Mk"),
    "eddsa-jcs-2022": ("eddsa-jcs-2022", "z6Mk"),
    "ecdsa-rdfc-2019-p256": ("ecdsa-rdfc-2019", "zDna"),
    "ecdsa-jcs-2019-p256": ("ecdsa-jcs-2019", "zDna"),
    "ecdsa-sd-2023": ("ecdsa-sd-2023", "zDna"),
    "ecdsa-rdfc-2019-p384": ("ecdsa-rdfc-2019", "z82L"),
    "ecdsa-jcs-2019-p384": ("ecdsa-jcs-2019", "z82L"),
    "bbs-2023": ("bbs-2023", "zUC7"),
    "status": ("eddsa-rdfc-2022", "z6Mk"),
}
ENVELOPING = {
    "enveloped": ("application/vc+jwt", "zDna"),
    "enveloped-ed25519": ("application/vc+jwt", "z6Mk"),
    "enveloped-p384": ("application/vc+jwt", "z82L"),
    "enveloped-p521": ("application/vc+jwt", "z2J9"),
    "enveloped-sd-jwt": ("application/vc+sd-jwt", "zDna"),
    "enveloped-cose": ("application/vc+cose;base64", "zDna"),
}
MODELS = ("credential", "older")


def test_section_2_names_the_instances_and_no_two_share_a_key(suite: Suite):
    assert set(suite.instances) == {*INSTANCES, *ENVELOPING}
    assert len({suite.did(name) for name in suite.instances}) == len(suite.instances)


@pytest.mark.parametrize("instance", INSTANCES)
def test_section_2_cryptosuite_key_and_did_key_issuer(suite: Suite, instance: str):
    cryptosuite, prefix = INSTANCES[instance]

    document = suite.issued(instance)

    proof = document["proof"]
    assert proof["cryptosuite"] == cryptosuite
    assert document["issuer"] == suite.did(instance)
    multikey = suite.did(instance).removeprefix("did:key:")
    assert multikey.startswith(prefix)
    assert proof["verificationMethod"] == f"did:key:{multikey}#{multikey}"


@pytest.mark.parametrize("instance", ENVELOPING)
def test_section_2_enveloping_instances_answer_an_envelope(suite: Suite, instance: str):
    media_type, prefix = ENVELOPING[instance]

    envelope = suite.issued(instance)

    assert set(envelope) == {"@context", "type", "id"}
    assert envelope["@context"] == V2
    assert envelope["type"] == "EnvelopedVerifiableCredential"
    assert envelope["id"].partition(",")[0] == f"data:{media_type}"
    assert suite.did(instance).startswith(f"did:key:{prefix}")
    for party in VERIFIERS:
        assert suite.verify(envelope, party).is_verified


def test_section_2_names_and_dids_are_printed(suite: Suite):
    text = StringIO()

    print_instances(suite.composition, Console(file=text, highlight=False, width=300))

    for name in suite.instances:
        assert f"{BASE}/issuers/{name}/credentials/issue" in text.getvalue()
        assert suite.did(name) in text.getvalue()  # to the letter: no `:key:` is made a picture
    for party in VERIFIERS:
        assert f"{BASE}/verifiers/{party}" in text.getvalue()
    assert "NOT SECRET" in text.getvalue()


def test_section_2_keys_are_the_same_on_every_start():
    first, second = (known_key("a seed", "name", KeyType.P384) for _ in range(2))

    assert first.key == second.key
    assert known_key("a seed", "other", KeyType.P384).key != first.key
    assert known_key("another seed", "name", KeyType.P384).key != first.key
    assert key_from_seed(KeyType.P384, bytes(48)).key != first.key


@pytest.mark.parametrize(
    ("instance", "model"),
    [
        (instance, model)
        for instance in INSTANCES
        for model in MODELS
        # Base proofs are for holders; a status entry has no meaning in data model 1.1 (see below).
        if instance not in ("ecdsa-sd-2023", "bbs-2023")
        and (instance, model) != ("status", "older")
    ],
)
@pytest.mark.parametrize("party", VERIFIERS)
def test_one_verifier_takes_all_cryptosuites_and_both_data_models(
    suite: Suite, instance: str, model: str, party: str
):
    document = suite.issue(getattr(suite, model)(instance), instance).credential

    assert suite.verify(document, party).is_verified


def test_a_status_entry_has_no_meaning_in_data_model_1(suite: Suite):
    suite.issue(suite.older("status"), "status").must_refuse()


@pytest.mark.parametrize(
    "options", [ABSENT, None, {}, {"checks": ["proof"], "anything": {"a": [1]}}]
)
def test_section_1_unknown_options_and_absent_options_are_accepted(suite: Suite, options: Any):
    members = {} if options is ABSENT else {"options": options}
    document = suite.issue(suite.credential(), **members).credential

    assert suite.verify(document, **members).is_verified
    assert suite.verify_presentation(suite.presentation(document), **members).is_verified


def test_section_1_no_authentication_and_no_rate_limit(suite: Suite):
    document = suite.issued()

    for _ in range(30):
        assert suite.verify(document).is_verified
    assert suite.post("/verifiers/conformance/credentials/verify", {}).status == 400


PATHS = [
    "/issuers/eddsa-rdfc-2022/credentials/issue",
    "/issuers/ecdsa-sd-2023/credentials/derive",
    "/issuers/bbs-2023/credentials/issue",
    "/verifiers/conformance/credentials/verify",
    "/verifiers/proof-only/presentations/verify",
    "/verifiers/conformance/credentials/derive",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"credential": 1}', b'{"a":1,"a":2}', b"\xff\xfe"],
)
def test_section_1_malformed_input_is_400_and_json_never_200_never_500(
    suite: Suite, path: str, body: bytes
):
    suite.post(path, body).must_refuse()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("options", [[], "x", 1])
def test_section_1_options_that_are_no_object_are_refused(suite: Suite, path: str, options: Any):
    document = suite.issued()
    members = ("credential", "verifiableCredential", "verifiablePresentation")

    suite.post(path, {**dict.fromkeys(members, document), "options": options}).must_refuse()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/issuers/nobody/credentials/issue", 404),
        ("/issuers/conformance/credentials/issue", 404),
        ("/verifiers/nobody/credentials/verify", 404),
        ("/verifiers/conformance/nothing", 404),
    ],
)
def test_section_1_other_errors_are_json_too(suite: Suite, path: str, status: int):
    answer = suite.post(path, {"credential": {}, "verifiableCredential": {}})

    assert answer.status in (status, 403)


@pytest.mark.parametrize(
    ("base", "context"),
    [
        (V1, "https://w3id.org/security/data-integrity/v1"),
        (V1, DATA_INTEGRITY),
        (V2, DATA_INTEGRITY),
        (V2, "https://w3id.org/security/multikey/v1"),
        (V2, "https://www.w3.org/ns/did/v1"),
        (V1, "https://w3id.org/security/suites/ed25519-2020/v1"),
        (V1, "https://w3id.org/security/suites/jws-2020/v1"),
        (V1, "https://w3id.org/vdl/v1"),
        (V2, "https://w3id.org/citizenship/v4rc1"),
        (V2, {"ex": "https://e.example/#"}),
    ],
)
def test_section_1_contexts_from_copies_in_the_package_and_inline_ones(
    suite: Suite, base: str, context: Any
):
    model = suite.older if base == V1 else suite.credential
    document = model(
        **{
            "@context": [base, context],
            "type": ["VerifiableCredential"],
            "credentialSubject": {"id": "urn:a:b"},
        }
    )

    signed = suite.issue(document).credential

    assert suite.verify(signed).is_verified


def test_section_1_any_other_context_is_an_error_at_once_and_no_network_attempt(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody tried the network")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, no_network)

    for url in ("https://www.w3.org/ns/credentials/v3", "http://127.0.0.1:1/c", "file:///etc"):
        suite.issue(suite.credential(**{"@context": [V2, url]})).must_refuse()
        document = suite.issued()
        document["@context"] = [V2, url]
        assert not suite.verify(document).is_verified
