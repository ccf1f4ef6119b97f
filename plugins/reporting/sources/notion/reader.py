"""Reads the rows of one Notion database, to the end or not at all.

Facts about the API are from its reference: https://developers.notion.com/reference (query a data source).
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from reporting.entity import Entity, NotionDatabase
from reporting.settings import Settings
from reporting.sources.base import (
    IncompleteReadError,
    NotFoundError,
    NotReadError,
    Page,
    Record,
    Tombstone,
    purged,
)
from reporting.sources.notion import client
from reporting.sources.notion.client import (
    DEFAULT_BASE_URL,
    JsonObject,
    NotionClient,
    RefusedError,
    check_repeats,
)
from reporting.sources.notion.properties import content_hash, date_property, title_of
from reporting.sources.notion.values import whole_record
from reporting.sources.shapes import as_time, mapping

# Edit times are floored to the minute, so one minute is lost to a strict comparison and a second to its end.
LEAST_OVERLAP = timedelta(minutes=2)
CURSOR_RESTARTS = 3
# No row was created later than this after it was read, whatever this machine's clock says.
CLOCK_TOLERANCE = timedelta(days=1)


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "NotionReader":
    """A reader of `entity` with an integration's `token`; `base_url` is another server's for a fake API."""
    if not isinstance(entity, NotionDatabase):
        raise TypeError(f"expected a database of Notion, got {type(entity).__name__}")
    source = NotionSource(token, base_url or DEFAULT_BASE_URL)
    names, dates = settings.names, settings.date_properties
    return NotionReader(source, entity, names.get(entity.table), dates.get(entity.table))


class _End(Enum):
    """How a query ended: everything was read, its cap was met, or its cursor expired before its end."""

    ALL_READ = auto()
    CAPPED = auto()
    CURSOR_EXPIRED = auto()


class _InvalidCursorError(Exception):
    pass


class NotionSource(NotionClient):
    """Reads the rows of the databases of one workspace."""

    def read(
        self,
        data_source: Mapping[str, Any],
        since: datetime | None = None,
        until: datetime | None = None,
        created_since: str | None = None,
    ) -> Iterator[Page]:
        """Yield all rows, or with `since` the rows edited at or after it (less the overlap), to the end.

        With `until` those edited later are left out, with `created_since` those created before.

        Rows come in order of creation, which no later edit changes. Past the 10,000 rows at which a query
        ends, reading goes on from the last creation time seen; a row may therefore come twice. Raises
        `IncompleteReadError` when more rows share one minute than a query returns.
        """
        edited = [] if since is None else [_edited("on_or_after", since - LEAST_OVERLAP)]
        if until is not None:
            edited.append(_edited("on_or_before", until))
        restarts = 0
        while True:
            end, last_created = yield from self._pages(data_source, edited, created_since)
            if end is _End.ALL_READ:
                return
            is_stuck = last_created is None or last_created == created_since
            if end is _End.CAPPED and is_stuck:
                raise IncompleteReadError(
                    f"more rows of '{title_of(data_source)}' were created in the minute {created_since} than "
                    "one Notion query returns, so the rest cannot be read; nothing was loaded. "
                    "Split the database."
                )
            if end is _End.CURSOR_EXPIRED:
                restarts = restarts + 1 if is_stuck else 0
                if restarts > CURSOR_RESTARTS:
                    raise IncompleteReadError(
                        f"Notion keeps refusing its own cursors of '{title_of(data_source)}'; "
                        "nothing was loaded. Run the task again."
                    )
            created_since = last_created or created_since

    def _pages(
        self, data_source: Mapping[str, Any], edited: list[JsonObject], created_since: str | None
    ) -> Generator[Page, None, tuple[_End, str | None]]:
        """Yield the pages of one query; return how it ended and the last creation time seen."""
        last_created: str | None = None
        cursor: str | None = None
        asked: set[str | None] = set()
        repeats = 0
        while True:
            asked.add(cursor)
            requested_at = datetime.now(UTC)
            try:
                answer = self._query(data_source, edited, created_since, cursor)
            except _InvalidCursorError:
                # That is not the end: another query begins after what was read.
                return _End.CURSOR_EXPIRED, last_created
            rows = answer["results"]
            last_created = _last_created(last_created, rows, requested_at)
            is_capped = not answer.get("has_more") and _met_the_cap(answer)
            yield Page(
                requested_at,
                tuple(whole_record(self, data_source, row) for row in rows if not _is_trashed(mapping(row))),
                position={"created_since": last_created} if last_created else None,
                is_capped=is_capped,
            )
            if not answer.get("has_more"):
                return _End.CAPPED if is_capped else _End.ALL_READ, last_created
            cursor = answer["next_cursor"]
            repeats = repeats + 1 if cursor in asked else 0
            check_repeats(f"'{title_of(data_source)}'", repeats)

    def ask_about(self, data_source: Mapping[str, Any], ids: Iterable[str]) -> Iterator[Page]:
        """Ask for each page that a full refresh did not meet; yields its tombstone, or the page if it is there.

        A page that moved to another database is `missing` here.
        """
        for page_id in ids:
            requested_at = datetime.now(UTC)
            try:
                page = self.call(f"the page {page_id}", "GET", f"pages/{page_id}")
            except NotFoundError:
                yield Page(requested_at, tombstones=(Tombstone(page_id, "missing", is_told=True),))
                continue
            if _is_trashed(page):
                yield Page(requested_at, tombstones=(Tombstone(page_id, "trashed", is_told=True),))
            elif mapping(page.get("parent")).get("data_source_id", data_source["id"]) != data_source["id"]:
                yield Page(requested_at, tombstones=(Tombstone(page_id, "missing", is_told=True),))
            else:
                yield Page(requested_at, (whole_record(self, data_source, page),))

    def _query(
        self,
        data_source: Mapping[str, Any],
        edited: list[JsonObject],
        created_since: str | None,
        cursor: str | None,
    ) -> JsonObject:
        conditions = list(edited)
        if created_since is not None:
            conditions.append(_timestamp_filter("created_time", "on_or_after", created_since))
        body: JsonObject = {
            "page_size": client.PAGE_SIZE,
            "sorts": [{"timestamp": "created_time", "direction": "ascending"}],
        }
        if conditions:
            body["filter"] = conditions[0] if len(conditions) == 1 else {"and": conditions}
        if cursor is not None:
            body["start_cursor"] = cursor
        what = f"the rows of '{title_of(data_source)}'"
        try:
            return self.call(what, "POST", f"data_sources/{data_source['id']}/query", body=body)
        except RefusedError as error:
            if cursor is not None and error.status == 400:
                raise _InvalidCursorError(str(error)) from error
            raise


class NotionReader:
    """Reads one habits database.

    `configured` is its name or id, None for the entity's own. `date_configured` names the property that dates its
    rows where there are several.
    """

    def __init__(
        self,
        source: NotionSource,
        entity: NotionDatabase,
        configured: str | None = None,
        date_configured: str | None = None,
    ) -> None:
        self._source = source
        self._entity = entity
        self._configured = configured
        self._date_configured = date_configured
        self._data_source: JsonObject = {}

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries included."""
        return self._source.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """Notion's own clock at its first answer."""
        return self._source.server_started_at

    def describe(self) -> JsonObject:
        """The data source with its properties. Raises `NotReadError` when it is optional and not there."""
        try:
            self._data_source = self._source.find(self._configured or self._entity.default_name)
        except NotFoundError as error:
            if not self._entity.is_optional or self._configured or error.found_count:
                raise
            raise NotReadError(
                f"Notion has no database '{self._entity.default_name}' that the integration sees; it is optional, so "
                f"there is nothing to read. Make one, or name another in REPORTING_NAME_{self._entity.table.upper()}."
            ) from None
        if self._entity.is_dated:
            # Said before thousands of rows are read rather than after.
            date_property(self._data_source, self._date_configured)
        return self._data_source

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield all rows, or those edited at or after `since`."""
        return self._source.read(self._data_source, since)

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield the rows last edited from `since` to `until`."""
        return self._source.read(self._data_source, since, until)

    def would_meet(self, record_id: str) -> bool:
        """Whether the full refresh would have met this page."""
        return True

    def ask_bin(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield what became of pages that were in the trash, from which they can come back, or go for good."""
        return purged(self.ask_about(ids))

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Ask for each page that a full refresh did not meet."""
        return self._source.ask_about(self._data_source, ids)

    @property
    def account(self) -> str:
        """Tells the integration that is read with from others."""
        return self._source.account

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield the rows that were created in the minute of the last one, or later."""
        return self._source.read(self._data_source, created_since=position["created_since"])

    def expected_count(self) -> int | None:
        """Unknown: Notion gives no totals."""
        return None

    def look_up(self, ids: Iterable[str]) -> Iterator[Page]:
        """Ask for each page."""
        return self._source.ask_about(self._data_source, ids)

    def content_hash(self, record: Record) -> str:
        """SHA-256 over what a person can change."""
        return content_hash(record)

    def close(self) -> None:
        """Close the connections."""
        self._source.close()


def _last_created(known: str | None, rows: Iterable[Any], read_at: datetime) -> str | None:
    """The latest time of creation of what was read, as Notion gives it: where another query may begin.

    One that is no time, or is to come, would lead past rows that are still to be read.
    """
    given = [known, *(mapping(row).get("created_time") for row in rows)]
    times = {at: text for text in given if (at := as_time(text)) and at <= read_at + CLOCK_TOLERANCE}
    return times[max(times)] if times else None


def _edited(operator: str, at: datetime) -> JsonObject:
    return _timestamp_filter("last_edited_time", operator, at.isoformat())


def _timestamp_filter(name: str, operator: str, at: str) -> JsonObject:
    return {"timestamp": name, name: {operator: at}}


def _met_the_cap(answer: Mapping[str, Any]) -> bool:
    return (answer.get("request_status") or {}).get("type") == "incomplete"


def _is_trashed(page: Mapping[str, Any]) -> bool:
    return bool(page.get("in_trash") or page.get("archived"))
