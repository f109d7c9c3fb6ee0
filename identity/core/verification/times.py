"""Dates in W3C credentials."""

import re
from datetime import UTC, datetime

from identity.core.verification.failure import CheckFailed

_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})"
)  # xsd:dateTimeStamp; W3C VCDM 2.0 §4.9


def read_time(text: object) -> int:
    """An xsd:dateTimeStamp as unix seconds, rounded down.

    Raises:
        CheckFailed: no text of that form, or no such instant.
    """
    if not isinstance(text, str) or not _TIMESTAMP.fullmatch(text):
        raise CheckFailed("time_malformed", "a date is not an xsd:dateTimeStamp")
    try:
        return int(datetime.fromisoformat(text).astimezone(UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise CheckFailed("time_malformed", "a date is no instant that exists") from error
