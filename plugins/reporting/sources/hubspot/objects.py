"""Reads the objects of one type: all of them with lists, changes with a search, and missing ones by id."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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

from reporting.sources.base import IncompleteReadError, NotFoundError, Page, Record, Tombstone, purged
from reporting.sources.hubspot.api import (
    LIST_LIMIT,
    HubSpot,
    JsonObject,
    PortalReader,
    check_batch,
    next_after,
)
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.shapes import as_text, has_lone_surrogate, mapping, mappings, record_of

logger = logging.getLogger(__name__)

SEARCH_LIMIT = 200
BATCH_LIMIT = 100
# The search may show a change late, at most an hour as far as is known. The overlap lets the next hourly run read it.
OVERLAP = timedelta(minutes=75)
# A longer list of properties would make the request's address too long (status 414).
LONGEST_SELECTION = 6000
IDLE_PAGES = 5
ID = "hs_object_id"
MERGED = "hs_merged_object_ids"
# HubSpot's types, and the types to which their values can be cast. All others are text.
KINDS = {"number": "number", "datetime": "datetime", "date": "datetime", "bool": "bool"}


class ObjectReader(PortalReader):
    """Reads one type of object with all its properties."""

    def __init__(
        self,
        portal: HubSpot,
        entity: HubSpotObject,
        default_region: str | None = None,
        names: Iterable[str] = (),
    ) -> None:
        """`names` are the properties that are read without `describe`, which finds all of them."""
        super().__init__(portal, default_region)
        self._entity = entity
        self._kind = entity.name
        self._path = portal.path("objects", entity.path_name)
        self._names = list(names)

    def describe(self) -> JsonObject:
        """The properties of the object type, with their types."""
        what = f"properties of {self._kind}"
        found = self.portal.call(what, "GET", self.portal.path("properties", self._entity.path_name))[
            "results"
        ]
        types = {
            each["name"]: as_text(each.get("type"))
            for each in mappings(found)
            if isinstance(each.get("name"), str)
        }
        self._names = sorted(types)
        self._tell(types)
        return {"properties": types}

    def _tell(self, types: Mapping[str, str | None]) -> None:
        """Log which columns have no property in the portal, and which have a property of another type.

        These are not warnings, since a portal may never have had a property. When a property disappears or changes, the record
        of schema changes reports it once.
        """
        declared = self._entity.properties
        if absent := sorted(declared.keys() - types.keys()):
            logger.info(
                "%s: the portal has no property %s, so its column stays empty.",
                self._entity.table,
                ", ".join(f"'{name}'" for name in absent),
            )
        for name in declared.keys() & types.keys():
            if declared[name].kind != "text" and KINDS.get(types[name] or "") != declared[name].kind:
                logger.info(
                    "%s: the property '%s' has the type %s, but %s was expected; staging counts values that it cannot cast.",
                    self._entity.table,
                    name,
                    types[name],
                    declared[name].kind,
                )

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every object, including archived ones, or those that were modified since `since` minus the overlap.

        Objects that were merged into another one are yielded as tombstones together with it.
        """
        if since is None:
            yield from self.resume({"archived": False, "after": None})
        else:
            yield from self.read_window(since, None)

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield the remaining objects of both lists, which are ordered by id."""
        if not position["archived"]:
            yield from self._listed(is_archived=False, after=position["after"])
        yield from self._listed(is_archived=True, after=position["after"] if position["archived"] else None)

    def expected_count(self) -> int | None:
        """The number of objects outside of the recycling bin, according to the search."""
        request = PublicObjectSearchRequest(filter_groups=[], sorts=[], properties=[ID], limit=1, after="0")
        answer = self.portal.call(self._kind, "POST", f"{self._path}/search", body=request)
        total = answer.get("total")
        return total if isinstance(total, int) else None

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield the objects whose last change is between `since` minus the overlap and `until`."""
        name = self._entity.modified_property
        last = [] if until is None else [_filter(name, "LTE", _milliseconds(until))]
        yield from self._modified(_milliseconds(since - OVERLAP), last)

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the objects that exist after all, and tombstones for the others."""
        for some in batched(ids, BATCH_LIMIT, strict=False):
            unknown = set(some)
            has_strangers = False
            for is_archived in (False, True):
                page = self._by_id(sorted(unknown), is_archived)
                asked = tuple(record for record in page.records if record.id in unknown)
                # For the id of a merged object, HubSpot returns the object into which it was merged.
                has_strangers |= len(asked) < len(page.records)
                losers = _merged(asked)
                # Objects that were merged into one of these need not be asked for.
                unknown -= {str(record.id) for record in asked} | {each.id for each in losers}
                if asked:
                    yield Page(page.requested_at, asked, losers)
                if not unknown:
                    break
            for each in sorted(unknown):
                winner = self._winner_of(each) if has_strangers else None
                tombstone = Tombstone(each, "merged" if winner else "missing", winner, is_told=True)
                yield Page(page.requested_at, tombstones=(tombstone,))

    def ask_bin(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield the state of objects that were in the recycling bin. A full refresh lists the bin, too."""
        return purged(self.ask_about(ids))

    def look_up(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield each object or its tombstone, and tombstones of objects that were merged into it."""
        return self.ask_about(ids)

    def _listed(self, is_archived: bool, after: str | None = None) -> Iterator[Page]:
        selection = ",".join(self._names)
        fits = len(selection) <= LONGEST_SELECTION
        query = {"limit": str(LIST_LIMIT), "archived": str(is_archived).lower()}
        for requested_at, results, following in self.portal.listed(
            self._kind, self._path, query | {"properties": selection if fits else ID}, after
        ):
            page = _page(requested_at, results)
            if not fits and (keys := [record.id for record in page.records if record.id is not None]):
                rejected = tuple(record for record in page.records if record.id is None)
                page = self._by_id(keys, is_archived)
                page = replace(page, records=(*page.records, *rejected))
            # The list of archived objects follows the list of the others, and is the last.
            is_last = following is None
            position = (
                None if is_last and is_archived else {"archived": is_archived or is_last, "after": following}
            )
            yield replace(page, position=position)

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
            body=request,
        )
        check_batch(self._kind, answer, "OBJECT_NOT_FOUND")
        return _page(requested_at, answer["results"])

    def _modified(self, since: int, last: list[Filter]) -> Iterator[Page]:
        """Yield the objects modified since `since` (milliseconds). Each page is a separate search for ids greater than the
        greatest so far.

        An offset could not exceed 10,000, and would skip an object whenever an earlier one is modified meanwhile. The
        modified date cannot serve as the position either: the index may find an object by its former date but show the new
        one, and everything between these dates would be skipped. An id never changes.
        """
        modified = [_filter(self._entity.modified_property, "GTE", since), *last]
        last_id = 0
        idle = 0
        while True:
            requested_at, results, has_more = self._search([*modified, _filter(ID, "GT", last_id)])
            page = _page(requested_at, results)
            yield page
            if not has_more:
                return
            ids = (record.id or "" for record in page.records)
            greatest = max((int(each) for each in ids if each.isdecimal() and len(each) < 20), default=0)
            idle = 0 if greatest > last_id else idle + 1
            if idle > IDLE_PAGES:
                raise IncompleteReadError(
                    f"HubSpot's search of {self._kind} says that there are more results but returns nothing new; nothing "
                    "was loaded. Run the task again."
                )
            last_id = max(last_id, greatest)

    def _search(self, filters: list[Filter]) -> tuple[datetime, list[JsonObject], bool]:
        requested_at = datetime.now(UTC)
        request = PublicObjectSearchRequest(
            filter_groups=[FilterGroup(filters=filters)],
            sorts=[{"propertyName": ID, "direction": "ASCENDING"}],
            properties=self._names,
            limit=SEARCH_LIMIT,
            after="0",
        )
        answer = self.portal.call(self._kind, "POST", f"{self._path}/search", body=request)
        return requested_at, answer["results"], next_after(answer) is not None

    def _winner_of(self, loser: str) -> str | None:
        try:
            found = self.portal.call(f"{self._kind} {loser}", "GET", f"{self._path}/{loser}")
        except NotFoundError:
            return None
        winner = record_of(found).id
        return None if winner == loser else winner


def _filter(name: str, operator: str, value: int) -> Filter:
    return Filter(property_name=name, operator=operator, value=str(value))


def _page(requested_at: datetime, results: Iterable[Any]) -> Page:
    records = tuple(map(record_of, results))
    return Page(requested_at, records, _merged(records))


def _merged(records: Iterable[Record]) -> tuple[Tombstone, ...]:
    """Tombstones for all objects that were merged into these records. A record also names those of earlier merges."""
    return tuple(
        Tombstone(loser, "merged", record.id)
        for record in records
        for each in (as_text(mapping(record.payload.get("properties")).get(MERGED)) or "").split(";")
        if record.id and (loser := each.strip()) and loser != record.id and not has_lone_surrogate(loser)
    )


def _milliseconds(at: datetime) -> int:
    # With integers, since a float could be rounded up, and a change would be skipped.
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
