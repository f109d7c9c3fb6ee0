"""Names and service endpoints of a DID are public for ever: no room for anything about a person.

A rule cannot read minds, and a host name can be somebody's. What it can do is refuse the shapes in
which numbers, names and tokens of people get into URLs by habit or by mistake. The grammar in
`fields.url` has refused users, fragments and plain http before; this comes on top.
"""

import re

from registry.core.did import DidDetails
from registry.core.did_web import web_url
from registry.core.refusals import NotPermitted

MAX_QUERY_CHARS = 64  # of all parameters together: `version=2` fits, a token or a name does not
MAX_SEGMENT_CHARS = 80  # a did:cairn or a digest in hexadecimal fits
# The shortest number of a person that is common: a mobile number has 11 digits, an identity card
# 15 or 18, also when written in groups. In a host, dots divide an IP address.
_NUMBER_IN_HOST = re.compile(r"[0-9]{11}")
_NUMBER = re.compile(r"[0-9](?:[._~-]?[0-9]){10}")


class AddressMayNamePerson(NotPermitted):
    """A name or endpoint has a shape in which data about people gets into URLs."""


def check_addresses(details: DidDetails) -> None:
    """Refuse names and endpoints that look as if they said something of a person.

    Raises:
        AddressMayNamePerson: an `@`, an escape, a number of 11 digits or more, a long query or a
            long path segment; the detail says which and never repeats it.
    """
    for address in (*details.also_known_as, *(item.endpoint for item in details.services)):
        url = web_url(address) if address.startswith("did:web:") else address
        host, _, rest = url.partition("://")[2].partition("/")
        path, _, query = rest.partition("?")
        if "@" in url or "%" in url:  # an e-mail address, or an escape that hides what stands there
            raise AddressMayNamePerson("an address holds an @ or an escaped character")
        if _NUMBER_IN_HOST.search(host) or _NUMBER.search(rest):
            raise AddressMayNamePerson("an address holds a number of 11 digits or more")
        if len(query) > MAX_QUERY_CHARS:
            raise AddressMayNamePerson(f"an address has over {MAX_QUERY_CHARS} characters of query")
        if any(len(segment) > MAX_SEGMENT_CHARS for segment in path.split("/")):
            raise AddressMayNamePerson(f"a path segment has over {MAX_SEGMENT_CHARS} characters")
