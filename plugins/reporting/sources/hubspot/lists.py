"""Reads what has no incremental refresh: owners, pipelines, and lists with their memberships.

https://developers.hubspot.com/docs/api-reference/latest/crm/lists/guide
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from reporting.naming import nearest
from reporting.sources.base import IncompleteReadError, NotFoundError, Page, Record
from reporting.sources.hubspot.api import LIST_LIMIT, PAGE_REPEATS, HubSpot, MissingScopeError, PortalReader
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.shapes import as_text, mapping, mappings, record_of

logger = logging.getLogger(__name__)

MEMBERS_LIMIT = 250
LISTS_LIMIT = 500
EVERY_LIST = "all"
# What HubSpot calls its own types: https://developers.hubspot.com/docs/guides/crm/understanding-the-crm#object-type-ids
TYPE_IDS = {"0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-5": "tickets"}
MEMBERSHIP_FIELDS = ("id", "list_id", "object_type", "object_id", "member_since")


class OwnersReader(PortalReader):
    """Reads all owners, including those who left, since objects keep their ids."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every owner."""
        for is_archived in ("false", "true"):
            query = {"limit": str(LIST_LIMIT), "archived": is_archived}
            for requested_at, results, _ in self.portal.listed("owners", self.portal.path("owners"), query):
                yield Page(requested_at, tuple(map(record_of, results)))


class PipelinesReader(PortalReader):
    """Reads the pipelines of deals, and those of `others`, types that may have pipelines as well.

    The key of a pipeline of deals is its id; of another type the type stands before it: `tickets:0`.
    """

    def __init__(self, portal: HubSpot, others: Iterable[HubSpotObject] = ()) -> None:
        super().__init__(portal)
        self._others = tuple(others)
        self._left_out: set[str] = set()

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every pipeline, one page per type."""
        yield self._of("deals", "deals")
        for each in self._others:
            try:
                yield self._of(each.name, each.path_name)
            except (MissingScopeError, NotFoundError) as error:
                # Only a warning: what cannot be read of a type is told by its own reader, and not every type has pipelines.
                logger.warning(
                    "The pipelines of %s are not read, and their rows stay as they are: %s", each.name, error
                )
                self._left_out.add(each.name)

    def would_meet(self, record_id: str) -> bool:
        """Whether the pipelines of its type were read."""
        kind, colon, _ = record_id.partition(":")
        return not colon or kind in {each.name for each in self._others} - self._left_out

    def _of(self, name: str, path_name: str) -> Page:
        requested_at = datetime.now(UTC)
        answer = self.portal.call(f"pipelines of {name}", "GET", self.portal.path("pipelines", path_name))
        return Page(requested_at, tuple(_pipeline(name, each) for each in answer["results"]))


def _pipeline(name: str, found: Any) -> Record:
    record = record_of(found)
    if record.id is None:
        return record
    key = record.id if name == "deals" else f"{name}:{record.id}"
    return record_of({**record.payload, "id": key, "object_type": name})


class ListsReader(PortalReader):
    """Reads the lists that `named` says: `all`, or names and ids with commas between them."""

    def __init__(self, portal: HubSpot, named: str, types: Mapping[str, str]) -> None:
        """`types` are what types are called here, by the id that HubSpot gives them."""
        super().__init__(portal)
        self._wanted = {name.strip().casefold(): name.strip() for name in named.split(",") if name.strip()}
        self._types = TYPE_IDS | dict(types)

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every list that is wanted. Raises `NotFoundError` for one that the portal does not have."""
        known: set[str] = set()
        met: set[str] = set()
        for requested_at, found in self._search():
            records = []
            for each in found:
                record = record_of({"id": each.get("listId"), **each})
                name = as_text(each.get("name")) or ""
                known.add(name)
                names = {name.casefold(), record.id or ""} & self._wanted.keys()
                if record.id is None or names or EVERY_LIST in self._wanted:
                    met |= names
                    records.append(record)
            yield Page(requested_at, tuple(records))
        for lacking in sorted(self._wanted.keys() - met - {EVERY_LIST}):
            asked = self._wanted[lacking]
            raise NotFoundError(
                f"HubSpot has no list '{asked}'.{nearest(asked, known)} Name lists as HubSpot does, or by their ids, or write "
                f"{EVERY_LIST}, in the setting REPORTING_NAME_HUBSPOT__LISTS or REPORTING_NAME_HUBSPOT__LIST_MEMBERSHIPS."
            )

    def type_of(self, record: Record) -> str:
        """What the type of a list's objects is called here; HubSpot's id of it where it is not read."""
        type_id = as_text(record.payload.get("objectTypeId")) or ""
        return self._types.get(type_id, type_id)

    def _search(self) -> Iterator[tuple[datetime, list[Mapping[str, Any]]]]:
        offset = idle = 0
        while True:
            requested_at = datetime.now(UTC)
            body = {"count": LISTS_LIMIT, "offset": offset, "additionalProperties": ["hs_list_size"]}
            answer = self.portal.call("lists", "POST", self.portal.path("lists", "search"), body=body)
            found = mappings(answer.get("lists"))
            yield requested_at, found
            following = answer.get("offset")
            if not answer.get("hasMore"):
                return
            if isinstance(following, int) and following > offset:
                offset, idle = following, 0
            else:
                offset, idle = offset + len(found), idle + 1
            if idle > PAGE_REPEATS:
                raise IncompleteReadError(
                    "HubSpot says that there are more lists but returns nothing new; nothing was loaded. Run the task again."
                )


class MembershipsReader(ListsReader):
    """Reads which objects are in these lists. A record has the fields in `MEMBERSHIP_FIELDS`."""

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield the memberships of one list after the other. A list that is deleted meanwhile has none."""
        # All of them first, so that a wrong name costs nothing else.
        lists = [record for page in super().read(since) for record in page.records if record.id is not None]
        query = {"limit": str(MEMBERS_LIMIT)}
        for each in lists:
            path = self.portal.path("lists", f"{each.id}/memberships")
            try:
                for requested_at, results, _ in self.portal.listed(f"the list {each.id}", path, query):
                    yield Page(requested_at, tuple(self._membership(each, found) for found in results))
            except NotFoundError:
                logger.info("The list %s was deleted while the lists were read.", each.id)

    def _membership(self, of: Record, found: Any) -> Record:
        object_id = record_of({"id": mapping(found).get("recordId")}).id
        if object_id is None:
            # The record has no key, so it is counted and not loaded.
            return Record({"unreadable": found})
        since = as_text(found.get("membershipTimestamp"))
        values = (f"{of.id}:{object_id}", of.id, self.type_of(of), object_id, since)
        return record_of(dict(zip(MEMBERSHIP_FIELDS, values, strict=True)))
