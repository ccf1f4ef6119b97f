"""Reads one declared resource: everything or what changed, and for per-item paths once for each record of its parent."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import NotFoundError, Page, Record, SourceError, Tombstone
from reporting.sources.rest.client import Client
from reporting.sources.rest.declare import PARENT, RestEntity, Since
from reporting.sources.rest.fields import ABSENT, PLACEHOLDER, field, placeholders
from reporting.sources.rest.paging import Answer, Paging, PagingError, Request, SinglePage, found_in
from reporting.sources.rest.rows import content_hash, time_of
from reporting.sources.shapes import has_lone_surrogate

logger = logging.getLogger(__name__)


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "RestReader":
    """A reader of `entity`; `token` is the secret of its connection, `base_url` another server's for a fake API."""
    if not isinstance(entity, RestEntity):
        raise TypeError(f"expected a declared resource, got {type(entity).__name__}")
    return reader_of(Client(entity.api, token, base_url), entity, settings.timezone)


def reader_of(client: Client, entity: RestEntity, timezone: str = "UTC") -> "RestReader":
    """The reader of `entity`; `timezone` is that of the days of a snapshot."""
    since = entity.resource.since
    return (WindowRestReader if since and since.until else RestReader)(client, entity, timezone)


class RestReader:
    """Reads one resource; a `ResumableReader`. Raises the errors of `reporting.sources.base`.

    The payload of a record is `{"id": its key, "record": what the API gave}`, with the fields of its parent in `parent` and its
    day in `day` where it has them.
    """

    def __init__(self, client: Client, entity: RestEntity, timezone: str) -> None:
        self.client = client
        self._entity, self._resource = entity, entity.resource
        self._timezone = timezone
        self._paging: dict[str, Paging] = {}
        self._day: date | None = None

    @property
    def account(self) -> str:
        """Tells the account from others."""
        return self.client.account

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries and access tokens included."""
        return self.client.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The source's own clock at its first answer."""
        return self.client.transport.server_started_at

    def describe(self) -> dict[str, Any]:
        """What is read, which is all that a declared API says of itself."""
        return {"id": f"{self.client.base_url}/{self._resource.path}"}

    def expected_count(self) -> int | None:
        """Nobody says."""
        return None

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield everything, or what changed at or after `since`, less the overlap."""
        parameters: dict[str, str] = {}
        declared = self._resource.since
        asked_from = None
        if since is not None and declared is not None:
            asked_from = floored(since.astimezone(UTC) - declared.overlap, declared)
            parameters[declared.parameter] = told(asked_from, declared)
        return self._read(parameters, asked_from, None)

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield what followed the page with this position."""
        return self._read({}, None, position)

    def would_meet(self, record_id: str) -> bool:
        """Whether the full refresh would have met this record: of a snapshot only those of its day."""
        return self._day is None or record_id.startswith(f"{self._day}/")

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield what became of records that were not met: asked for one by one, looked for once more, or gone."""
        missing = list(ids)
        if self._resource.item:
            for each in missing:
                yield self._asked_for(self._resource.item, each)
            return
        left = set(missing)
        if missing and not all(each.is_stable for each in self._paging.values()):
            # A record that goes moves all others by one place, and the one at the edge of a page is left out.
            for page in self._read({}, None, {"day": str(self._day)} if self._day else None):
                records = tuple(each for each in page.records if each.id in left)
                tombstones = tuple(each for each in page.tombstones if each.id in left)
                left -= {each.id for each in records if each.id} | {each.id for each in tombstones}
                if records or tombstones:
                    yield Page(page.requested_at, records, tombstones)
        if left:
            yield Page(
                datetime.now(UTC), tombstones=tuple(Tombstone(each, "missing") for each in sorted(left))
            )

    def content_hash(self, record: Record) -> str:
        """SHA-256 over the record."""
        return content_hash(self._entity, record)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _read(
        self, parameters: Mapping[str, str], asked_from: datetime | None, position: Mapping[str, Any] | None
    ) -> Iterator[Page]:
        if self._resource.is_snapshot:
            told_day = (position or {}).get("day")
            self._day = date.fromisoformat(told_day) if told_day else self._today()
        contexts = self._contexts(self._entity)
        begins_at = dict(position or {})
        for place, context in enumerate(contexts):
            if "parent" in begins_at and _order(context) < _order(begins_at["parent"]):
                continue
            begun = None
            if begins_at.get("address") and begins_at.get("parent", context) == context:
                begun = Request(begins_at["address"], begins_at["parameters"])
            begins_at = {}
            following = contexts[place + 1] if place + 1 < len(contexts) else None
            for requested_at, answer, then in self._pages(self._entity, context, parameters, begun):
                records, tombstones = self._taken(answer, context, asked_from)
                yield Page(requested_at, records, tombstones, self._position(context, then, following))

    def _today(self) -> date:
        return datetime.now(ZoneInfo(self._timezone)).date()

    def _position(
        self, context: Mapping[str, Any], then: Request | None, following: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        day = {"day": str(self._day)} if self._day else {}
        parent = {"parent": dict(context)} if context else {}
        if then is None:
            return None if following is None else {**day, "parent": dict(following)}
        if not self._paging[self._entity.name].is_stable:
            return {**day, **parent} if context else None
        return {**day, **parent, "address": then.address, "parameters": dict(then.parameters)}

    def _contexts(self, entity: RestEntity) -> list[dict[str, Any]]:
        """The fields that each list is read with, in an order that does not change; one without, where it has no parent."""
        if entity.parent is None:
            return [{}]
        names = placeholders(entity.resource.path)
        found: dict[str, dict[str, Any]] = {}
        for context in self._contexts(entity.parent):
            for _, answer, _ in self._pages(entity.parent, context, {}, None):
                for place, record in enumerate(answer.records, 1):
                    if _is_gone(entity.parent, record):
                        continue
                    fields = {name: field(record, name) for name in names}
                    for name, value in fields.items():
                        if not _is_key(value):
                            raise SourceError(
                                f"record {place} of {entity.parent.table} has no '{name}', which the path of {entity.table} "
                                "needs. Nothing was loaded."
                            )
                    found[_order(fields)] = fields
        return [found[order] for order in sorted(found)]

    def _pages(
        self,
        entity: RestEntity,
        context: Mapping[str, Any],
        parameters: Mapping[str, str],
        begun: Request | None,
    ) -> Iterator[tuple[datetime, Answer, Request | None]]:
        """The pages of one list: when each was asked for, the answer, and the request after it."""
        resource = entity.resource
        path = PLACEHOLDER.sub(lambda match: _in_path(entity.table, context[match[1]]), resource.path)
        size = {resource.size: str(resource.page_size)} if resource.size else {}
        request = Request(path, {**resource.parameters, **size, **parameters})
        # Found anew for each list: a short one may show nothing of how a long one goes on.
        paging = resource.paging
        if begun is not None:
            request = begun
        elif paging:
            request = paging.first(request)
        met_requests, met_pages = set(), set()
        number = 0
        following: Request | None = request
        while following is not None:
            request, number = self.client.next_address(entity.table, following), number + 1
            met_requests.add(_order([request.address, dict(request.parameters)]))
            requested_at = datetime.now(UTC)
            answer = self._answer(entity, context, request, number)
            try:
                if paging is None:
                    paging = self._found(entity, answer)
                self._paging[entity.name] = paging
                following = paging.following(request, answer)
            except PagingError as error:
                raise SourceError(
                    f"page {number} of {entity.table} does not lead on: {error}. Nothing was loaded. Declare `paging` for it "
                    "(`SinglePage()` if one answer has everything)."
                ) from None
            if answer.keys:
                page = hashlib.sha256(_order(answer.keys).encode()).digest()
                if page in met_pages:
                    raise self._repeats(entity, number)
                met_pages.add(page)
            if following is not None:
                following = self.client.next_address(entity.table, following)
                if _order([following.address, dict(following.parameters)]) in met_requests:
                    raise self._repeats(entity, number)
            yield requested_at, answer, following

    def _found(self, entity: RestEntity, answer: Answer) -> Paging:
        paging = found_in(answer)
        if self._paging.get(entity.name) != paging:
            told_by = (
                "one page has everything" if isinstance(paging, SinglePage) else f"pages go on by {paging}"
            )
            logger.info("%s: no paging is declared; by the first answer %s.", entity.table, told_by)
        return paging

    def _repeats(self, entity: RestEntity, number: int) -> SourceError:
        return SourceError(
            f"page {number} of {entity.table} repeats, or leads back to, one that was read before, so that its end would not be "
            "reached. Nothing was loaded. Probably the parameter of its `paging` has another name in this API."
        )

    def _answer(
        self, entity: RestEntity, context: Mapping[str, Any], request: Request, number: int
    ) -> Answer:
        body, link = self.client.get(entity.table, request)
        resource = entity.resource
        records = field(body, resource.records)
        if not isinstance(records, list):
            where = f"at '{resource.records}'" if resource.records else "as its whole"
            raise SourceError(
                f"page {number} of {entity.table} has no list of records {where}. Nothing was loaded. Correct `records` in its "
                "declaration, or the API has changed."
            )
        keys = []
        for place, record in enumerate(records, 1):
            values = [field(_whole(record, context), path) for path in resource.keys]
            if not all(map(_is_key, values)):
                raise SourceError(
                    f"record {place} on page {number} of {entity.table} has no key: {' and '.join(resource.keys)} must be text or a "
                    "whole number. Nothing was loaded. Correct `key` in its declaration."
                )
            keys.append(
                str(values[0]) if len(values) == 1 else "/".join(quote(str(each), safe="") for each in values)
            )
        return Answer(body, records, keys, link)

    def _taken(
        self, answer: Answer, context: Mapping[str, Any], asked_from: datetime | None
    ) -> tuple[tuple[Record, ...], tuple[Tombstone, ...]]:
        taken = []
        for key, found in zip(answer.keys, answer.records, strict=True):
            self._check_time(found, asked_from)
            taken.append(self._record_or_tombstone(key, found, context))
        return (
            tuple(each for each in taken if isinstance(each, Record)),
            tuple(each for each in taken if isinstance(each, Tombstone)),
        )

    def _record_or_tombstone(self, key: str, found: Any, context: Mapping[str, Any]) -> Record | Tombstone:
        if self._day:
            key = f"{self._day}/{key}"
        if _is_gone(self._entity, found):
            return Tombstone(key, "trashed", is_told=True)
        payload: dict[str, Any] = {"id": key, "record": found}
        if context:
            payload["parent"] = dict(context)
        if self._day:
            payload["day"] = str(self._day)
        return Record(payload)

    def _check_time(self, found: Any, asked_from: datetime | None) -> None:
        since = self._resource.since
        if asked_from is None or since is None:
            return
        changed_at = time_of(field(found, since.field))
        if changed_at is not None and changed_at < asked_from:
            raise SourceError(
                f"{self._entity.table} was asked for what changed since a time, and answered with older records: it goes backwards, or "
                f"does not know the parameter '{since.parameter}'. Nothing was loaded. Correct `since` in its declaration."
            )

    def _asked_for(self, item: str, key: str) -> Page:
        requested_at = datetime.now(UTC)
        path = PLACEHOLDER.sub(lambda _: _in_path(self._entity.table, key), item)
        try:
            found, _ = self.client.get(self._entity.table, Request(path, {}))
        except NotFoundError:
            return Page(requested_at, tombstones=(Tombstone(key, "missing", is_told=True),))
        if str(field(found, self._resource.keys[0])) != key:
            raise SourceError(
                f"the path of a single record of {self._entity.table} answers with something else than the record. Nothing was "
                "loaded. Correct `item` in its declaration."
            )
        taken = self._record_or_tombstone(key, found, {})
        if isinstance(taken, Record):
            return Page(requested_at, (taken,))
        return Page(requested_at, tombstones=(taken,))


class WindowRestReader(RestReader):
    """A `RestReader` of a source that takes the end of a window, too; a `WindowReader`."""

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield what was last changed from `since` (less the overlap) to `until`."""
        declared = self._resource.since
        if declared is None or declared.until is None:
            raise TypeError("a window needs the parameter for its end")
        asked_from = floored(since.astimezone(UTC) - declared.overlap, declared)
        parameters = {declared.parameter: told(asked_from, declared)}
        if until is not None:
            parameters[declared.until] = told(until.astimezone(UTC), declared)
        return self._read(parameters, asked_from, None)


