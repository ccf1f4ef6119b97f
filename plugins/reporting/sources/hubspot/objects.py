"""Reads the objects of one type: all of them by lists, what changed by search, what is gone by id."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from hubspot.crm.objects import (
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicObjectSearchRequest,
    SimplePublicObjectId,
)

from reporting.entities import HubSpotObject
from reporting.sources.base import IncompleteReadError, NotFoundError, Page, Record, Tombstone
from reporting.sources.hubspot.api import (
    LIST_LIMIT,
    HubSpot,
    JsonObject,
    PortalReader,
    as_body,
    check_batch,
    next_after,
)

logger = logging.getLogger(__name__)

SEARCH_LIMIT = 200
BATCH_LIMIT = 100
# What the search shows late (for an hour at most, as far as is known) is read again by the next hourly run.
OVERLAP = timedelta(minutes=75)
# A longer list of properties does not fit into an address (414).
LONGEST_SELECTION = 6000
EMPTY_PAGES = 5
MERGED = "hs_merged_object_ids"
# HubSpot's types by what a value can be cast to; the others are text.
KINDS = {"number": "number", "datetime": "datetime", "date": "datetime", "bool": "bool"}


class ObjectReader(PortalReader):
    """Reads one type of object with all of its properties."""

    def __init__(self, portal: HubSpot, entity: HubSpotObject) -> None:
        super().__init__(portal)
        self._entity = entity
        self._kind = entity.name
        self._path = portal.path("objects", self._kind)
        self._names: list[str] = []

    def describe(self) -> JsonObject:
        """The type's properties with their types; says which of the declared ones are not as expected."""
        what = f"properties of {self._kind}"
        found = self.portal.call(what, "GET", self.portal.path("properties", self._kind))["results"]
        types = {each["name"]: each.get("type") for each in found}
        self._names = sorted(types)
        for name, declared in self._entity.properties.items():
            if name not in types:
                logger.warning(
                    "%s: the portal has no property '%s' (any more); its column stays empty for what is read now.",
                    self._entity.table,
                    name,
                )
            elif declared.kind != "text" and KINDS.get(types[name] or "") != declared.kind:
                logger.warning(
                    "%s: the property '%s' is of type %s, and %s was expected; staging counts what it cannot cast.",
                    self._entity.table,
                    name,
                    types[name],
                    declared.kind,
                )
        return {"properties": types}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every object, archived ones included, or what was modified since `since` less the overlap.

        Objects that were merged into another come as tombstones with it.
        """
        if since is None:
            yield from self._listed(is_archived=False)
            yield from self._listed(is_archived=True)
        else:
            yield from self._modified(_milliseconds(since - OVERLAP))

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the objects that are there after all, and for the others what became of them."""
        for some in batched(ids, BATCH_LIMIT, strict=False):
            unknown = set(some)
            has_strangers = False
            for is_archived in (False, True):
                page = self._by_id(sorted(unknown), is_archived)
                asked = tuple(record for record in page.records if record.id in unknown)
                # The id of a merged object leads to the winner.
                has_strangers |= len(asked) < len(page.records)
                unknown -= {str(record.id) for record in asked}
                if asked:
                    yield Page(page.requested_at, asked, _merged(asked))
                if not unknown:
                    break
            for each in sorted(unknown):
                winner = self._winner_of(each) if has_strangers else None
                tombstone = Tombstone(each, "merged" if winner else "missing", winner)
                yield Page(datetime.now(UTC), tombstones=(tombstone,))

    def _listed(self, is_archived: bool) -> Iterator[Page]:
        selection = ",".join(self._names)
        fits = len(selection) <= LONGEST_SELECTION
        query = {"limit": str(LIST_LIMIT), "archived": str(is_archived).lower()}
        for requested_at, results in self.portal.listed(
            self._kind, self._path, query | {"properties": selection if fits else "hs_object_id"}
        ):
            if fits:
                yield _page(requested_at, results)
            elif results:
                yield self._by_id([str(each["id"]) for each in results if each.get("id")], is_archived)

    def _by_id(self, ids: Sequence[str], is_archived: bool) -> Page:
        requested_at = datetime.now(UTC)
        inputs = [SimplePublicObjectId(id=each) for each in ids]
        request = BatchReadInputSimplePublicObjectId(
            inputs=inputs, properties=self._names, properties_with_history=[]
        )
        answer = self.portal.call(
            self._kind,
            "POST",
            f"{self._path}/batch/read",
            query={"archived": str(is_archived).lower()},
            body=as_body(request),
        )
        check_batch(self._kind, answer, "OBJECT_NOT_FOUND")
        return _page(requested_at, answer["results"])

    def _modified(self, since: int) -> Iterator[Page]:
        """Every page is a search of its own that begins at the last millisecond seen.

        An offset would meet the cap of 10,000, and would skip a row whenever an earlier one is modified meanwhile.
        """
        name = self._entity.modified_property
        empty = 0
        while True:
            requested_at, results, has_more = self._search([_filter(name, "GTE", since)], name)
            yield _page(requested_at, results)
            if not has_more:
                return
            empty = 0 if results else empty + 1
            if empty:
                self._check_empty(empty)
                continue
            last = max(_modified_at(each, name) for each in results)
            if last > since:
                since = last
            else:
                # More than a page share this millisecond.
                yield from self._modified_at(since, name)
                since += 1

    def _modified_at(self, instant: int, name: str) -> Iterator[Page]:
        last_id = 0
        empty = 0
        while True:
            filters = [_filter(name, "EQ", instant), _filter("hs_object_id", "GT", last_id)]
            requested_at, results, has_more = self._search(filters, "hs_object_id")
            yield _page(requested_at, results)
            if not has_more:
                return
            empty = 0 if results else empty + 1
            if empty:
                self._check_empty(empty)
                continue
            last_id = max(int(each["id"]) for each in results)

    def _check_empty(self, times: int) -> None:
        if times > EMPTY_PAGES:
            raise IncompleteReadError(
                f"HubSpot's search of {self._kind} keeps saying that there is more and shows nothing; nothing was "
                "loaded. Run the task again."
            )

    def _search(self, filters: list[Filter], sort: str) -> tuple[datetime, list[JsonObject], bool]:
        requested_at = datetime.now(UTC)
        request = PublicObjectSearchRequest(
            filter_groups=[FilterGroup(filters=filters)],
            sorts=[{"propertyName": sort, "direction": "ASCENDING"}],
            properties=self._names,
            limit=SEARCH_LIMIT,
            after="0",
        )
        answer = self.portal.call(self._kind, "POST", f"{self._path}/search", body=as_body(request))
        return requested_at, answer["results"], next_after(answer) is not None

    def _winner_of(self, loser: str) -> str | None:
        try:
            found = self.portal.call(f"{self._kind} {loser}", "GET", f"{self._path}/{loser}")
        except NotFoundError:
            return None
        return None if str(found["id"]) == loser else str(found["id"])


def _filter(name: str, operator: str, value: int) -> Filter:
    return Filter(property_name=name, operator=operator, value=str(value))


def _page(requested_at: datetime, results: Iterable[JsonObject]) -> Page:
    records = tuple(Record(each) for each in results)
    return Page(requested_at, records, _merged(records))


def _merged(records: Iterable[Record]) -> tuple[Tombstone, ...]:
    """Every loser of a merge is named by its winner, those of earlier merges included."""
    return tuple(
        Tombstone(loser.strip(), "merged", record.id)
        for record in records
        for loser in ((record.payload.get("properties") or {}).get(MERGED) or "").split(";")
        if loser.strip() and record.id
    )


def _modified_at(result: Mapping[str, Any], name: str) -> int:
    return _milliseconds(datetime.fromisoformat(result["properties"].get(name) or result["updatedAt"]))


def _milliseconds(at: datetime) -> int:
    # Whole milliseconds by integers: a float could round one up and skip it.
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
