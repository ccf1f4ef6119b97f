"""Runs slow work of requests in separate threads, with a limited number of places.

Airflow's server has one pool of threads for its pages, its API and the heartbeats of tasks. A request that waits there for the
warehouse, or for a slow client, could delay a task's heartbeat. So such work needs a place here. If all places are taken, the
request is refused and does not wait. A place becomes free when the work has really ended, and the answer was sent or the client
did not take it in time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

# A client that reads nothing for so many seconds, or has not finished after so many, is disconnected.
STALLED_SECONDS = 30.0
SENDING_SECONDS = 1800.0


class NoPlaceError(Exception):
    """All places are taken."""


class NotTakenError(Exception):
    """The client did not read its answer in time. The connection is closed, so that the client notices that it is incomplete."""


class Place:
    """One of the places. `leave` makes it free again."""

    def __init__(self, pool: ThreadPoolExecutor, leave: Callable[[], None]) -> None:
        self._pool = pool
        self._leave: Callable[[], None] | None = leave

    def leave(self) -> None:
        """Make the place free. A second call does nothing."""
        if self._leave is not None:
            self._leave()
            self._leave = None

    async def run[**P, T](self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run `work` in a thread and return its result. If it fails, or the request was cancelled, the place becomes free as
        soon as the work has ended."""
        doing = asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*arguments, **named))
        try:
            return await asyncio.shield(doing)
        except BaseException:
            if doing.done():
                self.leave()
            else:
                doing.add_done_callback(self._end)
            raise

    def _end(self, doing: "asyncio.Future[Any]") -> None:
        self.leave()
        # The request was cancelled, so the result is read here; otherwise asyncio would log an error about it.
        if not doing.cancelled():
            doing.exception()


class Places:
    """At most `count` places, for use in one event loop."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._free = count

    def take(self) -> Place:
        """A free place. Raises `NoPlaceError`."""
        if not self._free:
            raise NoPlaceError
        self._free -= 1
        return Place(self._pool, self._give_back)

    def _give_back(self) -> None:
        self._free += 1


class Sent(StreamingResponse):
    """An answer in pieces that holds a place until it was sent, or until the client did not take it in time."""

    def __init__(
        self,
        place: Place,
        pieces: Iterable[bytes],
        headers: dict[str, str],
        media_type: str,
        stalled_seconds: float,
        sending_seconds: float,
    ) -> None:
        super().__init__(_pieces(place, iter(pieces)), headers=headers, media_type=media_type)
        self._place = place
        self._stalled_seconds = stalled_seconds
        self._sending_seconds = sending_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer. Raises `NotTakenError`."""

        late = NotTakenError("A client did not take its download in time.")

        async def in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(self._stalled_seconds):
                    await send(message)
            # Converted, because Starlette would treat a time-out as a client that disconnected.
            except TimeoutError:
                raise late from None

        try:
            async with asyncio.timeout(self._sending_seconds):
                await super().__call__(scope, receive, in_time)
        except TimeoutError:
            raise late from None
        finally:
            self._place.leave()


async def _pieces(place: Place, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await place.run(next, pieces, None)) is not None:
        yield piece
