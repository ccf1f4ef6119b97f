"""A window that someone asks for: the changes that one read brings, whatever the cursor says."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


class WindowError(ValueError):
    """What was given is no window; the message says what is."""


@dataclass(frozen=True, slots=True)
class Window:
    """Both ends belong to it; without `until` it reaches to now. Times are UTC."""

    since: datetime
    until: datetime | None = None


def parse_window(since: str | None, until: str | None, timezone: str, now: datetime) -> Window | None:
    """The window that two ISO dates or times describe; None when none was asked for.

    What has no offset is in `timezone`, and a date as `until` is that whole day. Raises `WindowError`.
    """
    since, until = (since or "").strip(), (until or "").strip()
    if not since and not until:
        return None
    if not since:
        raise WindowError(f"until is '{until}' and since is empty. Give the start of the window, too.")
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
    # Of today only what is over can be read.
    return Window(begins, min(ends, now))


def parse_instant(name: str, text: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    """The UTC time of an ISO date or time; a date is its first moment, or its last with `is_end`.

    What has no offset is in `zone`. Raises `WindowError`, which calls what was given `name`.
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
