"""DID resolution and DID URL dereferencing over the ledger, apart from HTTP (W3C DID Resolution).

`did:cairn` is read from the ledger, at a version or a time when one is asked for; `did:key` and
`did:jwk` follow from their text. Other methods would need a connection to somewhere, and are not
supported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from registry.core.did_document import did_document, document_metadata
from registry.core.did_record import DidRecord
from registry.core.did_url import DidNotValid, DidUrl, DidUrlNotValid, parse_did
from registry.core.encoding import JsonObject
from registry.core.identifiers import network_of
from registry.core.key_documents import jwk_document, key_document
from registry.core.records import did_key, did_version_key, read_record
from registry.core.refusals import Malformed, NotFound, Refusal, Unavailable

_VERSION = re.compile(r"[1-9][0-9]{0,15}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_OPTIONS = ("versionId", "versionTime", "service", "relativeRef")


class DidNotFound(NotFound):
    """No such DID, version, or part of its document."""


class MethodNotSupported(Malformed):
    """Well-formed, of a DID method that this resolver does not speak."""


class OptionsNotValid(Malformed):
    """An option that is known has a value it cannot have, or two contradict each other."""


class RepresentationNotSupported(Malformed):
    """None of the media types that the caller accepts is to be had."""


@dataclass(frozen=True, slots=True)
class ResolutionError:
    """An error code of the specification, with the HTTP status its binding gives it."""

    code: str
    status: int


ERRORS: Final[Mapping[type[Refusal], ResolutionError]] = {
    DidNotValid: ResolutionError("INVALID_DID", 400),
    DidUrlNotValid: ResolutionError("INVALID_DID_URL", 400),
    OptionsNotValid: ResolutionError("INVALID_OPTIONS", 400),
    DidNotFound: ResolutionError("NOT_FOUND", 404),
    RepresentationNotSupported: ResolutionError("REPRESENTATION_NOT_SUPPORTED", 406),
    MethodNotSupported: ResolutionError("METHOD_NOT_SUPPORTED", 501),
    Unavailable: ResolutionError("INTERNAL_ERROR", 503),
}


def error_of(refusal: Refusal) -> ResolutionError:
    """The specification's code for a refusal."""
    return next(
        (error for kind, error in ERRORS.items() if isinstance(refusal, kind)),
        ResolutionError("INTERNAL_ERROR", 500),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A DID document with its metadata."""

    document: JsonObject
    metadata: JsonObject

    @property
    def deactivated(self) -> bool:
        """Whether the DID is no more; the document then says nothing."""
        return self.metadata.get("deactivated") is True


@dataclass(frozen=True, slots=True)
class Redirect:
    """A DID URL that names a resource at a service."""

    location: str


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves DIDs of one ledger. `read` gives the bytes under a state key, or None."""

    read: Callable[[str], bytes | None]

    def get(self, key: str) -> bytes | None:
        """As `registry.core.records.StateReader.get`."""
        return self.read(key)

    def resolve(self, did: str, options: Mapping[str, str]) -> Resolution:
        """The document of `did`.

        Args:
            did: a DID, and nothing after it.
            options: `versionId` or `versionTime`; others are left alone.

        Raises:
            DidNotValid, OptionsNotValid, DidNotFound, MethodNotSupported: see there.
            Unavailable: the ledger cannot answer.
        """
        parsed = parse_did(did)
        version, time = read_options(options)
        if parsed.method in ("key", "jwk"):
            document = key_document(did) if parsed.method == "key" else jwk_document(did)
            if version is not None:
                raise DidNotFound("a DID of this method has no versions")
            return Resolution(document=document, metadata={})
        if parsed.method != "cairn":
            raise MethodNotSupported(f"did:{parsed.method} is not resolved here")
        return self._resolve_cairn(did, version, time)

    def dereference(self, url: DidUrl, options: Mapping[str, str]) -> Resolution | Redirect:
        """What a DID URL names: the document, a part of it, or a place at a service.

        A part comes as a `Resolution` whose document is that part.

        Raises:
            DidUrlNotValid: `relativeRef` without `service`, or one that leaves the service.
            DidNotFound, and as `resolve`.
        """
        resolution = self.resolve(url.did, options)
        if url.path:
            raise DidNotFound("DID URLs of this method have no paths")
        if "service" in options:
            service = _part(resolution.document, f"{url.did}#{options['service']}", "service")
            location = _at_service(str(service["serviceEndpoint"]), options.get("relativeRef"))
            if url.fragment is not None:
                location += "#" + quote(url.fragment, safe="!$&'()*+,;=:@/?")
            return Redirect(location)
        if "relativeRef" in options:
            raise DidUrlNotValid("relativeRef needs a service")
        if url.fragment is None:
            return resolution
        part = _part(
            resolution.document, f"{url.did}#{url.fragment}", "verificationMethod", "service"
        )
        return Resolution(document=part, metadata=resolution.metadata)

    def _resolve_cairn(self, did: str, version: int | None, time: int | None) -> Resolution:
        try:
            network_of(did)
        except Malformed as error:
            raise DidNotValid(error.detail) from error
        newest = read_record(self, did_key(did), DidRecord.parse)
        if newest is None:
            raise DidNotFound("the ledger has no such DID")
        if version is not None:
            number = version
        elif time is not None:
            number = self._version_at(newest, time)
        else:
            number = newest.version
        if not 1 <= number <= newest.version:
            raise DidNotFound("the DID has no such version")
        record = newest if number == newest.version else self._version(newest, number)
        following = None if record is newest else self._version(newest, number + 1)
        return Resolution(
            document=did_document(record),
            metadata=document_metadata(record, following=following),
        )

    def _version(self, newest: DidRecord, number: int) -> DidRecord:
        record = read_record(self, did_version_key(newest.did, number), DidRecord.parse)
        if record is None or (record.did, record.version) != (newest.did, number):
            raise Unavailable("an earlier version of the DID is missing")
        return record

    def _version_at(self, newest: DidRecord, time: int) -> int:
        """Number of the version that held at `time`, 0 before there was one."""
        low, high = 0, newest.version  # `low` began by then, or is none; `high` + 1 did not
        while low < high:
            middle = (low + high + 1) // 2
            if self._version(newest, middle).time <= time:
                low = middle
            else:
                high = middle - 1
        return low


def read_options(options: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Version number and time in Unix seconds, as far as they are asked for.

    Raises:
        OptionsNotValid: a value of another form, both at once, or a known name in other letters,
            which would otherwise be passed over and answered with the newest version.
    """
    known = {name.lower() for name in _OPTIONS}
    if any(name.lower() in known and name not in _OPTIONS for name in options):
        raise OptionsNotValid(f"options are spelt {', '.join(_OPTIONS)}")
    version, time = options.get("versionId"), options.get("versionTime")
    if version is not None and time is not None:
        raise OptionsNotValid("versionId and versionTime exclude each other")
    if version is not None and not _VERSION.fullmatch(version):
        raise OptionsNotValid("versionId is not a decimal number")
    if time is None:
        return (None if version is None else int(version)), None
    try:
        if not _TIME.fullmatch(time):
            raise ValueError
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise OptionsNotValid("versionTime is not a UTC time such as 2026-01-31T23:59:59Z") from (
            error
        )
    return None, int(moment.timestamp())


def _part(document: JsonObject, identifier: str, *members: str) -> JsonObject:
    for member in members:
        for item in document.get(member, ()):
            if item["id"] == identifier:
                return dict(item)
    raise DidNotFound("the DID document has no such part")


def _at_service(endpoint: str, relative: str | None) -> str:
    """The endpoint, or a place below its origin; a caller cannot lead it elsewhere."""
    if relative is None:
        return endpoint
    try:
        location = urljoin(endpoint, relative)
        same = urlsplit(location)[:2] == urlsplit(endpoint)[:2]
    except ValueError as error:
        raise DidUrlNotValid("relativeRef is no URI reference") from error
    if not same or not re.fullmatch(r"[!-~]+", location):
        raise DidUrlNotValid("relativeRef leads away from the service, or is no URI reference")
    return location
