"""Reads the events of every calendar in the list: all of them up to a horizon, or the changes since the last read.

Google has a sync token for each calendar. The reader's own token has them all, by a digest of the calendar's id, and the
horizon of the read. If Google refuses one of them, or the horizon has moved, everything is read. A calendar that is new in the
list is read completely; nothing of it can be gone.

What becomes of what is not met:

- An event that Google says is cancelled was deleted: the reason is `trashed`. So is a single instance that was cancelled.
- An event that a full refresh does not meet is asked for by its id. It may have moved beyond the horizon, and then stays.
- A calendar that is not in the list any more takes its events along: their reason is `missing`.
- A calendar that is in the list but may not be read keeps its events, and the log says so.

Google reports the deletion of a recurring event only for instances of about half a year; the next full refresh notices the
others (https://github.com/googleapis/google-api-ruby-client/issues/860).
"""

import hashlib
import json
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from itertools import batched
from typing import Any

from reporting.entity import Entity
from reporting.sources.base import IncompleteReadError, Page, Record, Tombstone, missing
from reporting.sources.google_api import JsonObject, RefusedError
from reporting.sources.google_calendar.api import Account, Answer, Progress
from reporting.sources.google_calendar.records import (
    begins_on,
    content_hash,
    event_record,
    key_of,
    parts_of,
    series_of,
)
from reporting.sources.shapes import mapping, mappings

logger = logging.getLogger(__name__)

# How many months after the present one are read. The horizon moves at the beginning of a month, and not each day, since
# every move makes the next read a full one.
MONTHS_AHEAD = 13
# The statuses for a token that is expired (410), or that belongs to other parameters or another account.
REFUSED_TOKEN = frozenset((400, 410))
# The statuses for a calendar of which only free times may be read, or that was removed since the list was read.
REFUSED_CALENDAR = frozenset((403, 404))
GONE = frozenset((404, 410))
ASKED_PER_PAGE = 50


class _ExpiredTokenError(Exception):
    """Google does not accept a sync token any more."""


