"""Reads the credential types and the bundled JSON-LD contexts from `schemas/`."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from identity.core.credential_types import Catalogue, CredentialType
from identity.core.json_schema import MAX_SCHEMA_BYTES, known_schemas
from identity.core.jsonld import ContextStore
from registry.core.encoding import JsonObject, parse_json_object
from registry.core.refusals import Malformed

_SCHEMA_BASE = "{{schema_base}}"  # the one variable in the files: where they are published


def load_catalogue(schema_base: str) -> Catalogue:
    """Read every credential type, published under `schema_base` (no trailing slash)."""
    types = []
    for folder in sorted(files("schemas").iterdir(), key=lambda item: item.name):
        if not folder.is_dir() or folder.name in ("contexts", "__pycache__"):
            continue
        for version in sorted(folder.iterdir(), key=lambda item: item.name):
            types.append(_load_type(version, folder.name, schema_base))
    return Catalogue(types)


def read_published_contexts() -> Mapping[str, bytes]:
    """The bundled contexts byte for byte, by address."""
    folder = files("schemas") / "contexts"
    index = parse_json_object((folder / "index.json").read_bytes())
    return {address: (folder / name).read_bytes() for address, name in index.items()}


def load_contexts(catalogue: Catalogue) -> Mapping[str, JsonObject]:
    """Every JSON-LD context that is ever loaded, by address: the bundled ones and our own."""
    documents = {
        address: parse_json_object(text) for address, text in read_published_contexts().items()
    }
    documents.update({kind.context_url: kind.context for kind in catalogue})
    return documents


def load_context_store(catalogue: Catalogue) -> ContextStore:
    """The contexts, with the bytes of the bundled ones for digests in `relatedResource`."""
    return ContextStore(load_contexts(catalogue), published=read_published_contexts())


def load_foreign_schemas(paths: Sequence[Path]) -> Mapping[str, JsonObject]:
    """Schemas of others, as `identity.core.json_schema.known_schemas`.

    Raises:
        Malformed: a file is missing, too long or no JSON object, or as `known_schemas`.
    """
    documents = []
    for path in paths:
        if not path.is_file():
            raise Malformed(f"there is no schema file {path}")
        with path.open("rb") as file:
            data = file.read(MAX_SCHEMA_BYTES + 1)
        documents.append(parse_json_object(data, max_bytes=MAX_SCHEMA_BYTES))
    return known_schemas(documents)


def _load_type(folder: Traversable, name: str, schema_base: str) -> CredentialType:
    def read(file_name: str) -> JsonObject:
        text = (folder / file_name).read_text("utf-8")
        return parse_json_object(text.replace(_SCHEMA_BASE, json.dumps(schema_base)[1:-1]))

    display = read("display.json")
    vct = f"{schema_base}/{name}/{folder.name}"
    return CredentialType(
        name=name,
        version=folder.name,
        vct=vct,
        vc_type=display["vc_type"],
        schema=read("schema.json"),
        schema_url=f"{vct}/schema.json",
        context=read("context.jsonld"),
        context_url=f"{vct}/context.jsonld",
        display=display,
    )
