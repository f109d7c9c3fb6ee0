"""Section 8 of the contract: `credentialSchema` over HTTP, with schemas that we have and others."""

import socket
from typing import Any

import pytest

from tests.contract.vc_api.foreign_schemas import SCHEMAS, url_of
from tests.contract.vc_api.suite import Suite

FITS, MISFITS = {"id": "urn:a:b", "email": "a@example.com"}, {"id": "urn:a:b", "email": 7}


def verified(suite: Suite, subject: Any, *entries: Any, kind: str = "eddsa-rdfc-2022") -> Any:
    document = suite.credential(kind, credentialSubject=subject, credentialSchema=list(entries))
    return suite.verify(suite.issue(document, kind).credential)


def outcome(answer: Any) -> tuple[str, str]:
    (check,) = [check for check in answer.body["checks"] if check["check"] == "schema"]
    return check["outcome"], check["reason"]


@pytest.mark.parametrize("kind", ["eddsa-rdfc-2022", "ecdsa-jcs-2019-p256", "enveloped-cose"])
@pytest.mark.parametrize("name", ["2020-12", "2019-09", "draft-07", "in-a-credential"])
def test_a_schema_that_we_have_decides(suite: Suite, name: str, kind: str):
    entry = {"id": url_of(name), "type": SCHEMAS[name][0]}

    good = verified(suite, FITS, entry, kind=kind)
    assert good.is_verified
    assert outcome(good) == ("passed", "passed")

    bad = verified(suite, MISFITS, entry, kind=kind)
    assert not bad.is_verified
    assert outcome(bad) == ("failed", "does_not_fit")
    assert suite.verify({**suite.issued(kind)}).is_verified


@pytest.mark.parametrize("name", ["no-schema-member", "not-a-schema"])
def test_a_broken_schema_is_a_failure(suite: Suite, name: str):
    answer = verified(suite, FITS, {"id": url_of(name), "type": "JsonSchema"})

    assert not answer.is_verified
    assert outcome(answer) == ("failed", "schema_not_valid")


@pytest.mark.parametrize("subject", [FITS, MISFITS])
def test_an_unknown_dialect_is_indeterminate_and_no_failure(suite: Suite, subject: Any):
    answer = verified(suite, subject, {"id": url_of("unknown-dialect"), "type": "JsonSchema"})

    assert answer.is_verified
    assert outcome(answer) == ("not_applicable", "indeterminate")


def test_a_strangers_schema_is_not_judged_and_never_fetched(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
):
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody tried the network")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, no_network)
    for entry in (
        {"id": "https://example.org/examples/degree.json", "type": "JsonSchema"},
        {"id": "https://example.org/examples/degree.zkp", "type": "ZkpExampleSchema2018"},
    ):
        answer = verified(suite, FITS, entry)
        assert answer.is_verified
        assert outcome(answer) == ("not_applicable", "indeterminate")
    none = suite.verify(suite.issued())
    assert outcome(none) == ("not_applicable", "not_present")


def test_one_schema_that_does_not_fit_outweighs_all_others(suite: Suite):
    known = {"id": url_of("2020-12"), "type": "JsonSchema"}
    stranger = {"id": "https://example.org/examples/degree.json", "type": "JsonSchema"}

    assert outcome(verified(suite, FITS, stranger, known))[1] == "indeterminate"
    assert outcome(verified(suite, MISFITS, stranger, known)) == ("failed", "does_not_fit")
    assert outcome(verified(suite, MISFITS, known, stranger)) == ("failed", "does_not_fit")
    crowd = [{"id": f"https://e.example/{n}", "type": "JsonSchema"} for n in range(9)]
    assert outcome(verified(suite, FITS, *crowd)) == ("failed", "too_many_schemas")


def test_the_name_of_a_schema_that_we_have_under_another_type_is_a_failure(suite: Suite):
    for kind in ("JsonSchemaCredential", "ExampleSchema"):
        answer = verified(suite, FITS, {"id": url_of("2020-12"), "type": kind})
        assert outcome(answer) == ("failed", "schema_not_valid")
