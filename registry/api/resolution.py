"""DID resolution and DID URL dereferencing over the ledger, apart from HTTP (W3C DID Resolution).

`did:cairn` is read from the ledger, at a version, time or height when one is asked for; `did:key`
and `did:jwk` follow from their text. `did:web` needs a document that lies somewhere: it goes
through a port, which knows our own documents and the few places that may be asked. Other methods
are not supported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from registry.api.ports import WebDocuments
from registry.core.did_document import did_document, document_metadata
from registry.core.did_record import DidRecord, version_at
from registry.core.did_url import DidNotValid, DidUrl, DidUrlNotValid, parse_did
from registry.core.did_web import (
    WebDocumentNotValid,
    WebPlaceNotListed,
    parse_web_document,
    web_url,
)
from registry.core.encoding import JsonObject
from registry.core.fields import MAX_INTEGER
from registry.core.identifiers import network_of
from registry.core.key_documents import jwk_document, key_document
from registry.core.key_forms import KEY_FORMS, MULTIKEY, in_form
from registry.core.keys import KeyNotAdmitted
from registry.core.records import did_key, did_version_key, read_record
from registry.core.refusals import Malformed, NotFound, Refusal, Unavailable

_VERSION = re.compile(r"[1-9][0-9]{0,15}")
_HEIGHT = re.compile(r"0|[1-9][0-9]{0,15}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ASCII = re.compile(r"[!-~]*")
_MOMENTS = ("versionId", "versionTime", "height")
_OPTIONS = (*_MOMENTS, "publicKeyFormat", "service", "relativeRef")


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
    WebDocumentNotValid: ResolutionError("INVALID_DID_DOCUMENT", 500),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which version is asked for, by at most one of number, time and height; keys in which form."""

    version: int | None = None
    time: int | None = None  # Unix seconds
    height: int | None = None
    key_form: str = MULTIKEY

    @property
    def of_the_past(self) -> bool:
        """Whether anything but the newest is asked for."""
        return (self.version, self.time, self.height) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves DIDs of one ledger."""

    read: Callable[[str], bytes | None]  # the bytes under a state key
    height: Callable[[], int]  # of the newest block
    web: WebDocuments | None = None  # None: did:web is not resolved

    def get(self, key: str) -> bytes | None:
        """As `registry.core.records.StateReader.get`."""
        return self.read(key)

    def resolve(self, did: str, options: Mapping[str, str]) -> Resolution:
        """The document of `did`.

        Args:
            did: a DID, and nothing after it.
            options: one of `versionId`, `versionTime` and `height`; `publicKeyFormat`, which
                leaves alone what another publishes as it is: did:jwk and did:web. Of others only
                the alphabet is checked.

        Raises:
            DidNotValid, DidUrlNotValid, OptionsNotValid: see there, and `read_options`.
            DidNotFound, MethodNotSupported: see there.
            WebDocumentNotValid: what lies at the address of a `did:web` is no document of it.
            Unavailable: the ledger, or the place of a `did:web`, cannot answer.
        """
        parsed = parse_did(did)
        wanted = read_options(options)
        if parsed.method == "cairn":
            found = self._resolve_cairn(did, wanted)
            return replace(found, document=in_form(found.document, wanted.key_form))
        if parsed.method == "web":
            return Resolution(document=self._fetch_web(did, wanted), metadata={})
        if parsed.method not in ("key", "jwk"):
            raise MethodNotSupported(f"did:{parsed.method} is not resolved here")
        document = _of_key(did, wanted) if parsed.method == "key" else jwk_document(did)
        if wanted.version is not None:
            raise DidNotFound("a DID of this method has no versions")
        return Resolution(document=document, metadata={})

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
            location = _at_service(service.get("serviceEndpoint"), options.get("relativeRef"))
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

    def _fetch_web(self, did: str, wanted: Wanted) -> JsonObject:
        url = web_url(did)
        if self.web is None:
            raise MethodNotSupported("did:web is not resolved here")
        if wanted.of_the_past:
            raise DidNotFound("a did:web keeps no earlier versions")
        try:
            data = self.web.fetch(url)
        except WebPlaceNotListed as refusal:
            # The same answer as without a list, so that nobody learns what is on it and not up.
            raise MethodNotSupported("did:web is resolved here for listed places only") from refusal
        except NotFound as refusal:
            raise DidNotFound("nothing is published for this did:web") from refusal
        return parse_web_document(data, did)

    def _resolve_cairn(self, did: str, wanted: Wanted) -> Resolution:
        try:
            network_of(did)
        except Malformed as error:
            raise DidNotValid(error.detail) from error
        newest = read_record(self, did_key(did), DidRecord.parse)
        if newest is None:
            raise DidNotFound("the ledger has no such DID")
        if wanted.version is not None:
            number = wanted.version
        elif wanted.time is not None:
            number = self._version_at(newest, wanted.time)
        elif wanted.height is not None:
            number = self._version_at_height(newest, wanted.height)
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

    def _version_at_height(self, newest: DidRecord, height: int) -> int:
        """Number of the version that held at the end of block `height`, 0 before there was one."""
        if height > self.height():
            # What will hold then is not known, and an answer about a height must stay true.
            raise DidNotFound("the ledger has not reached this height")
        found = version_at(
            height, newest=newest, read_version=lambda number: self._version(newest, number)
        )
        return 0 if found is None else found.version

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


def _of_key(did: str, wanted: Wanted) -> JsonObject:
    document = key_document(did)
    try:
        return in_form(document, wanted.key_form)
    except KeyNotAdmitted as refusal:
        raise OptionsNotValid(
            "publicKeyFormat: keys of this kind are written as Multikey"
        ) from refusal


def read_options(options: Mapping[str, str]) -> Wanted:
    """Version number and time in Unix seconds, as far as they are asked for.

    Raises:
        OptionsNotValid: a value of another form, two moments at once, or a known name in other
            letters, which would otherwise be passed over and answered with the newest version.
        DidUrlNotValid: a value, also of a name that we do not know, that is no visible ASCII
            (DID Resolution §3: DID parameters are ASCII strings, escaped as URIs are).
    """
    known = {name.lower() for name in _OPTIONS}
    if any(name.lower() in known and name not in _OPTIONS for name in options):
        raise OptionsNotValid(f"options are spelt {', '.join(_OPTIONS)}")
    if sum(name in options for name in _MOMENTS) > 1:
        raise OptionsNotValid(f"{', '.join(_MOMENTS)} exclude each other")
    version, time, height = (options.get(name) for name in _MOMENTS)
    if version is not None and not _VERSION.fullmatch(version):
        raise OptionsNotValid("versionId is not a decimal number")
    if height is not None and not (_HEIGHT.fullmatch(height) and int(height) <= MAX_INTEGER):
        raise OptionsNotValid("height is not the number of a block")
    if (form := options.get("publicKeyFormat", MULTIKEY)) not in KEY_FORMS:
        raise OptionsNotValid(f"publicKeyFormat is one of {', '.join(KEY_FORMS)}")
    if not all(_ASCII.fullmatch(value) for value in options.values()):
        raise DidUrlNotValid("values of parameters are visible ASCII characters, others escaped")
    return Wanted(
        version=None if version is None else int(version),
        time=None if time is None else _seconds(time),
        height=None if height is None else int(height),
        key_form=form,
    )


def _seconds(time: str) -> int:
    try:
        if not _TIME.fullmatch(time):
            raise ValueError
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise OptionsNotValid("versionTime is not a UTC time such as 2026-01-31T23:59:59Z") from (
            error
        )
    return int(moment.timestamp())


def _part(document: JsonObject, identifier: str, *members: str) -> JsonObject:
    for member in members:
        for item in document.get(member, ()):
            # Documents of others may hold relative ids (DID Core §3.2.2).
            if item["id"] in (identifier, "#" + identifier.partition("#")[2]):
                return dict(item)
    raise DidNotFound("the DID document has no such part")


def _at_service(endpoint: object, relative: str | None) -> str:
    """The endpoint, or a place below its origin; a caller cannot lead it elsewhere."""
    if not isinstance(endpoint, str) or not re.fullmatch(r"https?://[!-~]{1,2000}", endpoint):
        raise DidNotFound("the service is at no address of the web")  # in a document of others
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
