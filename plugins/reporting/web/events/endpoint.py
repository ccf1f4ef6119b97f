"""Answers the requests that bring events."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from reporting.sources.events import EventError, Request, StaleError
from reporting.web.bodies import AGAIN_SECONDS, Bodies, RefusedError, answer, headers_of
from reporting.web.events.noting import FullError, Notebook
from reporting.web.guard import Receive, Scope, Send, path_of

log = logging.getLogger(__name__)

# How long keys are remembered: one that was enrolled or removed counts after this time. No forged request asks the database.
KEPT_SECONDS = 5.0
TOLD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a source's signatures, and whether it may send one now."""

    secrets: tuple[str, ...] = ()
    is_open: bool = False


class Store(Protocol):
    """What the endpoint keeps in the metadata database. Each method may block, and raises whatever went wrong."""

    def keys(self) -> Mapping[str, Keys]:
        """The keys of each source."""

    def enrol(self, source: str, key: str) -> bool:
        """Keep a key that a source has sent, if the owner has asked for it."""


class Events:
    """An ASGI application. `modules` are the modules `events` of the sources by name; `address` is the public address below which
    the owner has told each source to send."""

    def __init__(
        self,
        modules: Mapping[str, Any],
        address: str,
        store: Store,
        notebook: Notebook,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._modules = modules
        self._address = address
        self._store = store
        self._notebook = notebook
        self._clock, self._now = clock, now
        self._bodies = Bodies()
        self._keys: Mapping[str, Keys] = {}
        self._keys_at = float("-inf")
        self._asking = asyncio.Lock()
        self._refused: Counter[str] = Counter()
        self._told_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            content = await self._take(scope, receive)
        except RefusedError as refusal:
            await answer(send, refusal.status, {"detail": str(refusal)}, refusal.again)
        else:
            await answer(send, 200, content)

    async def _take(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        source = path_of(scope).strip("/")
        module = self._modules.get(source)
        keys = (await self._current()).get(source, Keys()) if module else Keys()
        if module is None or not (keys.secrets or keys.is_open):
            raise RefusedError(404, "Nothing is taken here.")
        if scope["method"] != "POST":
            raise RefusedError(405, "Events are sent by POST.")
        body = await self._bodies.read(scope, receive)
        if keys.is_open and (key := getattr(module, "handshake_in", _no_handshake)(body)):
            return await self._enrol(source, key)
        query = scope.get("query_string", b"").decode("latin-1")
        address = f"{self._address}/{source}{f'?{query}' if query else ''}"
        request, now = Request(address, headers_of(scope), body), self._now()
        # All of them, so that the time does not show which one is right.
        if not sum([module.is_signed(request, each, now) for each in keys.secrets]):
            raise self._refusal(source)
        try:
            events = module.events_in(body, now)
        except StaleError:
            raise self._refusal(source) from None
        except EventError as error:
            log.warning("%s has sent what is not understood: %s.", source, error)
            raise RefusedError(400, f"This is not understood: {error}.") from None
        try:
            noted = await self._notebook.note([(source, each) for each in events])
        except FullError:
            raise RefusedError(503, "Too much comes at once. Send it again.", AGAIN_SECONDS) from None
        except Exception as error:  # noqa: BLE001  # whatever it is, the source must send it again
            raise _unavailable(error) from None
        return {"noted": noted}

    async def _current(self) -> Mapping[str, Keys]:
        async with self._asking:
            if self._clock() - self._keys_at >= KEPT_SECONDS:
                try:
                    self._keys = await asyncio.to_thread(self._store.keys)
                except Exception as error:  # noqa: BLE001  # whatever it is, the source must send it again
                    raise _unavailable(error) from None
                self._keys_at = self._clock()
            return self._keys

    async def _enrol(self, source: str, key: str) -> dict[str, Any]:
        try:
            is_taken = await asyncio.to_thread(self._store.enrol, source, key)
        except Exception as error:  # noqa: BLE001  # whatever it is, the source must send it again
            raise _unavailable(error) from None
        self._keys_at = float("-inf")
        if not is_taken:
            raise self._refusal(source)
        log.info("%s has sent the key of its webhook, which its owner has to confirm.", source)
        return {"noted": 0}

    def _refusal(self, source: str) -> RefusedError:
        self._notebook.refuse(source)
        self._refused[source] += 1
        if self._clock() - self._told_at >= TOLD_SECONDS:
            for name, number in self._refused.items():
                log.warning(
                    "%s: %d requests with a wrong, old or missing signature were refused.", name, number
                )
            self._refused.clear()
            self._told_at = self._clock()
        return RefusedError(401, "The signature is wrong, old or missing.")


def _no_handshake(_: bytes) -> None:
    return None


def _unavailable(error: Exception) -> RefusedError:
    # Its text may quote what was to be stored.
    log.error("Events cannot be noted (%s). Their sources send them again.", type(error).__name__)
    return RefusedError(503, "The database cannot be asked. Send it again.", AGAIN_SECONDS)
