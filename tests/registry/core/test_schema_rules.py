"""Schemas: what names a forbidden category, or leaves room for any text, is refused to all."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from registry.core.accreditation_actions import Accredit, EndAccreditation
from registry.core.context import Context
from registry.core.forbidden_words import FORBIDDEN, forbidden_category
from registry.core.network_record import NetworkRecord
from registry.core.records import schema_key
from registry.core.refusals import Malformed
from registry.core.schema_rules import (
    MAX_SCHEMA_BYTES,
    CategoryForbidden,
    SchemaNotValid,
    TextUnbounded,
    check_schema,
)
from registry.core.schemas import (
    MayNotPublishSchema,
    PublishSchema,
    SchemaExists,
    SchemaRecord,
    publish_schema,
    schema_digest,
)
from tests.registry.core.actors import TestLedger, identifier

OUR_TYPES = Path(__file__).parents[3] / "schemas"
OURS = sorted(OUR_TYPES.glob("*/1/schema.json"))


def schema(**properties: Any) -> dict[str, Any]:
    """A schema with these claims beside one that is fine."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/schemas/degree/1/schema.json",
        "title": "Degree",
        "type": "object",
        "properties": {
            "credentialSubject": {
                "type": "object",
                "properties": {
                    "degree_name": {"type": "string", "maxLength": 200},
                    **properties,
                },
                "additionalProperties": False,
            }
        },
    }


def test_our_types_are_here() -> None:
    assert len(OURS) == 8


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.parts[-3])
def test_our_types_may_be_published(path: Path) -> None:
    text = path.read_text("utf-8").replace("{{schema_base}}", "http://127.0.0.1:8000/schemas")

    check_schema(path.parts[-3], json.loads(text))


