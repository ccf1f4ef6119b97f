"""Logs the progress of a long read."""

import logging
import time
from collections.abc import Callable

from reporting.sources.base import Page, SourceError

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 30.0


class Progress:
    """Counts pages, and logs every half minute how many there were and how fast they come.

    `expected_count` is called once, before the first line is logged; it returns None if the source does not know. `kept_count`
    is the number of records that an earlier attempt kept.
    """

    def __init__(
        self,
        name: str,
        expected_count: Callable[[], int | None],
        kept_count: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._ask = expected_count
        self._kept_count = kept_count
        self._monotonic = monotonic
        self._began_at = self._said_at = monotonic()
        self._page_count = 0
        self._record_count = 0
        self._expected: int | None = None
        self._is_asked = False

    def add(self, page: Page) -> None:
        """Count a page."""
        self._page_count += 1
        self._record_count += len(page.records)
        now = self._monotonic()
        if now - self._said_at >= INTERVAL_SECONDS:
            self._said_at = now
            self._say(now - self._began_at)

    def _say(self, seconds: float) -> None:
        if not self._is_asked:
            self._is_asked = True
            try:
                self._expected = self._ask()
            except SourceError:
                logger.debug("%s: the number of records is not known.", self._name)
        total = self._kept_count + self._record_count
        rate = self._record_count / seconds
        logger.info(
            "%s: %d records so far, %d of them in the %d pages of this attempt, %.0f per second%s.",
            self._name,
            total,
            self._record_count,
            self._page_count,
            rate,
            self._estimate(total, rate),
        )

    def _estimate(self, total: int, rate: float) -> str:
        if self._expected is None or not rate:
            return ""
        left = max(self._expected - total, 0) / rate
        return f"; of about {self._expected}, so it takes about {left / 60:.0f} more minutes"
