"""The name of a network: it is in every DID, transaction, head and trust anchor of it."""

import re

from registry.core.refusals import Malformed

_NETWORK = re.compile(r"[a-z0-9-]{1,32}")


def is_network_name(value: object) -> bool:
    """Whether `value` is 1 to 32 lower-case ASCII letters, digits and hyphens."""
    return isinstance(value, str) and _NETWORK.fullmatch(value) is not None


def parse_network_name(value: object) -> str:
    """Read a network name from its JSON form.

    Raises:
        Malformed: not a string, or not of the form.
    """
    if not is_network_name(value):
        raise Malformed("network name is not 1 to 32 lower-case letters, digits and hyphens")
    return str(value)