FINE: dict[str, Any] = {
    "enum": {"enum": ["bachelor", "master", 3, None, True]},
    "const": {"const": "x"},
    "date": {"type": "string", "format": "date"},
    "closed pattern": {"type": "string", "pattern": "^[A-Z]{2}$"},
    "URI": {"type": "string", "format": "uri", "maxLength": 2048},
    "several types": {"type": ["string", "null"], "maxLength": 3},
    "number": {"type": "number", "minimum": 0.5, "maximum": 10, "multipleOf": 0.5},
    "array": {"type": "array", "items": {"type": "integer"}, "maxItems": 3, "uniqueItems": True},
    "reference": {"$ref": "#/$defs/country"},
    "alternatives": {"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 5}]},
    "narrowed": {"type": "string", "maxLength": 9, "anyOf": [{"minLength": 3}, {"const": ""}]},
    "object": {
        "type": "object",
        "properties": {"street": {"type": "string", "maxLength": 300, "minLength": 1}},
        "required": ["street"],
        "additionalProperties": False,
        "maxProperties": 1,
    },
    "described": {
        "title": "学位",
        "description": "Rang à la fin des études",
        "$comment": "as printed",
        "type": "boolean",
    },
}


@pytest.mark.parametrize("name", FINE)
def test_a_bounded_claim_may_be_published(name: str) -> None:
    wanted = schema(claim=FINE[name])
    wanted["$defs"] = {"country": {"type": "string", "pattern": "^[A-Z]{2}$"}}

    check_schema("degree", wanted)


UNBOUNDED: dict[str, Any] = {
    "string": {"type": "string"},
    "string with a lower bound only": {"type": "string", "minLength": 1},
    "string that may be a report": {"type": "string", "maxLength": 501},
    "formatted string without end": {"type": "string", "format": "uri", "maxLength": 2049},
    "open pattern": {"type": "string", "pattern": "[A-Z]"},
    "pattern of anything": {"type": "string", "pattern": "^.*$"},
    "pattern of any letters": {"type": "string", "pattern": "^[a-z ]+$"},
    "pattern with a group without end": {"type": "string", "pattern": "^(a|b)*$"},
    "pattern with an open range": {"type": "string", "pattern": "^.{1,}$"},
    "pattern with an open alternative": {"type": "string", "pattern": "^a|b$"},
    "nothing": {},
    "a title alone": {"title": "Anything"},
    "one type of several": {"type": ["string", "null"]},
    "array without items": {"type": "array", "maxItems": 3},
    "array without end": {"type": "array", "items": {"type": "integer"}},
    "long array": {"type": "array", "items": {"type": "integer"}, "maxItems": 1025},
    "array of strings": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    "open object": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "object that says it is open": {"type": "object", "additionalProperties": True},
    "alternative of anything": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "alternative of nothing": {"oneOf": [{"type": "integer"}, {}]},
    "deep string": {
        "type": "object",
        "properties": {"note": {"type": "string"}},
        "additionalProperties": False,
    },
    "long choice": {"enum": ["x" * 201]},
    "pattern that makes a long text fine": {
        "type": "string",
        "pattern": "[a-z]",
        "maxLength": 501,
    },
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_room_for_any_text_is_refused(name: str) -> None:
    check_schema("degree", schema())

    with pytest.raises(TextUnbounded):
        check_schema("degree", schema(claim=UNBOUNDED[name]))


def test_a_definition_leaves_no_room_either() -> None:
    wanted = schema(claim={"$ref": "#/$defs/note"})
    wanted["$defs"] = {"note": {"type": "string"}}

    with pytest.raises(TextUnbounded):
        check_schema("degree", wanted)


NOT_VALID: dict[str, Any] = {
    "true": True,
    "a list": [],
    "an unknown keyword": {"type": "integer", "x-note": "x"},
    "a conditional": {"type": "integer", "if": {"minimum": 1}},
    "names by pattern": {"type": "object", "patternProperties": {".*": {"type": "integer"}}},
    "a schema for other members": {"type": "object", "additionalProperties": {"type": "string"}},
    "a reference to elsewhere": {"$ref": "https://example.org/other.json"},
    "a reference to the whole": {"$ref": "#"},
    "a reference to nowhere": {"$ref": "#/$defs/nothing"},
    "a dynamic reference": {"$dynamicRef": "#x"},
    "an identifier inside": {"$id": "https://example.org/x", "type": "integer"},
    "another dialect inside": {"$schema": "https://example.org/x", "type": "integer"},
    "definitions inside": {"$defs": {}, "type": "integer"},
    "an unknown type": {"type": "text"},
    "no types": {"type": []},
    "a type twice": {"type": ["null", "null"]},
    "a type of 1": {"type": 1},
    "an unknown format": {"type": "string", "format": "free-text"},
    "an empty enum": {"enum": []},
    "an object as choice": {"enum": [{"a": 1}]},
    "an array as const": {"const": [1]},
    "a length of true": {"type": "string", "maxLength": True},
    "a length below zero": {"type": "string", "maxLength": -1},
    "a length as string": {"type": "string", "maxLength": "9"},
    "a limit as string": {"type": "integer", "minimum": "1"},
    "a multiple of zero": {"type": "integer", "multipleOf": 0},
    "a flag of 1": {"type": "array", "uniqueItems": 1},
    "a long pattern": {"type": "string", "pattern": "^" + "a" * 256},
    "a pattern of null": {"type": "string", "pattern": None},
    "required as string": {"type": "object", "required": "a"},
    "required twice": {"type": "object", "required": ["a", "a"]},
    "properties as list": {"type": "object", "properties": []},
    "a property with a space": {"type": "object", "properties": {"a b": {"type": "integer"}}},
    "too many properties": {
        "type": "object",
        "properties": {f"p{n}": {"type": "integer"} for n in range(129)},
    },
    "no alternatives": {"anyOf": []},
    "items as list": {"type": "array", "items": [{"type": "integer"}], "maxItems": 1},
    "a title of 1": {"type": "integer", "title": 1},
    "a hidden title": {"type": "integer", "title": "re\u200bligion"},
    "two scripts in one word": {"type": "integer", "title": "r\u0435ligion"},
}


@pytest.mark.parametrize("name", NOT_VALID)
def test_what_is_not_let_in_is_refused(name: str) -> None:
    with pytest.raises(SchemaNotValid):
        check_schema("degree", schema(claim=NOT_VALID[name]))


@pytest.mark.parametrize(
    "change",
    [
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$schema": None},
        {"$id": "degree"},
        {"$id": "https://example.org/#x"},
        {"$id": None},
        {"title": ""},
        {"title": None},
        {"type": "array"},
        {"type": ["object", "string"]},
        {"$defs": []},
        {"$defs": {"a/b": {"type": "integer"}}},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}},  # round in a circle
    ],
)
def test_a_frame_that_is_not_whole_is_refused(change: Any) -> None:
    with pytest.raises(SchemaNotValid):
        check_schema("degree", schema() | change)


