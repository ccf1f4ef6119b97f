"""The clock of a fake API: the machine's time, plus the time by which a test has advanced it."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that tests can advance. There is one per process, since each fake API is a separate process."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        """The present time (UTC)."""
        return datetime.now(UTC) + self.passed


CLOCK = Clock()
