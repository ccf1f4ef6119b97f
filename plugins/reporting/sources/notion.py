"""Reads the rows of one Notion database, to the end or not at all.

Facts about the API are from its reference: https://developers.notion.com/reference (query a data source,
retrieve a page property item, request limits, versioning).
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import httpx
from notion_client import Client
from notion_client.errors import HTTPResponseError

from reporting.entities import NotionDatabase
from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    NotFoundError,
    NotReadError,
    Page,
    Record,
    SourceError,
    Tombstone,
    account_of,
)
from reporting.sources.http import Policy, PoliteTransport

logger = logging.getLogger(__name__)

VERSION = "2025-09-03"
DEFAULT_BASE_URL = "https://api.notion.com"
# "An average of three requests per second" (request limits).
POLICY = Policy(requests_per_second=3.0)
PAGE_SIZE = 100
# A query returns at most this many references of a title, rich_text, people or relation value.
REFERENCE_LIMIT = 25
# Edit times are floored to the minute, so one minute is lost to a strict comparison and a second to its end.
LEAST_OVERLAP = timedelta(minutes=2)
CURSOR_RESTARTS = 3

JsonObject = dict[str, Any]


class NotionSource:
    """A connection to one Notion workspace.

    `token` is an internal integration's secret. `base_url` is another server's for the stand-in. Raises, from
    every method, the errors of `reporting.sources.base`.
    """

    def __init__(
        self,
        token: str,
        base_url: str = DEFAULT_BASE_URL,
        policy: Policy = POLICY,
        transport: PoliteTransport | None = None,
    ) -> None:
        self.account = account_of(token, base_url)
        self._transport = transport or PoliteTransport(policy)
        self._http = httpx.Client(transport=self._transport)
        self._client = Client(
            client=self._http,
            auth=token,
            base_url=base_url,
            notion_version=VERSION,
            timeout_ms=round(policy.timeout * 1000),
            retry=False,
            logger=logging.getLogger(f"{__name__}.client"),
        )

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries included."""
        return self._transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """Notion's own clock at its first answer."""
        return self._transport.server_started_at

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def data_sources(self) -> Iterator[JsonObject]:
        """Every data source that is shared with the integration and that the search knows of."""
        cursor: str | None = None
        while True:
            body: JsonObject = {
                "filter": {"property": "object", "value": "data_source"},
                "page_size": PAGE_SIZE,
            }
            if cursor:
                body["start_cursor"] = cursor
            answer = self._call("the search for databases", "POST", "search", body=body)
            yield from answer["results"]
            if not answer.get("has_more"):
                return
            cursor = answer["next_cursor"]

    def find(self, database: str) -> JsonObject:
        """Return the data source that `database` names: an id (of a database or data source) or an exact name.

        Raises `NotFoundError` when nothing or more than one thing answers to it, with what was found.
        """
        if _looks_like_id(database):
            return self._find_by_id(database)
        found = list(self.data_sources())
        named = [source for source in found if title_of(source) == database]
        if len(named) == 1:
            return self._call(f"the database '{database}'", "GET", f"data_sources/{named[0]['id']}")
        listed = ", ".join(sorted(f"'{title_of(source)}' ({source['id']})" for source in named or found))
        if named:
            raise NotFoundError(
                f"{len(named)} Notion databases are named '{database}': {listed}. Configure the id instead.",
                len(named),
            )
        raise NotFoundError(
            f"no Notion database named '{database}' is shared with the integration; "
            f"it sees {listed or 'none at all'}. Share the database with it (··· → Connections), or configure its id."
        )

    def _find_by_id(self, database: str) -> JsonObject:
        try:
            return self._call(f"the data source {database}", "GET", f"data_sources/{database}")
        except NotFoundError:
            holder = self._call(f"the database {database}", "GET", f"databases/{database}")
        held = holder["data_sources"]
        if len(held) == 1:
            return self._call(f"the data source {held[0]['id']}", "GET", f"data_sources/{held[0]['id']}")
        listed = ", ".join(f"'{source['name']}' ({source['id']})" for source in held)
        raise NotFoundError(
            f"the Notion database {database} holds {len(held)} data sources ({listed or 'none'}); "
            "configure the id of the one to read."
        )

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
            last_created: str | None = None
            cursor: str | None = None
            while True:
                requested_at = datetime.now(UTC)
                try:
                    answer = self._query(data_source, edited, created_since, cursor)
                except _InvalidCursorError:
                    # A cursor that expired is not the end: the window begins anew after what was read.
                    restarts = restarts + 1 if last_created == created_since else 0
                    if restarts > CURSOR_RESTARTS:
                        raise IncompleteReadError(
                            f"Notion keeps refusing its own cursors of '{title_of(data_source)}'; "
                            "nothing was loaded. Run the task again."
                        ) from None
                    break
                rows = answer["results"]
                last_created = max([last_created or "", *(row["created_time"] for row in rows)]) or None
                is_capped = not answer.get("has_more") and _met_the_cap(answer)
                yield Page(
                    requested_at,
                    tuple(self._record(row) for row in rows if not _is_trashed(row)),
                    position={"created_since": last_created} if last_created else None,
                    is_capped=is_capped,
                )
                if not answer.get("has_more"):
                    if not is_capped:
                        return
                    if last_created is None or last_created == created_since:
                        raise IncompleteReadError(
                            f"more rows of '{title_of(data_source)}' were created in the minute {created_since} than "
                            "one Notion query returns, so the rest cannot be read; nothing was loaded. "
                            "Split the database."
                        )
                    break
                cursor = answer["next_cursor"]
            created_since = last_created or created_since

    def ask_about(self, data_source: Mapping[str, Any], ids: Iterable[str]) -> Iterator[Page]:
        """Ask for each page that a sweep did not meet; yields its tombstone, or the page if it is there.

        A page that moved to another database is `missing` here.
        """
        for page_id in ids:
            requested_at = datetime.now(UTC)
            try:
                page = self._call(f"the page {page_id}", "GET", f"pages/{page_id}")
            except NotFoundError:
                yield Page(requested_at, tombstones=(Tombstone(page_id, "missing"),))
                continue
            if _is_trashed(page):
                yield Page(requested_at, tombstones=(Tombstone(page_id, "trashed"),))
            elif page["parent"].get("data_source_id", data_source["id"]) != data_source["id"]:
                yield Page(requested_at, tombstones=(Tombstone(page_id, "missing"),))
            else:
                yield Page(requested_at, (self._record(page),))

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
            "page_size": PAGE_SIZE,
            "sorts": [{"timestamp": "created_time", "direction": "ascending"}],
        }
        if conditions:
            body["filter"] = conditions[0] if len(conditions) == 1 else {"and": conditions}
        if cursor is not None:
            body["start_cursor"] = cursor
        what = f"the rows of '{title_of(data_source)}'"
        try:
            return self._call(what, "POST", f"data_sources/{data_source['id']}/query", body=body)
        except _RefusedError as error:
            if cursor is not None and error.status == 400:
                raise _InvalidCursorError(str(error)) from error
            raise

    def _record(self, page: JsonObject) -> Record:
        """The page, with the whole value of each property that the answer cut at its limit."""
        values = {}
        for value in page["properties"].values():
            content = value.get(value["type"])
            cut = isinstance(content, list) and len(content) >= REFERENCE_LIMIT
            if value.get("has_more") or (cut and value["type"] in _CUT_TYPES):
                values[value["id"]] = self._whole_value(page["id"], value)
        return Record(page, values)

    def _whole_value(self, page_id: str, value: JsonObject) -> list[Any]:
        items: list[Any] = []
        cursor: str | None = None
        # The id is percent-encoded in answers; the client encodes no path, and a second encoding is a 404.
        path = f"pages/{page_id}/properties/{value['id']}"
        while True:
            query: JsonObject = {"page_size": PAGE_SIZE}
            if cursor:
                query["start_cursor"] = cursor
            answer = self._call(f"the property '{value['id']}' of page {page_id}", "GET", path, query=query)
            items.extend(item[item["type"]] for item in answer["results"])
            if not answer.get("has_more"):
                return items
            cursor = answer["next_cursor"]

    def _call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: JsonObject | None = None,
        body: JsonObject | None = None,
    ) -> JsonObject:
        try:
            return cast(JsonObject, self._client.request(path=path, method=method, query=query, body=body))
        except HTTPResponseError as error:
            status, code = error.status, getattr(error.code, "value", error.code)
        # Raised outside the handler: the client's error holds the answer's body and headers.
        if status == 401:
            raise AccessDeniedError(
                "Notion refused the token (401). Make a new one at https://www.notion.so/profile/integrations "
                "and put it into the Notion connection."
            )
        if status == 403:
            raise AccessDeniedError(
                f"the Notion integration may not read {what} (403). Give it the capability 'Read content'."
            )
        if status == 404:
            raise NotFoundError(
                f"{what} was not found in Notion or is not shared with the integration (404). "
                "Open it in Notion and add the integration under ··· → Connections."
            )
        raise _RefusedError(f"Notion answered {status} ({code}) for {what}.", status)


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
        """Whether the sweep would have met this page."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Ask for each page that a sweep did not meet."""
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


