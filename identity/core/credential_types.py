"""Credential types: what a credential of a kind may say, and how it is named in each format."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from registry.core.encoding import JsonObject
from registry.core.refusals import Malformed, NotFound


class UnknownCredentialType(NotFound):
    """No credential type of that name, vct or type is published here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialType:
    """One version of one credential type.

    Args:
        name: short name on the ledger and in accreditations, `resident-identity`.
        version: `"1"`.
        vct: type identifier in SD-JWT VC; a URL under which the type metadata is served.
        vc_type: type in the W3C data model, `ResidentIdentityCredential`.
        schema: JSON Schema (2020-12) of the credential; claims stand under `credentialSubject`.
        schema_url: its `$id`.
        context: JSON-LD context document.
        context_url: its address.
        display: names, colours, labels and minimum disclosure, by language tag.
    """

    name: str
    version: str
    vct: str
    vc_type: str
    schema: JsonObject
    schema_url: str
    context: JsonObject
    context_url: str
    display: JsonObject

    @property
    def doctype(self) -> str:
        """Document type of the mdoc, and the one name space of its elements (ISO/IEC 18013-5)."""
        return f"cairn.{self.name}.{self.version}"

    @property
    def claims_schema(self) -> JsonObject:
        """JSON Schema of the claims alone: what stands under `credentialSubject`."""
        subject: JsonObject = self.schema["properties"]["credentialSubject"]
        return subject

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the claims, in the order of display."""
        return tuple(self.display["claims"])

    @property
    def required(self) -> tuple[str, ...]:
        """Claims that every credential of this type has."""
        return tuple(self.claims_schema["required"])

    @property
    def minimum_disclosure(self) -> tuple[str, ...]:
        """What a relying party should ask for when it has no reason to ask for more."""
        return tuple(self.display["minimum_disclosure"])

    @property
    def type_metadata(self) -> JsonObject:
        """SD-JWT VC type metadata, served at `vct` (SD-JWT VC draft, "Type Metadata Format")."""
        names, descriptions = self.display["name"], self.display["description"]
        colors = self.display["colors"]
        return {
            "vct": self.vct,
            "name": names["en"],
            "description": descriptions["en"],
            "display": [
                {
                    "locale": locale,
                    "name": names[tag],
                    "description": descriptions[tag],
                    "rendering": {
                        "simple": {
                            "background_color": colors["background"],
                            "text_color": colors["text"],
                        }
                    },
                }
                for tag, locale in _LOCALES.items()
            ],
            "claims": [
                {
                    "path": [name],
                    "sd": "always",
                    "display": [
                        {"locale": locale, "label": labels[tag]} for tag, locale in _LOCALES.items()
                    ],
                }
                for name, labels in self.display["claims"].items()
            ],
        }


_LOCALES = {"en": "en-US", "zh": "zh-CN"}  # display languages and their RFC 5646 tags


class Catalogue:
    """The credential types that this installation publishes."""

    def __init__(self, types: Iterable[CredentialType]) -> None:
        self._types = tuple(types)
        if not self._types:
            raise Malformed("the catalogue of credential types is empty")

    def __iter__(self) -> Iterator[CredentialType]:
        return iter(self._types)

    def by_name(self, name: str, version: str = "1") -> CredentialType:
        """The type called `name`.

        Raises:
            UnknownCredentialType: there is none.
        """
        return self._find(lambda kind: kind.name == name and kind.version == version)

    def by_vct(self, vct: str) -> CredentialType:
        """The type with this SD-JWT VC type identifier.

        Raises:
            UnknownCredentialType: there is none.
        """
        return self._find(lambda kind: kind.vct == vct)

    def by_doctype(self, doctype: str) -> CredentialType:
        """The type with this document type.

        Raises:
            UnknownCredentialType: there is none.
        """
        return self._find(lambda kind: kind.doctype == doctype)

    def by_vc_type(self, vc_types: Iterable[str]) -> CredentialType:
        """The type that is among `vc_types`, the `type` array of a W3C credential.

        Raises:
            UnknownCredentialType: none of them, or more than one.
        """
        named = frozenset(vc_types)
        found = [kind for kind in self._types if kind.vc_type in named]
        if len(found) != 1:
            raise UnknownCredentialType("the credential names no type published here, or several")
        return found[0]

    def _find(self, wanted: Callable[[CredentialType], bool]) -> CredentialType:
        for kind in self._types:
            if wanted(kind):
                return kind
        raise UnknownCredentialType("no such credential type is published here")
