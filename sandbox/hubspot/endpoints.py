"""The endpoints of objects, properties, owners and pipelines, and what tests may do that the API cannot."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.records import Records, batch_of, body_of, id_of
from sandbox.hubspot.sample import OWNERS, PIPELINES
from sandbox.hubspot.schema import (
    CUSTOM,
    CUSTOM_SCHEMA,
    Json,
    created_property,
    definition,
    modified_property,
)
from sandbox.hubspot.search import CAP, search
from sandbox.hubspot.store import iso, shown

LIST_LIMIT = 100
BATCH_LIMIT = 100
# With the history of properties, a list and a batch have fewer objects.
HISTORY_LIMIT = 50
TOO_MANY = (
    f"The maximum number of inputs supported in a batch request for property histories is {HISTORY_LIMIT}."
)
DEFAULT_PROPERTIES = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
}


class HubSpot:
    """The endpoints over one store. `lag` is how many seconds the search is behind."""

    def __init__(self, records: Records, lag: float) -> None:
        self.records, self.store = records, records.store
        self.lag_ms, self.search_cap = round(lag * 1000), CAP
        self.lags: dict[str, int] = {}

    async def listed(self, request: Request) -> Json:
        """GET objects: in the order of ids, which no change moves."""
        kind, query = self.records.kind(request), request.query_params
        limit = _limit(query.get("limit"), 10, LIST_LIMIT)
        histories = _names(query.get("propertiesWithHistory"))
        if histories and limit > HISTORY_LIMIT:
            raise ApiError(400, TOO_MANY)
        after = int(query.get("after") or 0)
        is_archived = query.get("archived") == "true"
        where = f"archived IS {'NOT ' if is_archived else ''}NULL AND merged_into IS NULL AND id >= ?"
        found = self.store.select(kind, where, (after,), "id", limit + 1)
        answer: Json = {
            "results": [
                self._shown(each, _names(query.get("properties")), histories) for each in found[:limit]
            ]
        }
        if len(found) > limit:
            answer["paging"] = {"next": {"after": str(found[limit]["id"]), "link": str(request.url)}}
        return answer

    async def one(self, request: Request) -> Json:
        """GET an object; the id of one that was merged leads to the winner."""
        kind, query = self.records.kind(request), request.query_params
        record = self.records.known(kind, request.path_params["key"])
        is_archived = query.get("archived") == "true"
        if (record["archived"] is not None) != is_archived:
            raise ApiError(404, "resource not found")
        return self._shown(record, _names(query.get("properties")))

    async def created(self, request: Request) -> Json:
        """POST an object."""
        kind, body = self.records.kind(request), await body_of(request)
        made = self.store.create(kind, self._checked(kind, body.get("properties") or {}))
        return self._shown(made, ())

    async def changed(self, request: Request) -> Json:
        """PATCH an object."""
        kind, body = self.records.kind(request), await body_of(request)
        record = self.records.known(kind, request.path_params["key"])
        if record["archived"] is not None:
            raise ApiError(404, "resource not found")
        return self._shown(self.store.change(record, self._checked(kind, body.get("properties") or {})), ())

    async def archived(self, request: Request) -> Response:
        """DELETE an object: it can be listed with archived=true."""
        kind = self.records.kind(request)
        record = self.store.record(kind, id_of(request.path_params["key"]))
        if record and record["archived"] is None and record["merged_into"] is None:
            self.store.archive(record)
        return Response(status_code=204)

    async def searched(self, request: Request) -> Json:
        """POST search."""
        kind, body = self.records.kind(request), await body_of(request)
        types = {each["name"]: each["type"] for each in self.store.definitions(kind)}
        answer = search(self.store, kind, body, types, self.lag_ms, self.search_cap, self.lags)
        names = tuple(body.get("properties") or ())
        return {**answer, "results": [self._shown(each, names) for each in answer["results"]]}

    async def batch_read(self, request: Request) -> Response:
        """POST batch/read: 207 when some ids are not found."""
        kind, body = self.records.kind(request), await body_of(request)
        inputs = body.get("inputs") or []
        if len(inputs) > BATCH_LIMIT:
            raise ApiError(400, f"Invalid input JSON: inputs must have at most {BATCH_LIMIT} elements")
        histories = tuple(body.get("propertiesWithHistory") or ())
        if histories and len(inputs) > HISTORY_LIMIT:
            raise ApiError(400, TOO_MANY)
        names, missing, results, seen = tuple(body.get("properties") or ()), [], [], set()
        for each in inputs:
            try:
                record = self.records.known(kind, each["id"])
            except ApiError:
                missing.append(str(each["id"]))
                continue
            is_wanted = (record["archived"] is not None) == (request.query_params.get("archived") == "true")
            if not is_wanted:
                missing.append(str(each["id"]))
            elif record["id"] not in seen:
                seen.add(record["id"])
                results.append(self._shown(record, names, histories))
        errors = []
        if missing:
            errors.append(
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": f"Could not get some {kind} objects, they may be deleted or not exist.",
                    "context": {"ids": missing},
                }
            )
        return batch_of(results, errors)

    async def merged(self, request: Request) -> Json:
        """POST merge."""
        kind, body = self.records.kind(request), await body_of(request)
        winner, loser = (
            self.records.known(kind, body[name]) for name in ("primaryObjectId", "objectIdToMerge")
        )
        if winner["id"] == loser["id"] or winner["archived"] or loser["archived"]:
            raise ApiError(400, "these objects cannot be merged")
        return self._shown(self.store.merge(winner, loser), ())

    async def erased(self, request: Request) -> Response:
        """POST gdpr-delete: nothing is left but an absence."""
        kind, body = self.records.kind(request), await body_of(request)
        record = self.store.record(kind, id_of(body.get("objectId")))
        if record:
            self.store.erase(record)
        return Response(status_code=204)

    async def properties(self, request: Request) -> Json:
        """GET properties of a type."""
        return {"results": self.store.definitions(self.records.kind(request))}

    async def property_created(self, request: Request) -> Json:
        """POST a property."""
        kind, body = self.records.kind(request), await body_of(request)
        made = {**definition(body["name"], body["type"]), "hubspotDefined": False, **body}
        self.store.define(kind, made)
        return made

    async def property_changed(self, request: Request) -> Json:
        """PATCH a property: label or type."""
        kind, body, name = self.records.kind(request), await body_of(request), request.path_params["name"]
        known = next((each for each in self.store.definitions(kind) if each["name"] == name), None)
        if known is None:
            raise ApiError(404, f"Property {name} not found")
        changed = {**known, **body, "name": name}
        self.store.define(kind, changed)
        return changed

    async def property_archived(self, request: Request) -> Response:
        """DELETE a property."""
        self.store.undefine(self.records.kind(request), request.path_params["name"])
        return Response(status_code=204)

    async def owners(self, request: Request) -> Json:
        """GET owners; the archived ones apart."""
        self.records.check_scope("owners")
        limit, after = (
            _limit(request.query_params.get("limit"), 100, 500),
            int(request.query_params.get("after") or 0),
        )
        wanted = [
            each for each in OWNERS if each["archived"] == (request.query_params.get("archived") == "true")
        ]
        answer: Json = {"results": wanted[after : after + limit]}
        if after + limit < len(wanted):
            answer["paging"] = {"next": {"after": str(after + limit)}}
        return answer

    async def pipelines(self, request: Request) -> Json:
        """GET pipelines of a type with their stages."""
        return {"results": PIPELINES.get(self.records.kind(request), [])}

    async def schemas(self, _: Request) -> Json:
        """GET the types that somebody has defined."""
        self.records.check_scope("schemas")
        return {"results": [{**CUSTOM_SCHEMA, "properties": self.store.definitions(CUSTOM)}]}

    async def truth(self, request: Request) -> Any:
        """Every record of a type with what became of it, for tests."""
        kind = self.records.kind(request)
        return [
            {
                "id": str(each["id"]),
                "archived": each["archived"] is not None,
                "merged_into": None if each["merged_into"] is None else str(each["merged_into"]),
                "properties": {
                    item["name"]: shown(each, item["name"]) for item in self.store.definitions(kind)
                },
            }
            for each in self.store.select(kind, "1", (), "id", -1)
        ]

    async def history(self, request: Request) -> Any:
        """Every value that the properties in `properties` had, of each record that is there or in the bin, for tests."""
        kind = self.records.kind(request)
        names = _names(request.query_params.get("properties"))
        return [
            {"id": str(each["id"]), "property": name, "timestamp": iso(at), "value": value}
            for each in self.store.select(kind, "merged_into IS NULL", (), "id", -1)
            for name in names
            for at, value in self.store.versions(each, name)
        ]

    async def restored(self, request: Request) -> Any:
        """Restore a record, which the API cannot do."""
        record = self.store.record(self.records.kind(request), id_of(request.path_params["key"]))
        if record is None:
            raise ApiError(404, "resource not found")
        self.store.restore(record)
        return {"restored": True}

    async def limited(self, request: Request) -> Any:
        """Set how many seconds the search is behind (`lags`: for single records, by id), and how many results it pages
        through.
        """
        body = await body_of(request)
        self.lags = {key: round(seconds * 1000) for key, seconds in (body.get("lags") or {}).items()}
        self.lag_ms = round(float(body.get("lag") or 0) * 1000)
        self.search_cap = int(body.get("cap") or CAP)
        return {"lag": self.lag_ms / 1000, "lags": body.get("lags") or {}, "cap": self.search_cap}

    def _checked(self, kind: str, properties: dict[str, Any]) -> dict[str, str | None]:
        known = {each["name"] for each in self.store.definitions(kind)}
        if unknown := sorted(set(properties) - known):
            said = [
                {"message": f'Property "{name}" does not exist', "code": "PROPERTY_DOESNT_EXIST"}
                for name in unknown
            ]
            raise ApiError(400, "Property values were not valid", {"errors": said})
        return {name: None if value is None else str(value) for name, value in properties.items()}

    def _shown(self, record: Json, names: tuple[str, ...], histories: tuple[str, ...] = ()) -> Json:
        kind = record["kind"]
        always = ("hs_object_id", created_property(kind), modified_property(kind))
        known = {each["name"] for each in self.store.definitions(kind)}
        # A name that the portal does not know is left out without a word.
        wanted = [
            name
            for name in dict.fromkeys((*always, *(names or DEFAULT_PROPERTIES.get(kind, ()))))
            if name in known
        ]
        made = {
            "id": str(record["id"]),
            "properties": {name: shown(record, name) for name in sorted(wanted)},
            "createdAt": iso(record["created"]),
            "updatedAt": iso(record["modified"]),
            "archived": record["archived"] is not None,
        }
        if histories:
            made["propertiesWithHistory"] = {
                name: [_version(at, value) for at, value in self.store.versions(record, name)]
                for name in histories
                if name in known
            }
        return made | ({"archivedAt": iso(record["archived"])} if record["archived"] is not None else {})


def _version(at: int, value: str) -> Json:
    """A value as histories give it."""
    return {
        "value": value,
        "timestamp": iso(at),
        "sourceType": "CRM_UI",
        "sourceId": "userId:9501",
        "updatedByUserId": 9501,
    }


def _limit(given: str | None, default: int, most: int) -> int:
    limit = int(given or default)
    if not 1 <= limit <= most:
        raise ApiError(400, f"limit must be between 1 and {most}")
    return limit


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (given or "").split(",")))
