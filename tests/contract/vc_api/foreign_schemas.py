"""Schemas of others that the conformance installation of these tests is given as files."""

import json
from pathlib import Path
from typing import Any

from registry.core.encoding import JsonObject

DRAFTS = {
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft-07": "http://json-schema.org/draft-07/schema#",
}


def url_of(name: str) -> str:
    """The `id` under which a credential names the schema."""
    return f"https://schemas.example/{name}.json"


def schema(name: str, **changes: Any) -> JsonObject:
    """A subject has an `email`, and it looks like one."""
    document = {
        "$id": url_of(name),
        "$schema": DRAFTS.get(name, DRAFTS["2020-12"]),
        "type": "object",
        "properties": {
            "credentialSubject": {
                "type": "object",
                "properties": {"email": {"type": "string", "format": "email"}},
                "required": ["email"],
            }
        },
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


SCHEMAS: dict[str, tuple[str, JsonObject]] = {
    **{name: ("JsonSchema", schema(name)) for name in DRAFTS},
    "unknown-dialect": (
        "JsonSchema",
        schema("unknown-dialect", **{"$schema": "https://json-schema.org/unknown/schema#"}),
    ),
    "no-schema-member": ("JsonSchema", schema("no-schema-member", **{"$schema": None})),
    "not-a-schema": ("JsonSchema", schema("not-a-schema", type="strng")),
    "in-a-credential": (
        "JsonSchemaCredential",
        {
            "@context": ["https://www.w3.org/ns/credentials/v2"],
            "id": url_of("in-a-credential"),
            "type": ["VerifiableCredential", "JsonSchemaCredential"],
            "issuer": "https://schemas.example/",
            "credentialSchema": {
                "id": "https://www.w3.org/2022/credentials/v2/json-schema-credential-schema.json",
                "type": "JsonSchema",
                "digestSRI": (
                    "sha384-S57yQDg1MTzF56Oi9DbSQ14u7jBy0RDdx0YbeV7shwhCS88G8SCXeFq82PafhCrW"
                ),
            },
            "credentialSubject": {
                "id": url_of("inner"),
                "type": "JsonSchema",
                "jsonSchema": schema("inner"),
            },
        },
    ),
}


def write_schemas(folder: Path) -> list[Path]:
    """One file for each, as an operator would list them."""
    paths = []
    for name, (_, document) in SCHEMAS.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        paths.append(path)
    return paths
