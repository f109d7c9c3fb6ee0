"""The keywords of JSON Schema 2020-12 that are let in, and the values that each may have."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from registry.core.fields import integer, text
from registry.core.forbidden_words import forbidden_category, mixes_scripts
from registry.core.refusals import Malformed, NotPermitted

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
PROPERTY = re.compile("[A-Za-z0-9_@-]{1,64}|[\u4e00-\u9fff]{1,64}")
REFERENCE = re.compile(r"#/\$defs/([A-Za-z0-9_-]{1,64})")


class SchemaNotValid(Malformed):
    """The schema is not in the part of JSON Schema 2020-12 that is let in."""


class CategoryForbidden(NotPermitted):
    """The schema names what no credential of this registry may say about a person."""


class TextUnbounded(NotPermitted):
    """The schema leaves a place where any text about a person would fit."""


def check_words(value: str, *, is_name: bool) -> None:
    """Refuse words that name a forbidden category, or hide what they name.

    Raises:
        SchemaNotValid, CategoryForbidden: as they say.
    """
    if mixes_scripts(value):
        raise SchemaNotValid("a word mixes letters of several scripts")
    category = forbidden_category(value, is_name=is_name)
    if category is not None:
        raise CategoryForbidden(f"no credential may say this about a person: {category}")


def _sentence(value: Any) -> None:
    check_words(text(value, "title, description or comment", high=MAX_WORDS), is_name=False)


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
        or not all(isinstance(item, str) and PROPERTY.fullmatch(item) for item in value)
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
    if not isinstance(value, str) or not REFERENCE.fullmatch(value):
        raise SchemaNotValid("$ref does not lead to $defs of this schema")


def _elsewhere(_value: Any) -> None:
    """The value is checked where it is used."""


KEYWORDS: Mapping[str, Callable[[Any], None]] = {
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
