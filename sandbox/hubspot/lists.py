"""Lists and who is in them: https://developers.hubspot.com/docs/api-reference/latest/crm/lists/guide"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.records import Records, body_of
from sandbox.hubspot.schema import Json
from sandbox.hubspot.store import iso

MEMBERS_LIMIT = 250
LISTS_LIMIT = 500


def _list(key: str, name: str, type_id: str, processing: str) -> Json:
    return {
        "listId": key,
        "listVersion": 1,
        "name": name,
        "objectTypeId": type_id,
        "processingType": processing,
        "processingStatus": "COMPLETE",
        "createdAt": "2024-02-01T08:00:00.000Z",
        "updatedAt": "2024-02-01T08:00:00.000Z",
        "filtersUpdatedAt": "2024-02-01T08:00:00.000Z",
        "createdById": "9501",
        "updatedById": "9501",
    }


# Each list with the type of its members and what makes one of them.
LISTS: list[tuple[Json, str, Callable[[Json], bool]]] = [
    (
        _list("11", "Customers", "0-1", "DYNAMIC"),
        "contacts",
        lambda each: each["properties"].get("lifecyclestage") == "customer",
    ),
    (
        _list("12", "Newsletter", "0-1", "MANUAL"),
        "contacts",
        lambda each: "email" in each["properties"] and each["id"] % 3 == 0,
    ),
    (
        _list("13", "Large companies", "0-2", "SNAPSHOT"),
        "companies",
        lambda each: each["properties"].get("numberofemployees") == "80",
    ),
]


class Lists:
    """The endpoints of lists."""

    def __init__(self, records: Records) -> None:
        self.records = records

    async def searched(self, request: Request) -> Json:
        """POST lists/search, which pages with an offset."""
        self.records.check_scope("lists")
        body = await body_of(request)
        count, offset = int(body.get("count") or 20), int(body.get("offset") or 0)
        if not 1 <= count <= LISTS_LIMIT:
            raise ApiError(400, f"count must be between 1 and {LISTS_LIMIT}")
        found = []
        for each, kind, is_member in LISTS[offset : offset + count]:
            properties = {"hs_list_size": str(len(self._members(kind, is_member)))}
            wanted = body.get("additionalProperties") or ()
            shown = {name: value for name, value in properties.items() if name in wanted}
            found.append({**each, "additionalProperties": shown})
        end = offset + len(found)
        return {"lists": found, "hasMore": end < len(LISTS), "offset": end, "total": len(LISTS)}

    async def members(self, request: Request) -> Json:
        """GET memberships of a list, in the order of the ids of its members."""
        self.records.check_scope("lists")
        key, query = request.path_params["key"], request.query_params
        wanted = [each for each in LISTS if each[0]["listId"] == key]
        limit, after = int(query.get("limit") or 100), int(query.get("after") or 0)
        if not wanted:
            raise ApiError(404, f"List does not exist with ID {key}.")
        if not 1 <= limit <= MEMBERS_LIMIT:
            raise ApiError(400, f"limit must be between 1 and {MEMBERS_LIMIT}")
        _, kind, is_member = wanted[0]
        found = [each for each in self._members(kind, is_member) if each["id"] > after]
        answer: Json = {
            "results": [
                {"recordId": str(each["id"]), "membershipTimestamp": iso(each["created"])}
                for each in found[:limit]
            ],
            "total": len(found),
        }
        if len(found) > limit:
            answer["paging"] = {"next": {"after": str(found[limit - 1]["id"]), "link": "?"}}
        return answer

    def _members(self, kind: str, is_member: Callable[[Json], bool]) -> list[Any]:
        living = self.records.store.select(kind, "archived IS NULL AND merged_into IS NULL", (), "id", -1)
        return [each for each in living if is_member(each)]
