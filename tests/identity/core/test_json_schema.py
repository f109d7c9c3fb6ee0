"""VC JSON Schema 1.0, section by section: success, failure and indeterminate, in three drafts."""

import copy
import socket
from typing import Any

import pytest

from identity.core.json_schema import (
    DoesNotFit,
    NotJudged,
    SchemaNotValid,
    check_schema_of,
    known_schemas,
)
from registry.core.refusals import Refusal

DIALECTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "Draft-7": "http://json-schema.org/draft-07/schema#",
}
ID = "https://example.com/schemas/email.json"
CREDENTIAL_ID = "https://example.com/credentials/3734"
ENTRY = {"id": ID, "type": "JsonSchema"}
CREDENTIAL_ENTRY = {"id": CREDENTIAL_ID, "type": "JsonSchemaCredential"}
KIND = {
    "id": "https://www.w3.org/2022/credentials/v2/json-schema-credential-schema.json",
    "type": "JsonSchema",
    "digestSRI": "sha384-S57yQDg1MTzF56Oi9DbSQ14u7jBy0RDdx0YbeV7shwhCS88G8SCXeFq82PafhCrW",
}
ABSENT: Any = object()


def credential(email: object = "subject@example.com") -> dict[str, Any]:
    return {"credentialSubject": {"id": "did:example:1", "emailAddress": email}}


def schema(dialect: str = "2020-12", **changes: Any) -> dict[str, Any]:
    """Different keywords in each draft, so that one read as another is noticed."""
    address: dict[str, Any] = {"type": "string", "format": "email"}
    document = {
        "$id": ID,
        "$schema": DIALECTS[dialect],
        "type": "object",
        "properties": {
            "credentialSubject": {
                "type": "object",
                "properties": {"emailAddress": address},
                "required": ["emailAddress"],
            }
        },
        **changes,
    }
    return {name: value for name, value in document.items() if value is not ABSENT}


def schema_credential(inner: Any = None, **changes: Any) -> dict[str, Any]:
    document = {
        "id": CREDENTIAL_ID,
        "type": ["VerifiableCredential", "JsonSchemaCredential"],
        "credentialSchema": KIND,
        "credentialSubject": {
            "id": ID,
            "type": "JsonSchema",
            "jsonSchema": schema() if inner is None else inner,
        },
        **changes,
    }
    return {name: value for name, value in document.items() if value is not ABSENT}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_4_2_success_and_failure_in_each_draft(dialect: str):
    check_schema_of(credential(), ENTRY, schema(dialect))
    check_schema_of(credential(), CREDENTIAL_ENTRY, schema_credential(schema(dialect)))
    for bad in (credential("no address"), credential(7), {"credentialSubject": {}}):
        with pytest.raises(DoesNotFit) as caught:
            check_schema_of(bad, ENTRY, schema(dialect))
        assert "address" not in caught.value.detail  # never the value
        with pytest.raises(DoesNotFit):
            check_schema_of(bad, CREDENTIAL_ENTRY, schema_credential(schema(dialect)))


def test_each_draft_has_its_own_keywords():
    tuples = {"items": [{"type": "string"}], "additionalItems": False}
    for dialect, strict in (("Draft-7", True), ("2019-09", True), ("2020-12", False)):
        document = schema(dialect, properties={"x": tuples if strict else {}}, type="object")
        outcome = [{"x": ["a"]}, {"x": ["a", "b"]}]
        check_schema_of(outcome[0], ENTRY, document)
        if strict:
            with pytest.raises(DoesNotFit):
                check_schema_of(outcome[1], ENTRY, document)
    prefix = schema("2020-12", properties={"x": {"prefixItems": [{"type": "string"}]}})
    with pytest.raises(DoesNotFit):
        check_schema_of({"x": [1]}, ENTRY, prefix)
    check_schema_of({"x": [1]}, ENTRY, {**prefix, "$schema": DIALECTS["Draft-7"]})
    unevaluated = schema("2019-09", properties={"x": {}}, unevaluatedProperties=False)
    with pytest.raises(DoesNotFit):
        check_schema_of({"x": 1, "y": 1}, ENTRY, unevaluated)
    check_schema_of({"x": 1, "y": 1}, ENTRY, {**unevaluated, "$schema": DIALECTS["Draft-7"]})


