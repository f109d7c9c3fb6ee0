"""Points in time as signed documents write them: `xsd:dateTimeStamp`, offset required."""

import re
from datetime import UTC, datetime, timedelta, timezone

from registry.core.refusals import Malformed, NotPermitted

_STAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,20}))?(?:Z|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_MAX_OFFSET = timedelta(hours=14)  # XML Schema 1.1 part 2 §3.3.7


class NotADateTimeStamp(Malformed):
    """The value is no `xsd:dateTimeStamp` that we can compare."""


class NotValidNow(NotPermitted):
    """The credential is not valid yet, or not any more."""


def parse_date_time_stamp(value: object) -> datetime:
    """Read an `xsd:dateTimeStamp` (XML Schema 1.1 part 2 §3.4.28) as an aware datetime in UTC.

    Fractions are cut to microseconds; years are 0001 to 9999; `24:00:00` is the next midnight.

    Raises:
        NotADateTimeStamp: anything else, also a date without a time and a time without an offset.
    """
    match = _STAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise NotADateTimeStamp("not a date and time with an offset")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    offset = timedelta()
    if sign:
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        if offset > _MAX_OFFSET or int(offset_minutes) > 59:
            raise NotADateTimeStamp("the offset is out of range")
    end_of_day = (hour, minute, second, microsecond) == (24, 0, 0, 0)
    try:
        local = datetime(
            year,
            month,
            day,
            0 if end_of_day else hour,
            minute,
            second,
            microsecond,
            tzinfo=timezone(-offset if sign == "-" else offset),
        )
        return (local + timedelta(days=1 if end_of_day else 0)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotADateTimeStamp("not a date and time that exists") from error


def format_date_time_stamp(moment: datetime) -> str:
    """Write an aware datetime in UTC, to the second, with `Z`."""
    if moment.tzinfo is None:
        raise NotADateTimeStamp("a point in time needs an offset")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
