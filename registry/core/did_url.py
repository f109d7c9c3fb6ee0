"""DIDs and DID URLs as text (DID Core 1.0 §3.1, §3.2): syntax only, whatever the method."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from registry.core.refusals import Malformed

MAX_DID_URL_CHARS = 2048  # a did:jwk of a P-384 key has 250, with a `kid` and `x5c` perhaps 1500

_IDCHAR = r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})"
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_DID = re.compile(rf"did:([a-z0-9]+):((?:{_IDCHAR}*:)*{_IDCHAR}+)")
_REST = re.compile(rf"((?:/{_PCHAR}*)*)(?:\?((?:{_PCHAR}|[/?])*))?(?:#((?:{_PCHAR}|[/?])*))?")


class DidNotValid(Malformed):
    """The text is no DID."""


class DidUrlNotValid(Malformed):
    """The text is no DID URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DidUrl:
    """A DID URL in its parts, each without the character that opens it."""

    did: str
    method: str
    specific: str  # what follows the method's name
    path: str = ""  # with its leading slash, or empty
    query: tuple[tuple[str, str], ...] = ()  # decoded, in the order given
    fragment: str | None = None

    @property
    def is_did(self) -> bool:
        """Whether it is a DID alone."""
        return not self.path and not self.query and self.fragment is None


def parse_did(text: str) -> DidUrl:
    """Read a DID, and nothing after it.

    Raises:
        DidNotValid: it is none.
    """
    if len(text) > MAX_DID_URL_CHARS or not (match := _DID.fullmatch(text)):
        raise DidNotValid("not a DID")
    return DidUrl(did=text, method=match[1], specific=match[2])


def parse_did_url(text: str) -> DidUrl:
    """Read a DID URL; a bare DID is one.

    Raises:
        DidUrlNotValid: it is none, or names a query parameter twice.
    """
    if len(text) > MAX_DID_URL_CHARS or not (start := _DID.match(text)):
        raise DidUrlNotValid("not a DID URL")
    rest = _REST.fullmatch(text, start.end())
    if rest is None:
        raise DidUrlNotValid("not a DID URL")
    return DidUrl(
        did=start[0],
        method=start[1],
        specific=start[2],
        path=rest[1],
        query=parse_parameters(rest[2] or ""),
        fragment=None if rest[3] is None else unquote(rest[3]),
    )


def parse_parameters(query: str) -> tuple[tuple[str, str], ...]:
    """Read a query: names and values, percent-decoded; `+` is itself, as in any URI but a form's.

    Raises:
        DidUrlNotValid: bytes that are not UTF-8, or a name that stands twice.
    """
    try:
        pairs = tuple(
            (unquote(name, errors="strict"), unquote(value, errors="strict"))
            for name, _, value in (part.partition("=") for part in query.split("&") if part)
        )
    except UnicodeDecodeError as error:
        raise DidUrlNotValid("query of a DID URL is not UTF-8") from error
    if len({name for name, _ in pairs}) != len(pairs):
        raise DidUrlNotValid("query of a DID URL names a parameter twice")
    return pairs
