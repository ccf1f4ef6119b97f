"""What is slow has its own few threads, and nobody keeps one for ever."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from reporting.web.places import NoPlaceError, NotTakenError, Places, Sent

SCOPE = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}}


async def silent() -> dict[str, Any]:
    """A client that never goes away."""
    await asyncio.Event().wait()
    return {}


def free(places: Places) -> int:
    taken = []
    try:
        while True:
            taken.append(places.take())
    except NoPlaceError:
        return len(taken)
    finally:
        for place in taken:
            place.leave()


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
@pytest.mark.parametrize("limits", [(0.02, 60.0), (60.0, 0.02)], ids=["stalled", "slow"])
def test_a_client_that_takes_nothing_is_cut_off_and_its_place_is_free(
    limits: tuple[float, float], spec: str
) -> None:
    async def asked() -> None:
        places = Places("test", 1)
        begun = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                begun.set()
                await asyncio.Event().wait()

        answer = Sent(places.take(), iter([b"a", b"b"]), {}, "text/csv", *limits)
        with pytest.raises(NotTakenError):
            await answer(SCOPE | {"asgi": {"spec_version": spec}}, silent, send)  # type: ignore[arg-type]
        assert begun.is_set()
        assert free(places) == 1

    asyncio.run(asked())


def test_a_client_that_takes_all_gets_all_and_leaves_its_place() -> None:
    async def asked() -> None:
        places = Places("test", 2)
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await Sent(places.take(), [b"a", b"", b"b"], {}, "text/csv", 9, 9)(SCOPE, silent, send)  # type: ignore[arg-type]
        assert b"".join(each.get("body", b"") for each in sent) == b"ab"
        assert free(places) == 2

    asyncio.run(asked())


def test_a_place_is_free_when_its_work_has_ended_and_not_when_nobody_waits_any_more() -> None:
    """Else the threads would be more than the places."""

    async def asked() -> None:
        places, go, begun = Places("test", 1), threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            go.wait()

        waiting = asyncio.create_task(places.take().run(work))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert free(places) == 0
        go.set()
        while not free(places):
            await asyncio.sleep(0)

    asyncio.run(asked())


def test_work_that_fails_leaves_its_place() -> None:
    async def asked() -> None:
        places = Places("test", 1)

        def fail() -> None:
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011  # it has no words
            await places.take().run(fail)
        assert free(places) == 1

    asyncio.run(asked())


def test_pieces_that_fail_half_way_fail_the_answer() -> None:
    def half() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("hush")

    async def asked() -> None:
        places = Places("test", 1)

        async def send(_: Any) -> None:
            pass

        with pytest.raises(ValueError, match="hush"):
            await Sent(places.take(), half(), {}, "text/csv", 9, 9)(SCOPE, silent, send)
        assert free(places) == 1

    asyncio.run(asked())
