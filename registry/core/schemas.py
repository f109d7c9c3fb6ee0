"""Publishing credential schemas: by name and version, once, for ever."""

from dataclasses import dataclass
from typing import ClassVar

from registry.core.context import Context
from registry.core.encoding import JsonObject, base64url_encode, canonical_json
from registry.core.fields import integer, members, octets, token
from registry.core.hashing import sha256
from registry.core.identifiers import VERSION, read_did, read_type
from registry.core.records import record_members, record_object, schema_key
from registry.core.refusals import Conflict, Malformed, NotPermitted
from registry.core.schema_rules import check_schema


class MayNotPublishSchema(NotPermitted):
    """The author is neither a root nor accredited, as issuer or authority, for this type."""


class SchemaExists(Conflict):
    """This version of this schema is published, and stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSchema:
    """Publish version `version` of the JSON Schema of the credential type `name`."""

    NAME: ClassVar[str] = "publish-schema"

    name: str
    version: str
    schema: JsonObject  # not to be changed in place

    def to_body(self) -> JsonObject:
        """The body of the transaction."""
        return {"name": self.name, "version": self.version, "schema": self.schema}

    @classmethod
    def parse(cls, body: object) -> "PublishSchema":
        """Read the body.

        Raises:
            Malformed: a member is missing, unknown or out of its bounds.
            NotPermitted: the schema may not be published by anybody; see `check_schema`.
        """
        found = members(body, "body of publish-schema", required=("name", "version", "schema"))
        name = read_type(found["name"], "name")
        check_schema(name, found["schema"])
        return cls(
            name=name,
            version=token(found["version"], "version", VERSION),
            schema=found["schema"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRecord:
    """A published schema; `digest` is the SHA-256 of its canonical JSON."""

    name: str
    version: str
    schema: JsonObject
    digest: bytes
    publisher: str
    height: int
    time: int

    def to_object(self) -> JsonObject:
        """The record as a JSON object."""
        return record_object(
            "schema",
            name=self.name,
            version=self.version,
            schema=self.schema,
            digest=base64url_encode(self.digest),
            publisher=self.publisher,
            height=self.height,
            time=self.time,
        )

    def encode(self) -> bytes:
        """The record's bytes in the state."""
        return canonical_json(self.to_object())

    @classmethod
    def parse(cls, value: object) -> "SchemaRecord":
        """Read the record from its bytes or its JSON object.

        Raises:
            Malformed: as `record_members`, a member out of its bounds, or a digest that is not
                that of the schema.
        """
        found = record_members(
            "schema",
            value,
            names=("name", "version", "schema", "digest", "publisher", "height", "time"),
        )
        digest = octets(found["digest"], "digest", size=32)
        if not isinstance(found["schema"], dict) or schema_digest(found["schema"]) != digest:
            raise Malformed("digest is not that of the schema")
        return cls(
            name=read_type(found["name"], "name"),
            version=token(found["version"], "version", VERSION),
            schema=found["schema"],
            digest=digest,
            publisher=read_did(found["publisher"], "publisher"),
            height=integer(found["height"], "height"),
            time=integer(found["time"], "time"),
        )


def schema_digest(schema: JsonObject) -> bytes:
    """SHA-256 of the schema's canonical JSON.

    Raises:
        Malformed: it has none.
    """
    return sha256(canonical_json(schema))


def publish_schema(action: PublishSchema, context: Context) -> dict[str, bytes]:
    """Publish, by a root that is the only member, or by who is accredited for the type.

    Raises:
        MayNotPublishSchema, SchemaExists: as they say.
    """
    check_schema(action.name, action.schema)  # also for actions that were not parsed
    if not context.is_decided and not context.author_holds(("issuer", "authority"), (action.name,)):
        raise MayNotPublishSchema("the author is not accredited for this credential type")
    key = schema_key(action.name, action.version)
    if context.state.get(key) is not None:
        raise SchemaExists("this version of the schema is published")
    record = SchemaRecord(
        name=action.name,
        version=action.version,
        schema=action.schema,
        digest=schema_digest(action.schema),
        publisher=context.author,
        height=context.block.height,
        time=context.block.time,
    )
    return {key: record.encode()}
