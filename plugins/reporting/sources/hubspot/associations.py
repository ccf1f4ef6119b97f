"""Reads the associations between objects. A change of one does not change an object, so they are read separately, in full."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched, dropwhile
from typing import Any

from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)

from reporting.sources.base import AccessDeniedError, IncompleteReadError, Page, Record
from reporting.sources.hubspot.api import (
    LIST_LIMIT,
    PAGE_REPEATS,
    HubSpot,
    JsonObject,
    PortalReader,
    check_batch,
    next_after,
)
from reporting.sources.hubspot.entities import HUBSPOT_OBJECTS, HubSpotObject
from reporting.sources.shapes import as_text, mapping, mappings, record_of

logger = logging.getLogger(__name__)

BATCH_LIMIT = 1000
NONE_FOUND = "crm.associations.NO_ASSOCIATIONS_FOUND"
FIELDS = ("id", "from_type", "from_id", "to_type", "to_id", "category", "type_id", "label")
_ENGAGEMENTS = tuple(each.name for each in HUBSPOT_OBJECTS if each.is_engagement)
# The side from which each pair of types is read. The labels of the other side follow from that.
PAIRS: dict[str, tuple[str, ...]] = {
    "contacts": ("companies", "deals"),
    "companies": ("deals",),
    "tickets": ("contacts", "companies", "deals"),
    "line_items": ("deals",),
    **dict.fromkeys(_ENGAGEMENTS, ("contacts", "companies", "deals")),
}


class AssociationsReader(PortalReader):
    """Reads the associations of every pair of types, except for types that the token may not read.

    A record has the fields in `FIELDS`.
    """

    def __init__(
        self,
        portal: HubSpot,
        switched_off: frozenset[str] = frozenset(),
        others: Iterable[HubSpotObject] = (),
    ) -> None:
        """`others` are types that the owner has added, which say themselves with what they are associated."""
        super().__init__(portal)
        self._left_out = set(switched_off)
        added = {each.name: each for each in others if each.associations}
        self._pairs = PAIRS | {name: each.associations for name, each in added.items()}
        self._path_names = {name: each.path_name for name, each in added.items()}

    def describe(self) -> JsonObject:
        """The pairs of types that are read."""
        return {"pairs": [f"{one}-{other}" for one, others in self._pairs.items() for other in others]}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every association."""
        return self._read(self._pairs)

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield the associations of the remaining types and ids. Types that were left out before are left out again."""
        self._left_out |= set(position["left_out"])
        from_type, to_type = position["from_type"], position["to_type"]
        left = dict(dropwhile(lambda each: each[0] != from_type, self._pairs.items()))
        to_types = left.pop(from_type)
        left = {from_type: to_types[to_types.index(to_type) :]} | left
        return self._read(left, (from_type, to_type, str(position["last_id"])))

    def expected_count(self) -> int | None:
        """None, since HubSpot does not tell the total."""
        return None

    def _read(
        self, pairs: Mapping[str, tuple[str, ...]], done: tuple[str, str, str] | None = None
    ) -> Iterator[Page]:
        """Yield the associations of `pairs`. In `done`, a pair may have an id up to which its associations were read."""
        for from_type, to_types in pairs.items():
            if from_type in self._left_out:
                continue
            try:
                # Sorted, so that a position can say which ids are done. A set, since HubSpot may list an id twice.
                ids = sorted(set(self._ids(from_type)), key=_order)
            except AccessDeniedError as error:
                self._leave_out(from_type, error)
                continue
            for to_type in to_types:
                if to_type in self._left_out:
                    continue
                is_begun = done is not None and done[:2] == (from_type, to_type)
                yield from self._pair(
                    from_type,
                    to_type,
                    [each for each in ids if _order(each) > _order(done[2])] if done and is_begun else ids,
                )

    def would_meet(self, record_id: str) -> bool:
        """Whether both types of the association were read."""
        from_type, _, rest = record_id.partition(":")
        to_type = rest.partition(">")[2].partition(":")[0]
        return not {from_type, to_type} & self._left_out

    def _pair(self, from_type: str, to_type: str, ids: list[str]) -> Iterator[Page]:
        try:
            for some in batched(ids, BATCH_LIMIT, strict=False):
                for page, is_last in self._of(from_type, to_type, some):
                    position = {
                        "from_type": from_type,
                        "to_type": to_type,
                        "last_id": some[-1],
                        "left_out": sorted(self._left_out),
                    }
                    yield replace(page, position=position if is_last else None)
        except AccessDeniedError as error:
            self._leave_out(to_type, error)

    def _leave_out(self, kind: str, error: AccessDeniedError) -> None:
        # Only a warning: the reader of that type fails with the same message, and the other associations can be read.
        logger.warning(
            "The associations of %s are not read, and their rows stay as they are: %s", kind, error
        )
        self._left_out.add(kind)

    def _path_of(self, kind: str) -> str:
        return self._path_names.get(kind, kind)

    def _ids(self, kind: str) -> Iterator[str]:
        query = {"limit": str(LIST_LIMIT), "properties": "hs_object_id"}
        for _, results, _ in self.portal.listed(
            kind, self.portal.path("objects", self._path_of(kind)), query
        ):
            yield from (record.id for record in map(record_of, results) if record.id is not None)

    def _of(self, from_type: str, to_type: str, ids: tuple[str, ...]) -> Iterator[tuple[Page, bool]]:
        """Yield pages of associations of these ids, each with whether it is the last page."""
        pair = f"{self._path_of(from_type)}/{self._path_of(to_type)}"
        path = self.portal.path("associations", f"{pair}/batch/read")
        asked = [PublicFetchAssociationsBatchRequest(id=each) for each in ids]
        met: set[tuple[str, str]] = set()
        repeats = 0
        while asked:
            requested_at = datetime.now(UTC)
            body = BatchInputPublicFetchAssociationsBatchRequest(inputs=asked)
            answer = self.portal.call(from_type, "POST", path, body=body)
            check_batch(f"associations of {from_type} and {to_type}", answer, NONE_FOUND)
            records: list[Record] = []
            asked = []
            for found in answer["results"]:
                from_id = record_of(mapping(found).get("from")).id
                if from_id is None:
                    records.append(record_of(found))
                    continue
                records.extend(_records(from_type, from_id, to_type, found.get("to")))
                after = next_after(found)
                if after is not None:
                    repeats += (from_id, after) in met
                    met.add((from_id, after))
                    asked.append(PublicFetchAssociationsBatchRequest(id=from_id, after=after))
            if repeats > PAGE_REPEATS:
                raise IncompleteReadError(
                    f"HubSpot keeps returning pages of associations of {from_type} and {to_type} that were read already; "
                    "nothing was loaded. Run the task again."
                )
            yield Page(requested_at, tuple(records)), not asked


def _order(key: str) -> tuple[int, str]:
    """A sort key that orders numbers by value."""
    return len(key), key


def _records(from_type: str, from_id: str, to_type: str, links: Any) -> Iterator[Record]:
    for link in links if isinstance(links, list) else []:
        to_id = record_of({"id": mapping(link).get("toObjectId")}).id
        kinds = mappings(mapping(link).get("associationTypes"))
        if to_id is None or not all(each.get("category") and each.get("typeId") for each in kinds):
            # The record has no key, so it is counted and not loaded.
            yield Record({"unreadable": link})
            continue
        for kind in kinds:
            category, type_id = as_text(kind["category"]), as_text(kind["typeId"])
            key = f"{from_type}:{from_id}>{to_type}:{to_id}#{category}:{type_id}"
            values = (key, from_type, from_id, to_type, to_id, category, type_id, as_text(kind.get("label")))
            yield record_of(dict(zip(FIELDS, values, strict=True)))
