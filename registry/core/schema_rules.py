"""What a credential schema may contain, whoever signs it.

Only keywords whose effect this file understands are let in, so that nothing slips past the two
rules it holds: no forbidden category is named, and no place is left where any text about a person
would fit. JSON Schema 2020-12; references lead to `$defs` of the same schema and no further.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import integer, text, url
from registry.core.forbidden_words import forbidden_category, mixes_scripts
from registry.core.refusals import Malformed, NotPermitted

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 << 10
MAX_TEXT = 500  # characters of a string with no other bound than its length: a line, no report
MAX_FORMATTED = 2048  # characters of a string with a format: a URI
MAX_ITEMS = 1024
MAX_PATTERN_CHARS = 256
MAX_PROPERTIES = 128
MAX_CHOICES = 1024
MAX_CHOICE_CHARS = 200
MAX_WORDS = 1000  # characters of a title, a description or a comment

_TYPES = ("string", "number", "integer", "boolean", "null", "object", "array")
_FORMATS = frozenset(
    ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"]
)
_ROOT_ONLY = frozenset(["$schema", "$id", "$defs"])
_PROPERTY = re.compile("[A-Za-z0-9_@-]{1,64}|[\u4e00-\u9fff]{1,64}")
_REFERENCE = re.compile(r"#/\$defs/([A-Za-z0-9_-]{1,64})")
_DEFINITION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENDLESS = re.compile(r"(?:\.|\\[SWDswd]|\])(?:[*+]|\{\d+,\})")  # a class repeated without end


class SchemaNotValid(Malformed):
    """The schema is not in the part of JSON Schema 2020-12 that is let in."""


class CategoryForbidden(NotPermitted):
    """The schema names what no credential of this registry may say about a person."""


class TextUnbounded(NotPermitted):
    """The schema leaves a place where any text about a person would fit."""


def check_schema(name: str, schema: object) -> None:
    """Check the schema of the credential type `name`.

    1. An object of at most 64 KiB with `$schema`, `$id`, `title` and `"type": "object"`.
    2. Only known keywords, each with a value that it may have.
    3. No name of a type, property or definition, no title, description or comment names a
       forbidden category.
    4. Every value has a type or a list of choices; every string a bound; every array a bound and a
       schema for its items; every object, except the outermost, is closed.

    Raises:
        SchemaNotValid, CategoryForbidden, TextUnbounded: as they say.
    """
    # 1
    if not isinstance(schema, dict):
        raise SchemaNotValid("schema is not an object")
    try:
        parse_json_object(canonical_json(schema), max_bytes=MAX_SCHEMA_BYTES)
        if schema.get("$schema") != DIALECT:
            raise SchemaNotValid(f"$schema is not {DIALECT}")
        url(schema.get("$id"), "$id")
        text(schema.get("title"), "title", high=MAX_WORDS)
        if schema.get("type") != "object":
            raise SchemaNotValid("the outermost type is not object")
        # 2 to 4
        _check_words(name, is_name=True)
        definitions = schema.get("$defs", {})
        _check_named(definitions, "$defs", _DEFINITION, known=frozenset())
        known = frozenset(definitions)
        _check(schema, known=known, is_root=True, is_typed=False)
    except (CategoryForbidden, TextUnbounded, SchemaNotValid):
        raise
    except Malformed as error:
        raise SchemaNotValid(error.detail) from error


def _check(schema: Any, *, known: frozenset[str], is_root: bool = False, is_typed: bool) -> None:
    """Check one schema and those in it.

    Args:
        known: names of definitions that a reference may lead to; none inside a definition, so that
            references never go round in a circle.
        is_typed: something around this schema says which type the value has, and bounds it.
    """
    if not isinstance(schema, dict):
        raise SchemaNotValid("a schema inside is not an object")
    for keyword, value in schema.items():
        if keyword not in _KEYWORDS or (keyword in _ROOT_ONLY and not is_root):
            raise SchemaNotValid("a keyword is not known here")
        _KEYWORDS[keyword](value)
    reference = schema.get("$ref")
    if reference is not None and _REFERENCE.fullmatch(reference)[1] not in known:  # type: ignore[index]
        raise SchemaNotValid("a reference leads nowhere, or out of a definition")
    _check_named(schema.get("properties", {}), "properties", _PROPERTY, known=known)
    says_type = "type" in schema or "enum" in schema or "const" in schema or reference is not None
    branches = [branch for key in ("allOf", "anyOf", "oneOf") for branch in schema.get(key, ())]
    for branch in branches:
        _check(branch, known=known, is_typed=is_typed or says_type)
    if not (says_type or branches or is_typed):
        raise TextUnbounded("a value has neither a type nor choices")
    if "items" in schema:
        _check(schema["items"], known=known, is_typed=False)
    if "enum" not in schema and "const" not in schema:
        _check_bounds(schema, is_root=is_root)


def _check_bounds(schema: JsonObject, *, is_root: bool) -> None:
    stated = schema.get("type", ())
    types = (stated,) if isinstance(stated, str) else tuple(stated)
    if "string" in types:
        _check_string(schema)
    if "array" in types and not ("items" in schema and "maxItems" in schema):
        raise TextUnbounded("an array has no items or no maxItems")
    if "object" in types and not is_root and schema.get("additionalProperties") is not False:
        raise TextUnbounded("an object inside is open: additionalProperties is not false")


def _check_string(schema: JsonObject) -> None:
    longest = schema.get("maxLength")
    if "format" in schema or _is_bounded_pattern(schema.get("pattern")):
        allowed = MAX_FORMATTED
    elif longest is None:
        raise TextUnbounded("a string has no maxLength, enum, format or closed pattern")
    else:
        allowed = MAX_TEXT
    if longest is not None and longest > allowed:
        raise TextUnbounded(f"a string may be longer than {allowed} characters")


def _is_bounded_pattern(pattern: str | None) -> bool:
    """Whether a pattern is anchored on both sides and repeats no class of characters for ever."""
    return (
        pattern is not None
        and pattern.startswith("^")
        and pattern.endswith("$")
        and "|" not in pattern  # an anchor would hold for one alternative only
        and not _ENDLESS.search(pattern)
        and not re.search(r"\)(?:[*+]|\{\d+,\})", pattern)
    )


def _check_named(
    value: Any, where: str, pattern: re.Pattern[str], *, known: frozenset[str]
) -> None:
    if not isinstance(value, dict) or len(value) > MAX_PROPERTIES:
        raise SchemaNotValid(f"{where} is not an object of at most {MAX_PROPERTIES} members")
    for name, schema in value.items():
        if not pattern.fullmatch(name):
            raise SchemaNotValid(f"a name under {where} is not of the form it must have")
        _check_words(name, is_name=True)
        _check(schema, known=known, is_typed=False)


def _check_words(value: str, *, is_name: bool) -> None:
    if mixes_scripts(value):
        raise SchemaNotValid("a word mixes letters of several scripts")
    category = forbidden_category(value, is_name=is_name)
    if category is not None:
        raise CategoryForbidden(f"no credential may say this about a person: {category}")


def _sentence(value: Any) -> None:
    _check_words(text(value, "title, description or comment", high=MAX_WORDS), is_name=False)


def _count(value: Any) -> None:
    integer(value, "a bound")


def _number(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SchemaNotValid("a limit is not a number")


def _positive(value: Any) -> None:
    _number(value)
    if value <= 0:
        raise SchemaNotValid("multipleOf is not above zero")


def _flag(value: Any) -> None:
    if not isinstance(value, bool):
        raise SchemaNotValid("a flag is neither true nor false")


def _type(value: Any) -> None:
    stated = [value] if isinstance(value, str) else value
    if (
        not isinstance(stated, list)
        or not stated
        or not all(isinstance(item, str) and item in _TYPES for item in stated)
        or len(set(stated)) != len(stated)
    ):
        raise SchemaNotValid("type is not a type or a list of different types")


def _choice(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > MAX_CHOICE_CHARS:
            raise TextUnbounded(f"a choice is longer than {MAX_CHOICE_CHARS} characters")
    elif value is not None and not isinstance(value, bool | int | float):
        raise SchemaNotValid("a choice is neither a string, a number, a flag nor null")


def _choices(value: Any) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHOICES:
        raise SchemaNotValid(f"enum is not an array of 1 to {MAX_CHOICES} choices")
    for item in value:
        _choice(item)


def _format(value: Any) -> None:
    if not isinstance(value, str) or value not in _FORMATS:
        raise SchemaNotValid("format is not one that is let in")


def _pattern(value: Any) -> None:
    # Not compiled: regular expressions differ between languages, and between versions of one.
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_PATTERN_CHARS:
        raise SchemaNotValid(f"pattern is not a string of 1 to {MAX_PATTERN_CHARS} characters")


def _names(value: Any) -> None:
    if (
        not isinstance(value, list)
        or len(value) > MAX_PROPERTIES
        or not all(isinstance(item, str) and _PROPERTY.fullmatch(item) for item in value)
        or len(set(value)) != len(value)
    ):
        raise SchemaNotValid("required is not an array of different names")


def _schemas(value: Any) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PROPERTIES:
        raise SchemaNotValid("allOf, anyOf or oneOf is not an array of schemas")


def _most_items(value: Any) -> None:
    if integer(value, "maxItems") > MAX_ITEMS:
        raise TextUnbounded(f"an array may have more than {MAX_ITEMS} items")


def _reference(value: Any) -> None:
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise SchemaNotValid("$ref does not lead to $defs of this schema")


def _elsewhere(_value: Any) -> None:
    """The value is checked where it is used."""


_KEYWORDS: Mapping[str, Callable[[Any], None]] = {
    "$schema": _elsewhere,
    "$id": _elsewhere,
    "$defs": _elsewhere,
    "$ref": _reference,
    "$comment": _sentence,
    "title": _sentence,
    "description": _sentence,
    "type": _type,
    "enum": _choices,
    "const": _choice,
    "properties": _elsewhere,
    "required": _names,
    "additionalProperties": _flag,
    "minProperties": _count,
    "maxProperties": _count,
    "items": _elsewhere,
    "minItems": _count,
    "maxItems": _most_items,
    "uniqueItems": _flag,
    "minLength": _count,
    "maxLength": _count,
    "pattern": _pattern,
    "format": _format,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "multipleOf": _positive,
    "allOf": _schemas,
    "anyOf": _schemas,
    "oneOf": _schemas,
}
