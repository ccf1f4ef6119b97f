"""The time as a stand-in has it: the machine's, and what a test let pass at once."""

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that can be moved; there is one a process, as a stand-in is a process of its own."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        """This instant (UTC)."""
        return datetime.now(UTC) + self.passed


CLOCK = Clock()
