"""A window of time that a user asks for: one read brings the changes in it, whatever the cursor is."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


class WindowError(ValueError):
    """The two texts do not make a window; the message says which text is wrong, and what it takes."""


@dataclass(frozen=True, slots=True)
class Window:
    """An interval that includes both ends; without `until` it reaches to now. Times are UTC."""

    since: datetime
    until: datetime | None = None


def parse_window(since: str | None, until: str | None, timezone: str, now: datetime) -> Window | None:
    """The window between two ISO dates or times; None if both texts are empty.

    A time without an offset is in `timezone`, and a date as `until` includes that whole day. Raises `WindowError`.
    """
    since, until = (since or "").strip(), (until or "").strip()
    if not since and not until:
        return None
    if not since:
        raise WindowError(f"until is '{until}' and since is empty. Give since, too: the start of the window.")
    zone = ZoneInfo(timezone)
    begins = parse_instant("since", since, zone)
    if begins < EARLIEST:
        raise WindowError(f"since is '{since}'; no source knows times before 1970. Give a later one.")
    if begins > now:
        raise WindowError(f"since is '{since}', which is in the future ({timezone}). Give an earlier one.")
    if not until:
        return Window(begins)
    if parse_instant("until", until, zone) > now:
        raise WindowError(f"until is '{until}', which is in the future ({timezone}). Leave it empty for now.")
    ends = parse_instant("until", until, zone, is_end=True)
    if ends <= begins:
        raise WindowError(f"since is '{since}' and until is '{until}', which is not after it.")
    # If `until` is today, the day is not over yet.
    return Window(begins, min(ends, now))


def parse_instant(name: str, text: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    """Convert an ISO date or time to a UTC time. A date means its first moment, or its last with `is_end`.

    A text without an offset is in `zone`. Raises `WindowError`, whose message calls the text `name`.
    """
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        if not is_end:
            return datetime.combine(day, time(), zone).astimezone(UTC)
        # A day has 23, 24 or 25 hours: it ends before the next one begins.
        following = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
        return following - timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise WindowError(
            f"{name} is '{text}'; it takes an ISO date or time such as 2026-11-21 or 2026-11-21T09:00+01:00."
        ) from None
