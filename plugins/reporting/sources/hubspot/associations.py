"""Reads which objects are associated. Nothing that changes here changes an object, so they are swept on their own."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched, dropwhile
from typing import Any

from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)

from reporting.entities import HUBSPOT_OBJECTS
from reporting.sources.base import AccessDeniedError, Page, Record
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

BATCH_LIMIT = 1000
NONE_FOUND = "crm.associations.NO_ASSOCIATIONS_FOUND"
FIELDS = ("id", "from_type", "from_id", "to_type", "to_id", "category", "type_id", "label")
_ENGAGEMENTS = tuple(each.name for each in HUBSPOT_OBJECTS if each.is_engagement)
# From which side a pair is read; the labels of the other side follow from these.
PAIRS: dict[str, tuple[str, ...]] = {
    "contacts": ("companies", "deals"),
    "companies": ("deals",),
    **dict.fromkeys(_ENGAGEMENTS, ("contacts", "companies", "deals")),
}


class AssociationsReader(PortalReader):
    """Reads the associations of every pair of types, except of those that the token may not read.

    A record has the fields of `FIELDS`.
    """

    def __init__(self, portal: HubSpot, switched_off: frozenset[str] = frozenset()) -> None:
        super().__init__(portal)
        self._left_out = set(switched_off)

    def describe(self) -> JsonObject:
        """The pairs of types that are read."""
        return {"pairs": [f"{one}-{other}" for one, others in PAIRS.items() for other in others]}

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield every association."""
        return self._read(PAIRS)

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield the associations of the types and ids that are left; what was left out stays so."""
        self._left_out |= set(position["left_out"])
        from_type, to_type = position["from_type"], position["to_type"]
        left = dict(dropwhile(lambda each: each[0] != from_type, PAIRS.items()))
        to_types = left.pop(from_type)
        left = {from_type: to_types[to_types.index(to_type) :]} | left
        return self._read(left, (from_type, to_type, int(position["last_id"])))

    def expected_count(self) -> int | None:
        """Unknown: HubSpot gives no total of them."""
        return None

    def _read(
        self, pairs: Mapping[str, tuple[str, ...]], done: tuple[str, str, int] | None = None
    ) -> Iterator[Page]:
        """The associations of `pairs`; of one pair, those of the ids up to one are `done`."""
        for from_type, to_types in pairs.items():
            if from_type in self._left_out:
                continue
            try:
                # In an order of their own, so that it can be said which of them are done.
                ids = sorted(self._ids(from_type), key=int)
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
                    [each for each in ids if int(each) > done[2]] if done and is_begun else ids,
                )

    def would_meet(self, record_id: str) -> bool:
        """Whether the association is of types that were read."""
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
        # The type's own reader fails with the same message; the other associations are read all the same.
        logger.warning("The associations of %s are left as they are: %s", kind, error)
        self._left_out.add(kind)

    def _ids(self, kind: str) -> Iterator[str]:
        query = {"limit": str(LIST_LIMIT), "properties": "hs_object_id"}
        for _, results, _ in self.portal.listed(kind, self.portal.path("objects", kind), query):
            yield from (str(each["id"]) for each in results if each.get("id"))

    def _of(self, from_type: str, to_type: str, ids: tuple[str, ...]) -> Iterator[tuple[Page, bool]]:
        """Their associations, and whether these are the last."""
        path = self.portal.path("associations", f"{from_type}/{to_type}/batch/read")
        asked = [PublicFetchAssociationsBatchRequest(id=each) for each in ids]
        while asked:
            requested_at = datetime.now(UTC)
            body = as_body(BatchInputPublicFetchAssociationsBatchRequest(inputs=asked))
            answer = self.portal.call(from_type, "POST", path, body=body)
            check_batch(f"associations of {from_type} and {to_type}", answer, NONE_FOUND)
            records: list[Record] = []
            asked = []
            for found in answer["results"]:
                from_id = str(found["from"]["id"])
                records.extend(_records(from_type, from_id, to_type, found["to"]))
                after = next_after(found)
                if after is not None:
                    asked.append(PublicFetchAssociationsBatchRequest(id=from_id, after=after))
            yield Page(requested_at, tuple(records)), not asked


def _records(from_type: str, from_id: str, to_type: str, links: list[Any]) -> Iterator[Record]:
    for link in links:
        to_id = str(link["toObjectId"])
        for kind in link["associationTypes"]:
            category, type_id = kind["category"], str(kind["typeId"])
            key = f"{from_type}:{from_id}>{to_type}:{to_id}#{category}:{type_id}"
            values = (key, from_type, from_id, to_type, to_id, category, type_id, kind.get("label"))
            yield Record(dict(zip(FIELDS, values, strict=True)))
