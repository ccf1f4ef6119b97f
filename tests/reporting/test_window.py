"""What is a window and what is none."""

from datetime import UTC, datetime, timedelta

import pytest

from reporting.window import Window, WindowError, parse_window

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LAST = timedelta(microseconds=1)


@pytest.mark.parametrize("given", [(None, None), ("", ""), (" ", None)])
def test_none_was_asked_for(given: tuple[str | None, str | None]) -> None:
    assert parse_window(*given, "UTC", NOW) is None


@pytest.mark.parametrize(
    ("since", "until", "timezone", "expected"),
    [
        (
            "2026-11-01",
            "2026-11-02",
            "UTC",
            Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC) - LAST),
        ),
        (
            "2026-11-01",
            "2026-11-01",
            "Europe/Berlin",
            Window(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, 23, tzinfo=UTC) - LAST),
        ),
        # The day on which the clocks go back has 25 hours.
        (
            "2026-10-25",
            "2026-10-25",
            "Europe/Berlin",
            Window(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC) - LAST),
        ),
        (
            "2026-11-01T08:00",
            "2026-11-01T09:00+03:00",
            "Asia/Tokyo",
            Window(datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
        ),
        ("2026-11-01T08:00:30Z", None, "Asia/Tokyo", Window(datetime(2026, 11, 1, 8, 0, 30, tzinfo=UTC))),
        ("2026-11-21", "2026-11-21", "UTC", Window(datetime(2026, 11, 21, tzinfo=UTC), NOW)),
    ],
)
def test_ends_in_the_owners_time_zone(since: str, until: str | None, timezone: str, expected: Window) -> None:
    assert parse_window(since, until, timezone, NOW) == expected


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (None, "2026-11-01", "Give since, too"),
        ("2026-11-22", None, "since is '2026-11-22', which is in the future"),
        ("2026-11-01", "2026-11-22", "until is '2026-11-22', which is in the future"),
        ("2026-11-01", "2026-11-21T12:01Z", "in the future"),
        ("2026-11-02", "2026-11-01", "which is not after it"),
        ("2026-11-01T08:00", "2026-11-01T08:00", "which is not after it"),
        ("yesterday", None, "since is 'yesterday'; it takes an ISO date or time"),
        ("2026-11-01", "9999-12-31T99:00", "it takes an ISO date or time"),
        ("0001-01-01", None, "before 1970"),
        ("1969-12-31", None, "before 1970"),
    ],
)
def test_what_is_none_is_said(since: str | None, until: str | None, said: str) -> None:
    with pytest.raises(WindowError, match=said):
        parse_window(since, until, "UTC", NOW)


def test_a_time_before_all_times_is_said() -> None:
    with pytest.raises(WindowError, match="it takes an ISO date or time"):
        parse_window("0001-01-01", None, "Asia/Tokyo", NOW)