@pytest.mark.parametrize("name", ["$schema", "$id", "title", "type"])
def test_a_frame_that_lacks_a_member_is_refused(name: str) -> None:
    wanted = schema()
    del wanted[name]

    with pytest.raises(SchemaNotValid):
        check_schema("degree", wanted)


@pytest.mark.parametrize("value", [None, [], "x", 1, {}])
def test_what_is_no_schema_is_refused(value: Any) -> None:
    with pytest.raises(SchemaNotValid):
        check_schema("degree", value)


def test_a_schema_has_a_size_and_a_depth() -> None:
    fat = schema(**{f"c{n}": {"type": "integer", "title": "x" * 990} for n in range(70)})
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(40):
        deep = {"type": "array", "maxItems": 1, "items": deep}

    assert len(json.dumps(fat)) > MAX_SCHEMA_BYTES
    for wanted in (fat, schema(claim=deep)):
        with pytest.raises(SchemaNotValid):
            check_schema("degree", wanted)


NAMES_FORBIDDEN = {
    "genetic data": ["dna_profile", "geneticMarkers", "genome", "基因", "bodyGenotype"],
    "biometric templates": ["fingerprint", "face_template", "iris_code", "指纹", "myfingerprint2"],
    "political opinion": ["political_party", "politics", "PartyMembership", "政治面貌", "党员"],
    "religion": ["religion", "religiousBelief", "userreligion", "faith", "宗教信仰"],
    "trade union membership": ["trade_union", "tradeUnionMember", "tradeunion", "工会会员"],
    "health diagnoses": [
        "diagnosis",
        "diseaseCode",
        "hiv_status",
        "icd10",
        "mental-health",
        "病史",
    ],
    "sexual life": ["sexual_orientation", "sexLife", "bisexual", "性取向"],
    "social scoring": ["social_score", "loyaltyScore", "socialcreditscore", "社会信用分", "忠诚度"],
}


def test_every_category_is_tried() -> None:
    assert NAMES_FORBIDDEN.keys() == FORBIDDEN.keys()


@pytest.mark.parametrize(
    ("category", "name"), [(c, name) for c, names in NAMES_FORBIDDEN.items() for name in names]
)
def test_a_claim_that_names_a_forbidden_category_is_refused(category: str, name: str) -> None:
    with pytest.raises(CategoryForbidden, match=category):
        check_schema("degree", schema(**{name: {"type": "boolean"}}))


@pytest.mark.parametrize("keyword", ["title", "description", "$comment"])
@pytest.mark.parametrize(
    "text",
    [
        "The holder's religion",
        "RELIGIOUS community",
        "Ｒｅｌｉｇｉｏｎ of the holder",
        "Réligion",
        "Result of a DNA test",
        "member of a trade union",
        "Known illnesses",
        "持有人的宗教信仰",
        "宗 教",
        "Social credit score",
    ],
)
def test_words_that_name_a_forbidden_category_are_refused(keyword: str, text: str) -> None:
    with pytest.raises(CategoryForbidden):
        check_schema("degree", schema(claim={"type": "boolean", keyword: text}))
    with pytest.raises(CategoryForbidden):
        check_schema("degree", schema() | {keyword: text})


def test_names_of_types_and_definitions_are_read_too() -> None:
    with pytest.raises(CategoryForbidden):
        check_schema("party-membership", schema())
    with pytest.raises(CategoryForbidden):
        check_schema("degree", schema() | {"$defs": {"religion": {"type": "boolean"}}})


@pytest.mark.parametrize("entry", sorted({e for entries in FORBIDDEN.values() for e in entries}))
def test_every_word_of_the_table_is_found(entry: str) -> None:
    plain = entry.replace("*", "")

    for is_name in (True, False):
        assert forbidden_category(plain, is_name=is_name)
    assert forbidden_category(plain.upper().replace(" ", "_"), is_name=True)


