"""Reads the former values of properties, which HubSpot keeps with the time and the author of each change.

A read of everything lists all objects with them, 50 at a time. What was modified since is found by the search, which shows no
history, and then read by id. HubSpot keeps a limited number of values of each property, and so a row stays when its value is no
longer shown.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/objects/batch/get-objects (`propertiesWithHistory`)
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from hubspot.crm.objects import BatchReadInputSimplePublicObjectId, SimplePublicObjectId

from reporting.sources.base import Page, Record
from reporting.sources.hubspot.api import HubSpot, JsonObject, MissingScopeError, PortalReader, check_batch
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.hubspot.objects import ID, ObjectReader
from reporting.sources.shapes import as_text, mapping, record_of

logger = logging.getLogger(__name__)

# The most objects that one request returns with their history.
HISTORY_LIMIT = 50
HISTORY_FIELDS = (
    *("id", "object_type", "object_id", "property", "value"),
    *("changed_at", "source_type", "source_id", "user_id"),
)


class HistoryReader(PortalReader):
    """Reads the history of the properties that each type of `objects` declares, except for types that the key may not read.

    A record is one value of one property, with the fields in `HISTORY_FIELDS`.
    """

    def __init__(self, portal: HubSpot, objects: Iterable[HubSpotObject]) -> None:
        super().__init__(portal)
        self._objects = [each for each in objects if each.history]
        self._left_out: set[str] = set()

    def describe(self) -> JsonObject:
        """The properties of each type."""
        return {"history": {each.name: list(each.history) for each in self._objects}}

    def would_meet(self, record_id: str) -> bool:
        """False: that a value is not shown any more says nothing of whether the property had it."""
        return False

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every value of all objects, or of those that were modified since `since` minus the overlap."""
        if since is None:
            yield from self._each(self._objects, lambda each: self._listed(each, False, None))
        else:
            yield from self.read_window(since, None)

    def read_window(self, since: datetime, until: datetime | None) -> Iterator[Page]:
        """Yield every value of the objects whose last change is between `since` minus the overlap and `until`."""
        yield from self._each(self._objects, lambda each: self._modified(each, since, until))

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield what is left of the type at which the read was cut off, and the types after it."""
        self._left_out |= set(position["left_out"])
        names = [each.name for each in self._objects]
        first, *others = self._objects[names.index(position["type"]) :]
        yield from self._each(
            [first], lambda each: self._listed(each, position["archived"], position["after"])
        )
        yield from self._each(others, lambda each: self._listed(each, False, None))

    def expected_count(self) -> int | None:
        """None, since HubSpot does not tell the total."""
        return None

    def _each(
        self, objects: Sequence[HubSpotObject], read: Callable[[HubSpotObject], Iterator[Page]]
    ) -> Iterator[Page]:
        refused: MissingScopeError | None = None
        for each in objects:
            if each.name in self._left_out:
                continue
            try:
                yield from read(each)
            except MissingScopeError as error:
                refused = error
                self._left_out.add(each.name)
                # Only a warning: the reader of that type fails with the same message.
                logger.warning(
                    "The history of %s is not read. When it can be, run the DAG raw_hubspot__property_history__full, which "
                    "reads what was before: %s",
                    each.name,
                    error,
                )
        if refused and len(self._left_out) == len(self._objects):
            raise refused

    def _listed(self, entity: HubSpotObject, is_archived: bool, after: str | None) -> Iterator[Page]:
        """Yield the pages of both lists, of which that of archived objects is the second."""
        path = self.portal.path("objects", entity.path_name)
        for archived in (False, True) if not is_archived else (True,):
            query = {
                "limit": str(HISTORY_LIMIT),
                "archived": str(archived).lower(),
                "properties": ID,
                "propertiesWithHistory": ",".join(entity.history),
            }
            begins = after if archived == is_archived else None
            for requested_at, results, following in self.portal.listed(entity.name, path, query, begins):
                is_last = following is None
                position = {
                    "type": entity.name,
                    "archived": archived or is_last,
                    "after": following,
                    "left_out": sorted(self._left_out),
                }
                yield Page(
                    requested_at,
                    tuple(_changes(entity, results)),
                    position=None if archived and is_last else position,
                )

    def _modified(self, entity: HubSpotObject, since: datetime, until: datetime | None) -> Iterator[Page]:
        finder = ObjectReader(self.portal, entity, names=(ID,))
        path = f"{self.portal.path('objects', entity.name)}/batch/read"
        for found in finder.read_window(since, until):
            keys = [record.id for record in found.records if record.id is not None]
            for some in batched(keys, HISTORY_LIMIT, strict=False):
                requested_at = datetime.now(UTC)
                request = BatchReadInputSimplePublicObjectId(
                    inputs=[SimplePublicObjectId(id=each) for each in some],
                    properties=[ID],
                    properties_with_history=list(entity.history),
                )
                answer = self.portal.call(entity.name, "POST", path, body=request)
                check_batch(entity.name, answer, "OBJECT_NOT_FOUND")
                yield Page(requested_at, tuple(_changes(entity, answer["results"])))


def _changes(entity: HubSpotObject, results: Any) -> Iterator[Record]:
    """Each value of each object. Of two with the same time the first counts, since the newest comes first."""
    for found in results:
        object_id = record_of(found).id
        if object_id is None:
            yield record_of(found)
            continue
        histories = mapping(found.get("propertiesWithHistory"))
        for name in entity.history:
            versions = histories.get(name)
            met: set[str] = set()
            for version in versions if isinstance(versions, list) else []:
                at = mapping(version).get("timestamp")
                if not isinstance(at, str) or not at:
                    # The record has no key, so it is counted and not loaded.
                    yield Record({"unreadable": version})
                    continue
                if at in met:
                    continue
                met.add(at)
                values = (
                    f"{entity.name}:{object_id}#{name}={at}",
                    entity.name,
                    object_id,
                    name,
                    as_text(version.get("value")),
                    at,
                    as_text(version.get("sourceType")),
                    as_text(version.get("sourceId")),
                    as_text(version.get("updatedByUserId")),
                )
                yield record_of(dict(zip(HISTORY_FIELDS, values, strict=True)))
