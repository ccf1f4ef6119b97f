"""The endpoints of associations."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.records import Records, batch_of, body_of, id_of
from sandbox.hubspot.schema import SINGULAR, UNLABELLED, Json

ASSOCIATION_INPUTS = 1000
ASSOCIATION_PAGE = 500


class Associations:
    """The endpoints over the records that a token may see."""

    def __init__(self, records: Records) -> None:
        self.records, self.store = records, records.store

    async def listed(self, request: Request) -> Response:
        """POST associations batch/read: a cursor for each record that has more."""
        from_kind, to_kind = self._kinds(request)
        inputs = (await body_of(request)).get("inputs") or []
        if len(inputs) > ASSOCIATION_INPUTS:
            raise ApiError(400, f"Invalid input JSON: inputs must have at most {ASSOCIATION_INPUTS} elements")
        results, missing = [], []
        for each in inputs:
            links = self.store.links(from_kind, id_of(each.get("id")), to_kind)
            if not links:
                missing.append(str(each.get("id")))
                continue
            first = int(each.get("after") or 0)
            page = links[first : first + ASSOCIATION_PAGE]
            found: Json = {
                "from": {"id": str(each["id"])},
                "to": [
                    {
                        "toObjectId": key,
                        "associationTypes": [
                            {"category": label.category, "typeId": label.type_id, "label": label.label}
                            for label in labels
                        ],
                    }
                    for key, labels in page
                ],
            }
            if first + ASSOCIATION_PAGE < len(links):
                found["paging"] = {"next": {"after": str(first + ASSOCIATION_PAGE)}}
            results.append(found)
        errors = [
            {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "message": f"No {SINGULAR[to_kind]} is associated with {SINGULAR[from_kind]} {key}.",
                "context": {
                    "fromObjectId": [key],
                    "fromObjectType": [SINGULAR[from_kind]],
                    "toObjectType": [SINGULAR[to_kind]],
                },
            }
            for key in missing
        ]
        return batch_of(results, errors)

    async def changed(self, request: Request) -> Response:
        """PUT or DELETE the default association of two records."""
        from_kind, to_kind = self._kinds(request)
        one, other = (
            self.records.known(from_kind, request.path_params["key"]),
            self.records.known(to_kind, request.path_params["other"]),
        )
        if request.method == "DELETE":
            self.store.unlink(from_kind, one["id"], to_kind, other["id"])
        else:
            self.store.link(from_kind, one["id"], to_kind, other["id"])
        return Response(status_code=204)

    async def every(self, _: Request) -> Any:
        """Every association in both directions, for tests: from, id, to, id, category and type."""
        return self.store.every_link()

    def _kinds(self, request: Request) -> tuple[str, str]:
        pair = (
            self.records.allowed(request.path_params["kind"]),
            self.records.allowed(request.path_params["other_kind"]),
        )
        if pair not in UNLABELLED:
            raise ApiError(400, f"{pair[0]} and {pair[1]} cannot be associated")
        return pair
