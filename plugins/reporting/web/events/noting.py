"""Writes what many requests bring in few transactions: while one is written, what comes meanwhile waits for the next."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from reporting.sources.events import Event

Notes = list[tuple[str, Event]]
# Called in a thread; returns how many of the events are new.
Write = Callable[[Sequence[tuple[str, Event]], Mapping[str, int]], int]
MOST_WAITING = 5000
# Refused requests alone are written no more often.
REFUSED_SECONDS = 10.0


class FullError(Exception):
    """Too many events wait to be written."""


class Notebook:
    """Passes events to `write`, one call at a time. For use in one event loop."""

    def __init__(self, write: Write, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        # Its own thread, so that a database that does not answer holds none of the server's.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._waiting: list[tuple[Notes, asyncio.Future[None]]] = []
        self._count = 0
        self._refused: Counter[str] = Counter()
        self._written_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def note(self, notes: Notes) -> int:
        """Return when these are written, with how many they are. Raises `FullError`, and whatever `write` raises."""
        if self._count + len(notes) > MOST_WAITING:
            raise FullError
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((notes, done))
        self._count += len(notes)
        self._begin()
        await done
        return len(notes)

    def refuse(self, source: str) -> None:
        """Count a refused request, which is written later."""
        self._refused[source] += 1
        if self._clock() - self._written_at >= REFUSED_SECONDS:
            self._begin()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while True:
            batch, self._waiting = self._waiting, []
            refused, self._refused = self._refused, Counter()
            self._written_at = self._clock()
            notes = [note for each, _ in batch for note in each]
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._write, notes, refused)
            except Exception as error:  # noqa: BLE001  # those who wait are told
                self._refused.update(refused)
                _end(batch, error)
            else:
                _end(batch, None)
            self._count -= len(notes)
            if not self._waiting:
                return


def _end(batch: list[tuple[Notes, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in batch:
        # Whoever has asked may be gone.
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
