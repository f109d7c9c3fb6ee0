"""Dates in W3C credentials, as the checks compare them."""

from identity.core.date_time import parse_date_time_stamp


def read_time(text: object) -> int:
    """An xsd:dateTimeStamp as unix seconds, rounded down.

    Raises:
        NotADateTimeStamp: no text of that form, or no such instant.
    """
    return int(parse_date_time_stamp(text).timestamp() // 1)
