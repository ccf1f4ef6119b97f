"""The CRM endpoints, under /crm/v3 (associations v4) and under the dated paths, and /_control for tests."""

import json
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Faults
from sandbox.hubspot.errors import ApiError, HubSpotDialect, error, rate_limited
from sandbox.hubspot.sample import OWNERS, PIPELINES
from sandbox.hubspot.schema import (
    SINGULAR,
    TYPES,
    UNLABELLED,
    Json,
    created_property,
    definition,
    modified_property,
)
from sandbox.hubspot.search import CAP, search
from sandbox.hubspot.store import Store, iso, now_ms, shown
from sandbox.stand_in import clock_routes, control_routes

DATED = "2026-09"
LIST_LIMIT = 100
BATCH_LIMIT = 100
ASSOCIATION_INPUTS = 1000
ASSOCIATION_PAGE = 500
LONGEST_QUERY = 8000
WINDOW_SECONDS = 10.0
SEARCHES_PER_SECOND = 5
DEFAULT_PROPERTIES = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
}

Answer = Callable[[Request], Awaitable[Any]]


class Gate:
    """Middleware: token, length of the query string and the rate limits; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        per_window: int | None,
        counts: Counter[str],
        monotonic: Callable[[], float],
    ) -> None:
        self.app, self.token, self.per_window, self.counts = app, token, per_window, counts
        self._monotonic = monotonic
        self._sent: deque[float] = deque()
        self._searched: deque[float] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        self.counts[f"{scope['method']} {re.sub(r'/[0-9]+(?=/|$)', '/{id}', scope['path'])}"] += 1
        await (self._refusal(Request(scope)) or self.app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token or (self.token and token != self.token):
            return error(401, "Authentication credentials not found.")
        if len(request.url.query) > LONGEST_QUERY:
            return Response("Request-URI Too Long", 414)
        if self.per_window:
            now = self._monotonic()
            if _is_over(self._sent, self.per_window, WINDOW_SECONDS, now):
                return rate_limited("TEN_SECONDLY_ROLLING")
            if request.url.path.endswith("/search") and _is_over(
                self._searched, SEARCHES_PER_SECOND, 1.0, now
            ):
                return rate_limited("SECONDLY")
        return None


def _is_over(sent: deque[float], limit: int, seconds: float, now: float) -> bool:
    """Whether another request within the rolling window is too many; counts it if not."""
    while sent and sent[0] <= now - seconds:
        sent.popleft()
    if len(sent) >= limit:
        return True
    sent.append(now)
    return False


class HubSpot:
    """The endpoints over one store. `lag` is how many seconds the search is behind."""

    def __init__(self, store: Store, lag: float, scopes: frozenset[str] | None) -> None:
        self.store, self.scopes = store, scopes
        self.lag_ms, self.search_cap = round(lag * 1000), CAP

    async def listed(self, request: Request) -> Json:
        """GET objects: in the order of ids, which no change moves."""
        kind, query = self._kind(request), request.query_params
        limit = _limit(query.get("limit"), 10, LIST_LIMIT)
        after = int(query.get("after") or 0)
        is_archived = query.get("archived") == "true"
        where = f"archived IS {'NOT ' if is_archived else ''}NULL AND merged_into IS NULL AND id >= ?"
        found = self.store.select(kind, where, (after,), "id", limit + 1)
        answer: Json = {
            "results": [self._shown(each, _names(query.get("properties"))) for each in found[:limit]]
        }
        if len(found) > limit:
            answer["paging"] = {"next": {"after": str(found[limit]["id"]), "link": str(request.url)}}
        return answer

    async def one(self, request: Request) -> Json:
        """GET an object; the id of one that was merged leads to the winner."""
        kind, query = self._kind(request), request.query_params
        record = self._known(kind, request.path_params["key"])
        is_archived = query.get("archived") == "true"
        if (record["archived"] is not None) != is_archived:
            raise ApiError(404, "resource not found")
        return self._shown(record, _names(query.get("properties")))

    async def created(self, request: Request) -> Json:
        """POST an object."""
        kind, body = self._kind(request), await _body(request)
        made = self.store.create(kind, self._checked(kind, body.get("properties") or {}))
        return self._shown(made, ())

    async def changed(self, request: Request) -> Json:
        """PATCH an object."""
        kind, body = self._kind(request), await _body(request)
        record = self._known(kind, request.path_params["key"])
        if record["archived"] is not None:
            raise ApiError(404, "resource not found")
        return self._shown(self.store.change(record, self._checked(kind, body.get("properties") or {})), ())

    async def archived(self, request: Request) -> Response:
        """DELETE an object: it can be listed with archived=true."""
        kind = self._kind(request)
        record = self.store.record(kind, _id(request.path_params["key"]))
        if record and record["archived"] is None and record["merged_into"] is None:
            self.store.archive(record)
        return Response(status_code=204)

    async def searched(self, request: Request) -> Json:
        """POST search."""
        kind, body = self._kind(request), await _body(request)
        types = {each["name"]: each["type"] for each in self.store.definitions(kind)}
        answer = search(self.store, kind, body, types, self.lag_ms, self.search_cap)
        names = tuple(body.get("properties") or ())
        return {**answer, "results": [self._shown(each, names) for each in answer["results"]]}

    async def batch_read(self, request: Request) -> Response:
        """POST batch/read: 207 when some ids are not found."""
        kind, body = self._kind(request), await _body(request)
        inputs = body.get("inputs") or []
        if len(inputs) > BATCH_LIMIT:
            raise ApiError(400, f"Invalid input JSON: inputs must have at most {BATCH_LIMIT} elements")
        names, missing, results, seen = tuple(body.get("properties") or ()), [], [], set()
        for each in inputs:
            try:
                record = self._known(kind, each["id"])
            except ApiError:
                missing.append(str(each["id"]))
                continue
            is_wanted = (record["archived"] is not None) == (request.query_params.get("archived") == "true")
            if not is_wanted:
                missing.append(str(each["id"]))
            elif record["id"] not in seen:
                seen.add(record["id"])
                results.append(self._shown(record, names))
        answer = _batch(results)
        if missing:
            said = {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": f"Could not get some {kind} objects, they may be deleted or not exist.",
                "context": {"ids": missing},
            }
            return JSONResponse({**answer, "numErrors": 1, "errors": [said]}, 207)
        return JSONResponse(answer)

    async def merged(self, request: Request) -> Json:
        """POST merge."""
        kind, body = self._kind(request), await _body(request)
        winner, loser = (self._known(kind, body[name]) for name in ("primaryObjectId", "objectIdToMerge"))
        if winner["id"] == loser["id"] or winner["archived"] or loser["archived"]:
            raise ApiError(400, "these objects cannot be merged")
        return self._shown(self.store.merge(winner, loser), ())

    async def erased(self, request: Request) -> Response:
        """POST gdpr-delete: nothing is left but an absence."""
        kind, body = self._kind(request), await _body(request)
        record = self.store.record(kind, _id(body.get("objectId")))
        if record:
            self.store.erase(record)
        return Response(status_code=204)

    async def properties(self, request: Request) -> Json:
        """GET properties of a type."""
        return {"results": self.store.definitions(self._kind(request))}

    async def property_created(self, request: Request) -> Json:
        """POST a property."""
        kind, body = self._kind(request), await _body(request)
        made = {**definition(body["name"], body["type"]), "hubspotDefined": False, **body}
        self.store.define(kind, made)
        return made

    async def property_changed(self, request: Request) -> Json:
        """PATCH a property: label or type."""
        kind, body, name = self._kind(request), await _body(request), request.path_params["name"]
        known = next((each for each in self.store.definitions(kind) if each["name"] == name), None)
        if known is None:
            raise ApiError(404, f"Property {name} not found")
        changed = {**known, **body, "name": name}
        self.store.define(kind, changed)
        return changed

    async def property_archived(self, request: Request) -> Response:
        """DELETE a property."""
        self.store.undefine(self._kind(request), request.path_params["name"])
        return Response(status_code=204)

    async def owners(self, request: Request) -> Json:
        """GET owners; the archived ones apart."""
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
        return {"results": PIPELINES if self._kind(request) == "deals" else []}

    async def associations(self, request: Request) -> Response:
        """POST associations batch/read: a cursor for each record that has more."""
        from_kind, to_kind = self._kinds(request)
        inputs = (await _body(request)).get("inputs") or []
        if len(inputs) > ASSOCIATION_INPUTS:
            raise ApiError(400, f"Invalid input JSON: inputs must have at most {ASSOCIATION_INPUTS} elements")
        results, missing = [], []
        for each in inputs:
            links = self.store.links(from_kind, _id(each.get("id")), to_kind)
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
        answer = _batch(results)
        if missing:
            said = [
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
            return JSONResponse({**answer, "numErrors": len(said), "errors": said}, 207)
        return JSONResponse(answer)

    async def associated(self, request: Request) -> Response:
        """PUT or DELETE the default association of two records."""
        from_kind, to_kind = self._kinds(request)
        one, other = (
            self._known(from_kind, request.path_params["key"]),
            self._known(to_kind, request.path_params["other"]),
        )
        if request.method == "DELETE":
            self.store.unlink(from_kind, one["id"], to_kind, other["id"])
        else:
            self.store.link(from_kind, one["id"], to_kind, other["id"])
        return Response(status_code=204)

    async def truth(self, request: Request) -> Any:
        """Every record of a type with what became of it, for tests."""
        kind = self._kind(request)
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

    async def every_association(self, _: Request) -> Any:
        """Every association in both directions, for tests: from, id, to, id, category and type."""
        return self.store.every_link()

    async def restored(self, request: Request) -> Any:
        """Restore a record, which the API cannot do."""
        record = self.store.record(self._kind(request), _id(request.path_params["key"]))
        if record is None:
            raise ApiError(404, "resource not found")
        self.store.restore(record)
        return {"restored": True}

    async def limited(self, request: Request) -> Any:
        """Set how many seconds the search is behind, and how many results it pages through."""
        body = await _body(request)
        self.lag_ms = round(float(body.get("lag") or 0) * 1000)
        self.search_cap = int(body.get("cap") or CAP)
        return {"lag": self.lag_ms / 1000, "cap": self.search_cap}

    def _kind(self, request: Request) -> str:
        return self._allowed(request.path_params["kind"])

    def _kinds(self, request: Request) -> tuple[str, str]:
        pair = self._allowed(request.path_params["kind"]), self._allowed(request.path_params["other_kind"])
        if pair not in UNLABELLED:
            raise ApiError(400, f"{pair[0]} and {pair[1]} cannot be associated")
        return pair

    def _allowed(self, kind: str) -> str:
        plural = next((each for each in TYPES if kind in (each, SINGULAR[each])), None)
        if plural is None:
            raise ApiError(404, f"Unable to infer object type from: {kind}")
        scope = f"crm.objects.{plural}.read"
        if self.scopes is not None and scope not in self.scopes:
            said = {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
            raise ApiError(
                403, "This app hasn't been granted all required scopes to make this call.", {"errors": [said]}
            )
        return plural

    def _known(self, kind: str, key: Any) -> Json:
        record = self.store.record(kind, _id(key))
        if record is not None and record["merged_into"] is not None:
            record = self.store.record(kind, record["merged_into"])
        if record is None:
            raise ApiError(404, "resource not found")
        return record

    def _checked(self, kind: str, properties: dict[str, Any]) -> dict[str, str | None]:
        known = {each["name"] for each in self.store.definitions(kind)}
        if unknown := sorted(set(properties) - known):
            said = [
                {"message": f'Property "{name}" does not exist', "code": "PROPERTY_DOESNT_EXIST"}
                for name in unknown
            ]
            raise ApiError(400, "Property values were not valid", {"errors": said})
        return {name: None if value is None else str(value) for name, value in properties.items()}

    def _shown(self, record: Json, names: tuple[str, ...]) -> Json:
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
        return made | ({"archivedAt": iso(record["archived"])} if record["archived"] is not None else {})


def app_of(
    store: Store,
    token: str | None = None,
    per_window: int | None = None,
    lag: float = 0.0,
    scopes: frozenset[str] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The stand-in over `store`. `per_window` is requests in ten seconds, `scopes` all that the token has."""
    portal = HubSpot(store, lag, scopes)
    counts: Counter[str] = Counter()
    routes: list[Route] = []
    for objects, properties, owners, pipelines, associations in (
        (
            "/crm/v3/objects",
            "/crm/v3/properties",
            "/crm/v3/owners",
            "/crm/v3/pipelines",
            "/crm/v4/associations",
        ),
        *(
            (
                f"/crm/{name}/{DATED}"
                for name in ("objects", "properties", "owners", "pipelines", "associations")
            ),
        ),
    ):
        routes += [
            _route(f"{objects}/{{kind}}/search", "POST", portal.searched),
            _route(f"{objects}/{{kind}}/batch/read", "POST", portal.batch_read),
            _route(f"{objects}/{{kind}}/merge", "POST", portal.merged),
            _route(f"{objects}/{{kind}}/gdpr-delete", "POST", portal.erased),
            _route(f"{objects}/{{kind}}/{{key}}", "GET", portal.one),
            _route(f"{objects}/{{kind}}/{{key}}", "PATCH", portal.changed),
            _route(f"{objects}/{{kind}}/{{key}}", "DELETE", portal.archived),
            _route(f"{objects}/{{kind}}", "GET", portal.listed),
            _route(f"{objects}/{{kind}}", "POST", portal.created, 201),
            _route(
                f"{objects}/{{kind}}/{{key}}/associations/default/{{other_kind}}/{{other}}",
                "PUT",
                portal.associated,
            ),
            _route(
                f"{objects}/{{kind}}/{{key}}/associations/{{other_kind}}/{{other}}",
                "DELETE",
                portal.associated,
            ),
            _route(f"{properties}/{{kind}}", "GET", portal.properties),
            _route(f"{properties}/{{kind}}", "POST", portal.property_created, 201),
            _route(f"{properties}/{{kind}}/{{name}}", "PATCH", portal.property_changed),
            _route(f"{properties}/{{kind}}/{{name}}", "DELETE", portal.property_archived),
            _route(owners, "GET", portal.owners),
            _route(f"{pipelines}/{{kind}}", "GET", portal.pipelines),
            _route(f"{associations}/{{kind}}/{{other_kind}}/batch/read", "POST", portal.associations),
        ]

    async def state(_: Request) -> Any:
        alive = "archived IS NULL AND merged_into IS NULL"
        return {
            "parameters": store.parameters(),
            "records": {kind: store.count(kind, alive, ()) for kind in TYPES},
        }

    routes += [
        *control_routes(lambda: faults, counts, store),
        *clock_routes(),
        _route("/_control/state", "GET", state),
        _route("/_control/truth/{kind}", "GET", portal.truth),
        _route("/_control/associations", "GET", portal.every_association),
        _route("/_control/search", "POST", portal.limited),
        _route("/_control/restore/{kind}/{key}", "POST", portal.restored),
    ]
    faults = Faults(Starlette(routes=routes), HubSpotDialect())
    # A request that meets a fault counts against the limits, too.
    return Gate(faults, token, per_window, counts, monotonic)


def _route(path: str, method: str, answer: Answer, status: int = 200) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            found = await answer(request)
        except ApiError as wrong:
            return error(wrong.status, str(wrong), wrong.more)
        except (KeyError, TypeError, ValueError) as wrong:
            return error(400, f"Invalid input JSON: {type(wrong).__name__}")
        return found if isinstance(found, Response) else JSONResponse(found, status)

    return Route(path, endpoint, methods=[method])


async def _body(request: Request) -> Json:
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid input JSON")
    return body


def _batch(results: list[Json]) -> Json:
    at = iso(now_ms())
    return {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}


def _limit(given: str | None, default: int, most: int) -> int:
    limit = int(given or default)
    if not 1 <= limit <= most:
        raise ApiError(400, f"limit must be between 1 and {most}")
    return limit


def _names(given: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (given or "").split(",")))


def _id(given: Any) -> int:
    """An id as a number; one that is none belongs to no record."""
    text = str(given)
    return int(text) if text.isdecimal() and len(text) < 19 else -1
