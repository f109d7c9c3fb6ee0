"""`credentialSchema` (VC JSON Schema 1.0): a credential judged by a schema that we have.

Nothing is ever fetched: neither a schema nor what its `$ref` names. What a verifier does not have
it cannot judge, and says so; that is no failure of the credential, and no success either.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType
from jsonschema_specifications import REGISTRY
from referencing.exceptions import Unresolvable

from identity.core.rdf_canon import is_absolute_iri
from registry.core.encoding import JsonObject, canonical_json, parse_json_object
from registry.core.refusals import Malformed, NotFound

JSON_SCHEMA, JSON_SCHEMA_CREDENTIAL = "JsonSchema", "JsonSchemaCredential"
MAX_SCHEMA_BYTES = 256 << 10

# §2.2: every JsonSchemaCredential names exactly this.
_OF_SCHEMA_CREDENTIALS = {
    "id": "https://www.w3.org/2022/credentials/v2/json-schema-credential-schema.json",
    "type": JSON_SCHEMA,
    "digestSRI": "sha384-S57yQDg1MTzF56Oi9DbSQ14u7jBy0RDdx0YbeV7shwhCS88G8SCXeFq82PafhCrW",
}
_DIALECTS: dict[str, Any] = {
    "https://json-schema.org/draft/2020-12/schema": Draft202012Validator,
    "https://json-schema.org/draft/2019-09/schema": Draft201909Validator,
    "http://json-schema.org/draft-07/schema": Draft7Validator,
    "https://json-schema.org/draft-07/schema": Draft7Validator,  # as the published suite has it
}


class SchemaNotValid(Malformed):
    """The schema is not the one that was named, or breaks a rule of VC JSON Schema 1.0."""


class DoesNotFit(Malformed):
    """The credential does not fit the schema."""


class NotJudged(NotFound):
    """Indeterminate (§4.2): the schema is in a dialect that is not known here, or is not here."""


def check_schema_of(credential: JsonObject, entry: JsonObject, document: JsonObject) -> None:
    """Judge a credential by the document that one `credentialSchema` entry names.

    1. The entry has one of the two types, and names `document` (§2).
    2. A JsonSchemaCredential holds a JSON Schema, and names the schema of its kind (§2.2).
    3. `$id` is an absolute URL, and `$schema` is there (§3.1).
    4. The dialect is one that we know; otherwise nothing can be said (§4.2).
    5. The schema is one, and the credential fits it.

    Args:
        credential: without what its securing added, or with it.
        entry: an object with `id` and `type`.
        document: what we have under that `id`.

    Raises:
        SchemaNotValid: step 1, 2, 3, or the schema of step 5.
        NotJudged: step 4, or a `$ref` to something that is not here.
        DoesNotFit: the credential of step 5; without the value that does not fit.
    """
    named, kind = entry.get("id"), entry.get("type")
    if kind == JSON_SCHEMA:  # 1
        schema = document
        if schema.get("$id") != named:
            raise SchemaNotValid("the schema has another $id than credentialSchema names")
    elif kind == JSON_SCHEMA_CREDENTIAL:
        schema = _held_schema(document, named)  # 2
    else:
        raise SchemaNotValid("credentialSchema is neither JsonSchema nor JsonSchemaCredential")
    if not is_absolute_iri(schema.get("$id")):  # 3
        raise SchemaNotValid("the schema has no $id that is an absolute URL")
    dialect = schema.get("$schema")
    if not isinstance(dialect, str) or not dialect:
        raise SchemaNotValid("the schema has no $schema")
    if dialect.removesuffix("#") not in _DIALECTS:  # 4
        raise NotJudged("the schema is in a dialect that is not known here")
    data = canonical_json(schema)
    if len(data) > MAX_SCHEMA_BYTES:
        raise SchemaNotValid(f"the schema is longer than {MAX_SCHEMA_BYTES} bytes")
    try:  # 5
        fits = _validator(data).is_valid(credential)
    except Unresolvable as error:
        raise NotJudged("the schema refers to something that is not here") from error
    except (RecursionError, UnknownType) as error:
        raise SchemaNotValid("the schema leads nowhere") from error
    if not fits:
        raise DoesNotFit("the credential does not fit the schema that it names")


def known_schemas(documents: Iterable[JsonObject]) -> Mapping[str, JsonObject]:
    """JSON Schemas by their `$id`, and JsonSchemaCredentials by their `id`.

    Raises:
        SchemaNotValid: a document that has neither, or two of one name.
    """
    known: dict[str, JsonObject] = {}
    for document in documents:
        name = document.get("$id", document.get("id"))
        if not is_absolute_iri(name):
            raise SchemaNotValid("a schema has no $id, or one that is no absolute URL")
        if name in known:
            raise SchemaNotValid("two schemas have one $id")
        known[str(name)] = document
    return known


def _held_schema(document: JsonObject, named: object) -> JsonObject:
    kinds = document.get("type")
    subject = document.get("credentialSubject")
    if document.get("id") != named:
        raise SchemaNotValid("the schema credential has another id than credentialSchema names")
    if JSON_SCHEMA_CREDENTIAL not in (kinds if isinstance(kinds, list) else [kinds]):
        raise SchemaNotValid("what credentialSchema names is no JsonSchemaCredential")
    if not isinstance(subject, dict) or subject.get("type") != JSON_SCHEMA:
        raise SchemaNotValid("the subject of a schema credential is a JsonSchema")
    if document.get("credentialSchema") != _OF_SCHEMA_CREDENTIALS:
        raise SchemaNotValid("a schema credential names the schema of its kind, and its digest")
    schema = subject.get("jsonSchema")
    if not isinstance(schema, dict):
        raise SchemaNotValid("the subject of a schema credential has no jsonSchema")
    return schema


@lru_cache(maxsize=64)  # schemas come from our own files, not from whoever shows a credential
def _validator(data: bytes) -> Any:
    schema = parse_json_object(data)
    dialect = _DIALECTS[schema["$schema"].removesuffix("#")]
    try:
        dialect.check_schema(schema)
    except SchemaError as error:
        raise SchemaNotValid("the schema is none of its dialect") from error
    # Without a registry of its own the library would fetch what a `$ref` names.
    return dialect(schema, registry=REGISTRY, format_checker=dialect.FORMAT_CHECKER)