@pytest.mark.parametrize(
    "text",
    [
        "sex",
        "Sex",
        "general",
        "generation",
        "gender",
        "policy",
        "European Union citizen",
        "student union",
        "health_scheme",
        "Health entitlement",
        "nothing about her health",
        "credit points",
        "score of the final examination",
        "party",
        "registration_number",
        "unified_social_credit_code",
        "统一社会信用代码",
        "性别",
        "健康保险",
        "信用额度",
        "genus",
        "face value",
        "Iristown",
    ],
)
def test_ordinary_words_pass(text: str) -> None:
    assert forbidden_category(text, is_name=True) is None
    assert forbidden_category(text, is_name=False) is None


def accredit(ledger: TestLedger, subject: str, role: str, *types: str) -> None:
    ledger.as_root(
        Accredit(
            accreditation=identifier(role),
            subject=subject,
            role=role,
            types=types,
            until_height=None,
        )
    )


@pytest.fixture
def ledger() -> TestLedger:
    return TestLedger()


PUBLISH = PublishSchema(name="degree", version="1", schema=schema())


@pytest.mark.parametrize("role", ["issuer", "authority"])
def test_who_is_accredited_for_the_type_publishes(ledger: TestLedger, role: str) -> None:
    author = ledger.create("author")
    accredit(ledger, author, role, "degree")

    ledger.ask("author", author, PUBLISH)

    data = ledger.state[schema_key("degree", "1")]
    record = SchemaRecord.parse(data)
    assert (record.schema, record.publisher) == (schema(), author)
    assert record.digest == schema_digest(schema())
    assert record.encode() == data


def test_a_root_publishes(ledger: TestLedger) -> None:
    ledger.as_root(PUBLISH)

    assert schema_key("degree", "1") in ledger.state


def test_nobody_else_publishes(ledger: TestLedger) -> None:
    author = ledger.create("author")
    with pytest.raises(MayNotPublishSchema):
        ledger.ask("author", author, PUBLISH)
    accredit(ledger, author, "registrar", "degree")
    accredit(ledger, author, "issuer", "residence")
    with pytest.raises(MayNotPublishSchema):
        ledger.ask("author", author, PUBLISH)


def test_an_ended_issuer_publishes_nothing(ledger: TestLedger) -> None:
    author = ledger.create("author")
    accredit(ledger, author, "issuer", "degree")
    ledger.as_root(EndAccreditation(accreditation=identifier("issuer"), reason="closed"))

    with pytest.raises(MayNotPublishSchema):
        ledger.ask("author", author, PUBLISH)


def test_a_schema_is_published_once(ledger: TestLedger) -> None:
    ledger.as_root(PUBLISH)

    with pytest.raises(SchemaExists):
        ledger.as_root(PublishSchema(name="degree", version="1", schema=schema(x={"const": 1})))
    ledger.as_root(PublishSchema(name="degree", version="2", schema=schema()))


def test_not_even_a_root_publishes_what_nobody_may(ledger: TestLedger) -> None:
    bad = schema(religion={"type": "boolean"})

    with pytest.raises(CategoryForbidden):
        ledger.as_root(PublishSchema(name="degree", version="1", schema=bad))


def test_a_schema_that_was_never_parsed_is_checked_by_the_rule(ledger: TestLedger) -> None:
    action = PublishSchema(name="degree", version="1", schema=schema(faith={"type": "boolean"}))
    context = Context(
        state=ledger,
        block=ledger.block(),
        network=NetworkRecord.parse(ledger.state["network"]),
        author=ledger.root,
        transaction="0" * 64,
    )

    with pytest.raises(CategoryForbidden):
        publish_schema(action, context)


@pytest.mark.parametrize("version", ["", "0", "01", "1.0", "1234567", 1])
def test_a_version_is_a_number_without_leading_zeros(version: Any) -> None:
    with pytest.raises(Malformed):
        PublishSchema.parse(PUBLISH.to_body() | {"version": version})


def test_a_record_with_another_digest_is_refused(ledger: TestLedger) -> None:
    ledger.as_root(PUBLISH)
    record = SchemaRecord.parse(ledger.state[schema_key("degree", "1")]).to_object()
    spoilt = deepcopy(record)
    spoilt["schema"]["title"] = "Other"

    SchemaRecord.parse(record)
    with pytest.raises(Malformed):
        SchemaRecord.parse(spoilt)
