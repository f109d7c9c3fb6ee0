"""xsd:dateTimeStamp: what is read, and to which moment."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.core.date_time import (
    NotADateTimeStamp,
    format_date_time_stamp,
    parse_date_time_stamp,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T12:00:00Z", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00.5Z", datetime(2026, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-05-01T12:00:00.1234567Z", datetime(2026, 5, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-05-01T12:00:00+08:00", datetime(2026, 5, 1, 4, tzinfo=UTC)),
        ("2026-05-01T12:00:00-14:00", datetime(2026, 5, 2, 2, tzinfo=UTC)),
        ("2026-12-31T24:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_stamps_that_are_read(text, moment):
    assert parse_date_time_stamp(text) == moment


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "2026-05-01",
        "2026-05-01T12:00:00",
        "2026-05-01T12:00Z",
        "2026-05-01t12:00:00z",
        "2026-05-01 12:00:00Z",
        "2026-5-1T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2026-05-01T24:00:01Z",
        "2026-05-01T25:00:00Z",
        "2026-05-01T12:60:00Z",
        "2026-05-01T12:00:60Z",
        "2026-05-01T12:00:00.Z",
        "2026-05-01T12:00:00+14:01",
        "2026-05-01T12:00:00+0800",
        "2026-05-01T12:00:00+01:60",
        "2026-05-01T12:00:00Z\n",
        " 2026-05-01T12:00:00Z",
        "0000-05-01T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T24:00:00Z",
        "12026-05-01T12:00:00Z",
        "\u0662026-05-01T12:00:00Z",
    ],
)
def test_stamps_that_are_refused(value):
    with pytest.raises(NotADateTimeStamp):
        parse_date_time_stamp(value)


@given(
    st.datetimes(timezones=st.just(timezone(timedelta(hours=8))), min_value=datetime(1000, 1, 2))  # noqa: DTZ001
)
def test_there_and_back_to_the_second(moment):
    assert parse_date_time_stamp(format_date_time_stamp(moment)) == moment.replace(microsecond=0)


def test_a_moment_without_offset_is_refused():
    with pytest.raises(NotADateTimeStamp):
        format_date_time_stamp(datetime(2026, 1, 1))  # noqa: DTZ001
