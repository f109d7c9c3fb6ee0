"""What a credential schema may contain, whoever signs it.

Only keywords whose effect this file understands are let in, so that nothing slips past the two
rules it holds: no forbidden category is named, and no place is left where any text about a person
would fit. JSON Schema 2020-12; references lead to `$defs` of the same schema and no further.
"""

import re
from typing import Any

from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.fields import text, url
from registry.core.refusals import Malformed
from registry.core.schema_keywords import (
    KEYWORDS,
    MAX_PROPERTIES,
    MAX_WORDS,
    PROPERTY,
    REFERENCE,
    CategoryForbidden,
    SchemaNotValid,
    TextUnbounded,
    check_words,
)

__all__ = ["CategoryForbidden", "SchemaNotValid", "TextUnbounded", "check_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 << 10
MAX_TEXT = 500  # characters of a string with no other bound than its length: a line, no report
MAX_FORMATTED = 2048  # characters of a string with a format: a URI

_ROOT_ONLY = frozenset(["$schema", "$id", "$defs"])
_DEFINITION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ENDLESS = re.compile(r"(?:\.|\\[SWDswd]|\])(?:[*+]|\{\d+,\})")  # a class repeated without end


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
        check_words(name, is_name=True)
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
        if keyword not in KEYWORDS or (keyword in _ROOT_ONLY and not is_root):
            raise SchemaNotValid("a keyword is not known here")
        KEYWORDS[keyword](value)
    reference = schema.get("$ref")
    if reference is not None and REFERENCE.fullmatch(reference)[1] not in known:  # type: ignore[index]
        raise SchemaNotValid("a reference leads nowhere, or out of a definition")
    _check_named(schema.get("properties", {}), "properties", PROPERTY, known=known)
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
        check_words(name, is_name=True)
        _check(schema, known=known, is_typed=False)
