"""Answers the requests that push records."""

import asyncio
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from reporting.deploy.stream_store import Kept, digest
from reporting.sources.base import Record
from reporting.sources.stream.declare import StreamTable
from reporting.sources.stream.records import MOST_RECORDS, TooManyError, parsed
from reporting.web.attempts import Budget
from reporting.web.bodies import AGAIN_SECONDS, Bodies, RefusedError, answer, headers_of
from reporting.web.guard import Receive, Scope, Send, path_of
from reporting.web.places import NoPlaceError, Places

log = logging.getLogger(__name__)

# How long tokens are remembered: one that was made or revoked counts after this time. No wrong token asks the database.
KEPT_SECONDS = 5.0
LIMIT, LIMIT_SECONDS = 60, 60.0
PLACES = 4
LONGEST_KEY = 200
# Readers look back so far behind their cursor, and more.
LONGEST_WRITE = timedelta(minutes=1)
BEARER = "bearer "


class Store(Protocol):
    """What the endpoint keeps. Each method may block, and raises whatever went wrong."""

    def tokens(self) -> Mapping[str, frozenset[str]]:
        """The digests of the tokens of each stream."""

    def answered(self, table: StreamTable, key: str) -> Kept | None:
        """What a request with that key was answered."""

    def keep(self, table: StreamTable, records: list[Record], request_id: str, received_at: datetime) -> None:
        """Write records to the landing."""

    def done(self, table: StreamTable, key: str | None, content: str, said: Mapping[str, Any]) -> None:
        """Have the records loaded soon, and keep the answer if the request has a key."""


class Stream:
    """An ASGI application. `tables` are the streams by name."""

    def __init__(
        self,
        tables: Mapping[str, StreamTable],
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tables = tables
        self._store = store
        self._clock, self._now = clock, now
        self._bodies = Bodies()
        self._places = Places("stream", PLACES)
        self._budget = Budget(LIMIT, LIMIT_SECONDS)
        self._tokens: Mapping[str, frozenset[str]] = {}
        self._tokens_at = float("-inf")
        self._asking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            status, content = await self._take(scope, receive)
        except RefusedError as refusal:
            await answer(send, refusal.status, {"detail": str(refusal)}, refusal.again)
        else:
            await answer(send, status, content)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[int, Mapping[str, Any]]:
        if scope["method"] != "POST":
            raise RefusedError(405, "Records are pushed by POST.")
        headers = headers_of(scope)
        table = await self._allowed(path_of(scope).strip("/"), headers.get("authorization", []))
        keys = headers.get("idempotency-key", [])
        if len(keys) > 1 or not all(0 < len(each) <= LONGEST_KEY for each in keys):
            raise RefusedError(
                400, f"There is one Idempotency-Key at most, of 1 to {LONGEST_KEY} characters."
            )
        body = await self._bodies.read(scope, receive)
        try:
            place = self._places.take()
        except NoPlaceError:
            raise RefusedError(503, "Too much comes at once. Send it again.", AGAIN_SECONDS) from None
        try:
            done = await place.run(self._accept, table, body, keys[0] if keys else None)
        except (RefusedError, TooManyError) as error:
            place.leave()
            if isinstance(error, RefusedError):
                raise
            raise RefusedError(413, f"A request has at most {MOST_RECORDS} records.") from None
        except Exception as error:  # noqa: BLE001  # its text may quote a record
            log.error("%s: a request cannot be kept (%s).", table.table, type(error).__name__)
            raise RefusedError(
                503, "The records cannot be kept now. Send them again.", AGAIN_SECONDS
            ) from None
        place.leave()
        return done

    async def _allowed(self, name: str, authorization: list[str]) -> StreamTable:
        """The stream for which the request has a token, once it is within the limit of that token."""
        async with self._asking:
            if self._clock() - self._tokens_at >= KEPT_SECONDS:
                try:
                    self._tokens = await asyncio.to_thread(self._store.tokens)
                except Exception as error:  # noqa: BLE001  # its text may quote the database's address
                    log.error("The tokens of streams cannot be read (%s).", type(error).__name__)
                    raise RefusedError(
                        503, "The database cannot be asked. Send it again.", AGAIN_SECONDS
                    ) from None
                self._tokens_at = self._clock()
        given = authorization[0] if len(authorization) == 1 else ""
        found = digest(given[len(BEARER) :].strip()) if given[: len(BEARER)].lower() == BEARER else ""
        known = self._tokens.get(name, frozenset())
        # Which stream there is, is not shown either.
        if not sum([hmac.compare_digest(found, each) for each in known]) or name not in self._tables:
            raise RefusedError(401, "The token is wrong, missing or revoked, or there is no such stream.")
        now = self._clock()
        wait = self._budget.wait(found, now)
        if wait > 0:
            said = f"At most {LIMIT} requests within {LIMIT_SECONDS:.0f} seconds are taken with a token."
            raise RefusedError(429, said, int(wait) + 1)
        self._budget.spend(found, now)
        return self._tables[name]

    def _accept(self, table: StreamTable, body: bytes, key: str | None) -> tuple[int, Mapping[str, Any]]:
        content = digest(body)
        if key is not None and (before := self._store.answered(table, key)) is not None:
            if before.content != content:
                raise RefusedError(409, "This Idempotency-Key was used for another body.")
            return 202, before.answer
        received_at = self._now()
        # The same request makes the same keys of rows, so that one whose answer was lost adds none.
        request_id = digest(f"{table.name} {key}")[:24] if key is not None else secrets.token_hex(12)
        records, refused = parsed(table, body, request_id, received_at)
        said = {"accepted": len(records), "refused": [each.to_json() for each in refused]}
        if not records:
            return 422, said
        self._store.keep(table, records, request_id, received_at)
        if self._now() - received_at > LONGEST_WRITE:
            # Readers may have gone past it.
            raise RefusedError(503, "Writing took too long. Send the records again.", AGAIN_SECONDS)
        self._store.done(table, key, content, said)
        return 202, said
