"""What the log of a long read says."""

from datetime import UTC, datetime

import pytest

from reporting.ingest.progress import Progress
from reporting.sources.base import Page, Record, SourceError

PAGE = Page(datetime(2026, 11, 21, tzinfo=UTC), tuple(Record({"id": str(key)}) for key in range(100)))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(expected: object, caplog: pytest.LogCaptureFixture, pages: int = 10, kept: int = 0) -> list[str]:
    """What is said of pages that take ten seconds each."""
    caplog.set_level("INFO", "reporting.ingest.progress")
    clock = Clock()
    asked = []

    def count() -> int | None:
        asked.append(clock.now)
        if isinstance(expected, Exception):
            raise expected
        return expected  # type: ignore[return-value]

    progress = Progress("hubspot__contacts", count, kept, clock)
    for _ in range(pages):
        clock.now += 10
        progress.add(PAGE)
    assert len(asked) <= 1
    return caplog.messages


def test_it_says_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    said = (
        "hubspot__contacts: {} records so far, {} of them in the {} pages of this attempt, 10 per second; "
        "of about 7000, so it takes about {} more minutes."
    )
    counts = [(1300, 300, 3, 10), (1600, 600, 6, 9), (1900, 900, 9, 8)]
    assert run(7000, caplog, kept=1000) == [said.format(*each) for each in counts]


@pytest.mark.parametrize("expected", [None, SourceError("refused")])
def test_a_source_that_does_not_know_is_no_matter(expected: object, caplog: pytest.LogCaptureFixture) -> None:
    assert run(expected, caplog, pages=3) == [
        "hubspot__contacts: 300 records so far, 300 of them in the 3 pages of this attempt, 10 per second."
    ]


def test_a_short_read_says_and_asks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert run(AssertionError("asked"), caplog, pages=2) == []