def floored(at: datetime, since: Since) -> datetime:
    """The time as precise as it can be asked for."""
    whole = at.replace(microsecond=0)
    return whole.replace(hour=0, minute=0, second=0) if since.time == "date" else whole


def told(at: datetime, since: Since) -> str:
    """A time in UTC as the parameter takes it."""
    match since.time:
        case "date":
            return at.date().isoformat()
        case "unix":
            return str(int(at.timestamp()))
        case "unix_ms":
            return str(int(at.timestamp() * 1000))
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _whole(record: Any, context: Mapping[str, Any]) -> Any:
    return {**record, PARENT: context} if context and isinstance(record, Mapping) else record


def _is_key(value: Any) -> bool:
    if isinstance(value, str):
        return value != "" and not has_lone_surrogate(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_gone(entity: RestEntity, record: Any) -> bool:
    """Whether the record says that it is gone; in JSON true is no 1."""
    gone = entity.resource.gone
    found = field(record, gone.field) if gone else ABSENT
    return gone is not None and type(found) is type(gone.value) and found == gone.value


def _in_path(table: str, value: Any) -> str:
    """A key as one part of a path, whatever it holds."""
    if str(value) in (".", ".."):
        raise SourceError(
            f"a record that {table} is read for has a key that cannot stand in a path. Nothing was loaded."
        )
    return quote(str(value), safe="")


def _order(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