NOT_VALID: dict[str, tuple[Any, Any]] = {
    "2.1 another $id": (ENTRY, schema(**{"$id": "https://example.com/schemas/bad.json"})),
    "2.1 another type": ({**ENTRY, "type": "JsonSchema2023"}, schema()),
    "2.1 no type": ({"id": ID}, schema()),
    "3.1.1 no $id": ({"type": "JsonSchema"}, schema(**{"$id": ABSENT})),
    "3.1.1 relative $id": (
        {"id": "not-a-uri", "type": "JsonSchema"},
        schema(**{"$id": "not-a-uri"}),
    ),
    "3.1.2 no $schema": (ENTRY, schema(**{"$schema": ABSENT})),
    "3.1.2 $schema is no text": (ENTRY, schema(**{"$schema": 7})),
    "no schema of its dialect": (ENTRY, schema(type="strng")),
    "a keyword of the wrong kind": (ENTRY, schema(required="x")),
    "leads in a circle": (ENTRY, schema(**{"$ref": "#"})),
    "2.2 another id": (CREDENTIAL_ENTRY, schema_credential(id="https://example.com/other")),
    "2.2 another type": (CREDENTIAL_ENTRY, schema_credential(type=["VerifiableCredential"])),
    "2.2 subject without type": (
        CREDENTIAL_ENTRY,
        schema_credential(credentialSubject={"id": ID, "jsonSchema": schema()}),
    ),
    "2.2 subject of another type": (
        CREDENTIAL_ENTRY,
        schema_credential(credentialSubject={"type": "Schema", "jsonSchema": schema()}),
    ),
    "2.2 no jsonSchema": (
        CREDENTIAL_ENTRY,
        schema_credential(credentialSubject={"id": ID, "type": "JsonSchema"}),
    ),
    "2.2 another credentialSchema": (
        CREDENTIAL_ENTRY,
        schema_credential(credentialSchema={**KIND, "id": "https://example.com/s"}),
    ),
    "2.2 another digest": (
        CREDENTIAL_ENTRY,
        schema_credential(credentialSchema={**KIND, "digestSRI": "sha384-AAAA"}),
    ),
    "2.2 no credentialSchema": (CREDENTIAL_ENTRY, schema_credential(credentialSchema=ABSENT)),
    "2.2 inner schema without $id": (
        CREDENTIAL_ENTRY,
        schema_credential(schema(**{"$id": ABSENT})),
    ),
    "2.2 inner schema with a relative $id": (
        CREDENTIAL_ENTRY,
        schema_credential(schema(**{"$id": "x"})),
    ),
    "2.2 inner schema without $schema": (
        CREDENTIAL_ENTRY,
        schema_credential(schema(**{"$schema": ABSENT})),
    ),
    "a schema read as a schema credential": ({"id": ID, "type": "JsonSchemaCredential"}, schema()),
    "a schema credential read as a schema": (
        {"id": CREDENTIAL_ID, "type": "JsonSchema"},
        schema_credential(),
    ),
}


@pytest.mark.parametrize("name", NOT_VALID)
def test_failure(name: str):
    entry, document = NOT_VALID[name]
    before = copy.deepcopy(document)

    with pytest.raises(SchemaNotValid):
        check_schema_of(credential(), entry, document)

    assert document == before
    check_schema_of(credential(), ENTRY, schema())


@pytest.mark.parametrize(
    "dialect", ["https://json-schema.org/unknown/schema#", "https://json-schema.org/draft/2030-01"]
)
def test_4_2_an_unknown_dialect_is_indeterminate(dialect: str):
    for document, entry in (
        (schema(**{"$schema": dialect}), ENTRY),
        (schema_credential(schema(**{"$schema": dialect})), CREDENTIAL_ENTRY),
    ):
        for value in (credential(), credential("no address")):
            with pytest.raises(NotJudged):
                check_schema_of(value, entry, document)


def test_a_reference_to_somewhere_else_is_never_fetched(monkeypatch: pytest.MonkeyPatch):
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody tried the network")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, no_network)
    for target in ("https://example.com/other.json", "file:///etc/passwd", "http://127.0.0.1:1/x"):
        with pytest.raises(NotJudged):
            check_schema_of(credential(), ENTRY, schema(**{"$ref": target}))
    inside = schema(**{"$defs": {"a": {"type": "object"}}, "$ref": "#/$defs/a"})
    check_schema_of(credential(), ENTRY, inside)


def test_only_refusals_leave_whatever_the_schema_is():
    odd: list[Any] = [None, True, 7, "x", [], {}, [[]], {"a": {}}, {"$ref": "#/x"}]
    tried = 0
    for keyword in ("type", "properties", "items", "$ref", "$defs", "allOf", "pattern", "$anchor"):
        for value in odd:
            tried += 1
            try:
                check_schema_of(credential(), ENTRY, schema(**{keyword: value}))
            except Refusal:
                continue
    assert tried == 72


def test_schemas_are_known_by_their_name_and_no_two_share_one():
    known = known_schemas([schema(), schema_credential()])

    assert set(known) == {ID, CREDENTIAL_ID}
    for bad in ([schema(), schema()], [{}], [{"$id": "relative"}]):
        with pytest.raises(SchemaNotValid):
            known_schemas(bad)