class EventsReader:
    """Reads the events of an account; a `SyncReader` and a `LookupReader`.

    `today` is the day from which the horizon is counted.
    """

    def __init__(self, account: Account, entity: Entity, today: date, page_size: int | None = None) -> None:
        self.account = account
        self._entity = entity
        self._page_size = page_size or entity.page_size
        self._horizon = horizon_of(today)
        self._resumed: str | None = None
        self._sync_token: str | None = None
        self._is_full_refresh = False
        self._listed: tuple[str, ...] | None = None
        self._unreadable: set[str] = set()

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, including retries and requests for access tokens."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The time of Google's clock in its first answer."""
        return self.account.transport.server_started_at

    @property
    def sync_token(self) -> str | None:
        """The tokens of all calendars as one text; known when the read is complete."""
        return self._sync_token

    @property
    def is_full_refresh(self) -> bool:
        """Whether all records are read, even if only changes were requested; known with the first page."""
        return self._is_full_refresh

    def resume_at(self, sync_token: str | None) -> None:
        """Set the token from which an incremental refresh begins. With None or an expired token it becomes a full refresh."""
        self._resumed = sync_token

    def describe(self) -> JsonObject:
        """The parameters of the requests."""
        return {"singleEvents": True, "timeMax": self._time_max}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield all events, or with `since` the changes since the sync token, if Google still accepts all of it."""
        calendars = self._list_calendars()
        tokens = None if since is None else self._tokens()
        begun: dict[str, Answer | None] = {}
        if tokens is not None:
            try:
                begun = {
                    each: self._first_answer(each, tokens[_digest(each)])
                    for each in calendars
                    if _digest(each) in tokens
                }
            except _ExpiredTokenError as error:
                logger.warning(
                    "%s: Google does not accept a sync token any more, so everything is read: %s",
                    self._entity.table,
                    error,
                )
                tokens = None
        self._is_full_refresh = tokens is None
        if tokens is None:
            begun, tokens = {}, {}
        following: dict[str, str] = {}
        for calendar_id in calendars:
            token = tokens.get(_digest(calendar_id))
            first = begun.pop(calendar_id) if calendar_id in begun else self._first_answer(calendar_id, None)
            if first is not None:
                token = yield from self._pages(calendar_id, token, first)
            if token is not None:
                following[_digest(calendar_id)] = token
        self._sync_token = json.dumps({"horizon": self._horizon.isoformat(), "calendars": following})

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record: not if its calendar could not be read."""
        return parts_of(record_id)[0] not in self._unreadable

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the events that exist after all, and tombstones for the others."""
        listed = self._list_calendars() if self._listed is None else self._listed
        unlisted: list[str] = []
        others: list[str] = []
        for each in ids:
            (others if parts_of(each)[0] in listed else unlisted).append(each)
        yield from missing(unlisted)
        series: dict[tuple[str, str], Record | Tombstone] = {}
        for some in batched(others, ASKED_PER_PAGE, strict=False):
            requested_at = datetime.now(UTC)
            found = [self._event(each, series) for each in some]
            yield Page(
                requested_at,
                tuple(each for each in found if isinstance(each, Record)),
                tuple(each for each in found if isinstance(each, Tombstone)),
            )

    def look_up(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the present state of each: the event, or a tombstone."""
        return self.ask_about(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the event."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    @property
    def _time_max(self) -> str:
        return datetime.combine(self._horizon, time(), UTC).isoformat()

    def _list_calendars(self) -> tuple[str, ...]:
        """The ids of the calendars in the list, in its order."""
        found = [each.get("id") for answer in self.account.calendars() for each in mappings(answer.items)]
        self._listed = tuple(dict.fromkeys(each for each in found if isinstance(each, str) and each))
        self._unreadable = set()
        return self._listed

    def _tokens(self) -> Mapping[str, str] | None:
        """The sync tokens by digest of their calendars; None if everything is to be read."""
        if self._resumed is None:
            return None
        try:
            kept = json.loads(self._resumed)
            tokens = {str(key): str(each) for key, each in kept["calendars"].items()}
            horizon = date.fromisoformat(kept["horizon"])
        except (ValueError, TypeError, KeyError, AttributeError):
            logger.warning("%s: the sync token cannot be read, so everything is read.", self._entity.table)
            return None
        if horizon != self._horizon:
            logger.info(
                "%s: events are now read up to %s, so everything is read.", self._entity.table, self._horizon
            )
            return None
        return tokens

    def _first_answer(self, calendar_id: str, token: str | None) -> Answer | None:
        """The first answer for a calendar; None if it may not be read. Raises `_ExpiredTokenError`."""
        try:
            return self._ask(calendar_id, token, None)
        except RefusedError as error:
            if token is not None and error.status in REFUSED_TOKEN:
                raise _ExpiredTokenError(str(error)) from None
            if error.status not in REFUSED_CALENDAR:
                raise
            self._unreadable.add(calendar_id)
            logger.warning(
                "%s: the events of the calendar %s cannot be read (%d), so they stay as they were read last. All other "
                "calendars are read. Ask its owner to share its details, or hide it in the settings of Google Calendar.",
                self._entity.table,
                _digest(calendar_id),
                error.status,
            )
            return None

    def _pages(
        self, calendar_id: str, token: str | None, answer: Answer
    ) -> Generator[Page, None, str | None]:
        """Yield `answer` and what follows it, and return the calendar's next sync token."""
        progress = Progress(f"the calendar {_digest(calendar_id)} of {self._entity.table}")
        while True:
            yield self._page(calendar_id, answer, is_change=token is not None)
            if answer.next_page is None:
                # Only the last page has a token. If it has none, the previous token is still valid.
                return answer.body.get("nextSyncToken") or token
            progress.check(answer)
            try:
                answer = self._ask(calendar_id, token, answer.next_page)
            except RefusedError as error:
                if error.status not in REFUSED_TOKEN | REFUSED_CALENDAR:
                    raise
                raise IncompleteReadError(
                    f"Google no longer returns the next page of a calendar of {self._entity.table} ({error}); nothing was "
                    "loaded. Run the task again."
                ) from None

    def _ask(self, calendar_id: str, token: str | None, page_token: str | None) -> Answer:
        # A request with a sync token must not have an end, and otherwise the same parameters as the one that gave it:
        # https://developers.google.com/workspace/calendar/api/v3/reference/events/list
        return self.account.ask(
            f"a calendar of {self._entity.table}",
            self.account.api.events().list(
                calendarId=calendar_id,
                singleEvents=True,
                maxResults=self._page_size,
                timeMax=None if token else self._time_max,
                syncToken=token,
                pageToken=page_token,
            ),
        )

    def _page(self, calendar_id: str, answer: Answer, is_change: bool) -> Page:
        records: list[Record] = []
        tombstones: list[Tombstone] = []
        for each in answer.items:
            record = event_record(calendar_id, each)
            if record.id is not None and _is_cancelled(each):
                tombstones.append(Tombstone(record.id, "trashed", is_told=True))
            elif record.id is None or not is_change or self._is_within(each):
                records.append(record)
        return Page(answer.requested_at, tuple(records), tuple(tombstones))

    def _is_within(self, event: Mapping[str, Any]) -> bool:
        """Whether a full refresh would return an event. Changes come from beyond the horizon, too."""
        begins = begins_on(event)
        return begins is None or begins < self._horizon

    def _event(self, key: str, series: dict[tuple[str, str], Record | Tombstone]) -> Record | Tombstone:
        """An event, or its tombstone. `series` keeps the recurring events that were asked for."""
        calendar_id, event_id = parts_of(key)
        recurring = series_of(event_id)
        if recurring is not None:
            # A recurring event that is gone answers for all of its instances.
            place = (calendar_id, recurring)
            if place not in series:
                series[place] = self._asked(calendar_id, recurring)
            whole = series[place]
            if isinstance(whole, Tombstone):
                return Tombstone(key, whole.reason, is_told=True)
        return self._asked(calendar_id, event_id)

    def _asked(self, calendar_id: str, event_id: str) -> Record | Tombstone:
        request = self.account.api.events().get(calendarId=calendar_id, eventId=event_id)
        try:
            answer = self.account.ask(f"an event of {self._entity.table}", request)
        except RefusedError as error:
            if error.status not in GONE:
                raise
            return Tombstone(key_of(calendar_id, event_id), "missing", is_told=True)
        record = event_record(calendar_id, answer.body)
        if record.id != key_of(calendar_id, event_id):
            raise IncompleteReadError(
                f"Google answered with another event than was asked for in {self._entity.table}, so it is not known whether "
                "that exists; nothing was loaded. Run the task again."
            )
        return Tombstone(record.id, "trashed", is_told=True) if _is_cancelled(answer.body) else record


def horizon_of(today: date) -> date:
    """The first day that is not read any more."""
    months = today.month - 1 + MONTHS_AHEAD
    return date(today.year + months // 12, months % 12 + 1, 1)


def _is_cancelled(event: Any) -> bool:
    return mapping(event).get("status") == "cancelled"


def _digest(calendar_id: str) -> str:
    """What stands for a calendar in the sync log and in messages: its id is often somebody's e-mail address."""
    return hashlib.sha256(calendar_id.encode()).hexdigest()[:12]