class _RefusedError(SourceError):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _InvalidCursorError(Exception):
    pass


_CUT_TYPES = frozenset({"title", "rich_text", "people", "relation"})


def title_of(data_source: Mapping[str, Any]) -> str:
    """The plain name of a data source."""
    return "".join(part.get("plain_text", "") for part in data_source.get("title", []))


def _looks_like_id(text: str) -> bool:
    digits = text.replace("-", "")
    return len(digits) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _edited(operator: str, at: datetime) -> JsonObject:
    return _timestamp_filter("last_edited_time", operator, at.isoformat())


def _timestamp_filter(name: str, operator: str, at: str) -> JsonObject:
    return {"timestamp": name, name: {operator: at}}


def _met_the_cap(answer: Mapping[str, Any]) -> bool:
    return (answer.get("request_status") or {}).get("type") == "incomplete"


def _is_trashed(page: Mapping[str, Any]) -> bool:
    return bool(page.get("in_trash") or page.get("archived"))


def date_property(data_source: Mapping[str, Any], configured: str | None = None) -> str:
    """The id of the property that dates a row: the configured one (id or name), or the only date property.

    Raises `NotFoundError` with the date properties that there are.
    """
    dates: dict[str, str] = {
        value["id"]: name for name, value in data_source["properties"].items() if value["type"] == "date"
    }
    if configured is None and len(dates) == 1:
        return next(iter(dates))
    for property_id, name in dates.items():
        if configured in (property_id, unquote(property_id), name):
            return property_id
    listed = ", ".join(f"'{name}' ({property_id})" for property_id, name in dates.items()) or "none"
    wanted = "exactly one date property" if configured is None else f"the date property '{configured}'"
    raise NotFoundError(
        f"expected {wanted} in the Notion database '{title_of(data_source)}'; its date properties are: {listed}. "
        "Configure the one that dates a row."
    )


def properties_of(record: Record) -> list[JsonObject]:
    """The owner's properties as `{id, name, type, value}`, in order of id, each value whole."""
    rows = [
        {
            "id": value["id"],
            "name": name,
            "type": value["type"],
            "value": record.values.get(value["id"], value.get(value["type"])),
        }
        for name, value in record.payload["properties"].items()
    ]
    return sorted(rows, key=lambda row: row["id"])


def content_hash(record: Record) -> str:
    """SHA-256 over what a person can change: the signed part of a file's address is not content."""
    content = {"payload": _without_signatures(record.payload), "values": _without_signatures(record.values)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _without_signatures(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "expiry_time" in value and "url" in value:
            return {"url": urlunsplit((*urlsplit(value["url"])[:3], "", ""))}
        return {key: _without_signatures(item) for key, item in value.items() if key != "request_id"}
    if isinstance(value, list):
        return [_without_signatures(item) for item in value]
    return value
