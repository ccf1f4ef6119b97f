"""The endpoints under /v1, for the versions 2025-09-03 and 2026-03-11, and what tests ask for under /_control."""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Faults
from sandbox.notion import values
from sandbox.notion.errors import NotionDialect, error
from sandbox.notion.query import InvalidQueryError, matches, order_key
from sandbox.notion.sample import definition
from sandbox.notion.store import BOT, Store
from sandbox.notion.values import InvalidValueError, Json
from sandbox.stand_in import control_routes

VERSIONS = ("2025-09-03", "2026-03-11")
IN_TRASH_SINCE = "2026-03-11"
PAGE_SIZE = 100
QUERY_CAP = 10_000

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Gate:
    """Middleware: token, version and rate limit, in the order in which Notion minds them; counts requests."""

    def __init__(
        self, app: ASGIApp, token: str | None, per_second: float | None, counts: Counter[str]
    ) -> None:
        self.app, self.token, self.per_second, self.counts = app, token, per_second, counts
        self._allowance = self._burst = (per_second or 0) * 3
        self._seen_at = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        pattern = re.sub(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f-]{20,23}", "{id}", scope["path"])
        self.counts[f"{scope['method']} {re.sub(r'(properties/).+', r'\1{id}', pattern)}"] += 1
        refusal = self._refusal(Request(scope))
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token or (self.token and token != self.token):
            return error(401, "API token is invalid.")
        if request.headers.get("notion-version") not in VERSIONS:
            return error(
                400, f"Notion-Version header should be one of {', '.join(VERSIONS)}.", code="missing_version"
            )
        wait = self._wait()
        if wait > 0:
            return error(
                429, "You have been rate limited.", headers={"Retry-After": str(max(1, round(wait)))}
            )
        return None

    def _wait(self) -> float:
        """Seconds until the next request is welcome: an average over a few seconds."""
        if not self.per_second:
            return 0.0
        now = time.monotonic()
        self._allowance = min(self._burst, self._allowance + (now - self._seen_at) * self.per_second)
        self._seen_at = now
        if self._allowance < 1:
            return (1 - self._allowance) / self.per_second
        self._allowance -= 1
        return 0.0


class Notion:
    """The endpoints over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._ordering: tuple[Any, list[str]] = (None, [])

    async def me(self, request: Request) -> Json:
        """GET /users/me."""
        return BOT

    async def search(self, request: Request) -> Json:
        """POST /search: data sources, databases or pages whose title holds the text."""
        body = await _body(request)
        wanted = (body.get("filter") or {}).get("value", "data_source")
        text = str(body.get("query") or "").lower()
        sources = [each for each in self.store.data_sources() if text in values.plain(each["title"]).lower()]
        found: list[Json]
        if wanted == "data_source":
            found = [self._data_source(each, request) for each in sources]
        elif wanted == "database":
            found = [self._database(each["parent"]["database_id"]) for each in sources]
        elif wanted == "page":
            found = [
                self._page(page, source, request)
                for source in self.store.data_sources()
                for page in self.store.pages(source["id"])
                if text in self._title(page, source).lower()
            ]
        else:
            raise ApiError(400, "body.filter.value should be page, database or data_source")
        return _listed(found, body, "page_or_data_source")

    async def database(self, request: Request) -> Json:
        """GET /databases/{id}."""
        return self._database(request.path_params["key"])

    async def data_source(self, request: Request) -> Json:
        """GET /data_sources/{id}."""
        return self._data_source(self._known_source(request), request)

    async def change_data_source(self, request: Request) -> Json:
        """PATCH /data_sources/{id}: rename, add, remove or retype properties."""
        source, body = self._known_source(request), await _body(request)
        for given, change in (body.get("properties") or {}).items():
            name = _property_name(source, given)
            if name is None:
                if not change:
                    raise ApiError(400, f"{given} is not a property that exists.")
                kind = next(key for key in change if key != "name")
                source["properties"][given] = definition(source["id"], given, kind, change[kind])
            elif change is None:
                del source["properties"][name]
            else:
                _change_property(source, name, change)
        if "title" in body:
            source["title"] = [values.rich_text(part["text"]["content"]) for part in body["title"]]
        self.store.save_data_source(source)
        return self._data_source(source, request)

    async def query(self, request: Request) -> Json:
        """POST /data_sources/{id}/query; unknown keys of the body are dropped without a word."""
        source, body = self._known_source(request), await _body(request)
        size = _page_size(body)
        ids = self._ordered_ids(source, body.get("filter"), body.get("sorts") or [])
        first = 0
        if cursor := body.get("start_cursor"):
            try:
                first = ids.index(cursor)
            except ValueError:
                raise ApiError(400, f"The start_cursor provided is invalid: {cursor}") from None
        last = min(first + size, QUERY_CAP, len(ids))
        wanted = request.query_params.getlist("filter_properties")
        pages = self.store.pages_by_id(ids[first:last])
        answer = _list_of(
            [self._page(page, source, request, wanted) for page in pages], "page_or_data_source"
        )
        if last < min(len(ids), QUERY_CAP):
            answer |= {"has_more": True, "next_cursor": ids[last]}
        elif len(ids) > QUERY_CAP:
            answer["request_status"] = {
                "type": "incomplete",
                "incomplete_reason": "query_result_limit_reached",
            }
        return answer

    async def page(self, request: Request) -> Json:
        """GET /pages/{id}, in the trash or not."""
        page = self._known_page(request)
        return self._page(page, self._source_of(page), request)

    async def create_page(self, request: Request) -> Json:
        """POST /pages."""
        body = await _body(request)
        parent = body.get("parent") or {}
        source = self.store.data_source(str(parent.get("data_source_id", "")))
        if source is None:
            raise ApiError(
                404, _not_found("data_source", str(parent.get("data_source_id"))), "object_not_found"
            )
        written = self._written(source, body.get("properties") or {})
        empty = {
            each["id"]: [each["type"], values.EMPTY[each["type"]]()]
            for each in source["properties"].values()
            if each["type"] not in values.COMPUTED_TYPES
        }
        self.store.save_data_source(source)
        return self._page(self.store.create(source, empty | written), source, request)

    async def change_page(self, request: Request) -> Json:
        """PATCH /pages/{id}: values, and into or out of the trash."""
        page, body = self._known_page(request), await _body(request)
        source = self._source_of(page)
        contents = page["values"] | self._written(source, body.get("properties") or {})
        in_trash = body.get("in_trash", body.get("archived", page["in_trash"]))
        if page["in_trash"] and in_trash:
            raise ApiError(400, "Can't edit page that is in the trash. You must restore it first.")
        self.store.save_data_source(source)
        return self._page(
            self.store.save({**page, "values": contents, "in_trash": bool(in_trash)}), source, request
        )

    async def property_item(self, request: Request) -> Json:
        """GET /pages/{id}/properties/{property_id}: a paginated list for what has references, else one item."""
        page = self._known_page(request)
        source, wanted = self._source_of(page), request.path_params["property_id"]
        for known in source["properties"].values():
            if values.is_same_property(wanted, known["id"]):
                break
        else:
            raise ApiError(404, f"Could not find property with ID: {wanted}.", "object_not_found")
        kind, value = self._value(page, known)
        if kind in values.CUT_TYPES:
            items = [
                {"object": "property_item", "id": known["id"], "type": kind, kind: each} for each in value
            ]
            return {
                **_listed(items, dict(request.query_params), "property_item"),
                "property_item": {"id": known["id"], "next_url": None, "type": kind, kind: {}},
            }
        return {"object": "property_item", "id": known["id"], "type": kind, kind: value}

    def truth(self, key: str) -> list[Json]:
        """Every page of a data source with its whole values by property name, in the trash or not."""
        source = self.store.data_source(key)
        if source is None:
            raise ApiError(404, _not_found("data_source", key), "object_not_found")
        return [
            {
                "id": page["id"],
                "created_time": page["created"],
                "last_edited_time": page["edited"],
                "in_trash": page["in_trash"],
                "properties": {
                    name: {"id": known["id"], "type": kind, kind: value}
                    for name, known in source["properties"].items()
                    for kind, value in [self._value(page, known)]
                },
            }
            for page in self.store.pages(source["id"], with_trash=True)
        ]

    def _known_source(self, request: Request) -> Json:
        key = request.path_params["key"]
        source = self.store.data_source(key)
        if source is None:
            raise ApiError(404, _not_found("data_source", key), "object_not_found")
        return source

    def _known_page(self, request: Request) -> Json:
        key = request.path_params["key"]
        page = self.store.page(key)
        if page is None:
            raise ApiError(404, _not_found("page", key), "object_not_found")
        return page

    def _source_of(self, page: Json) -> Json:
        source = self.store.data_source(page["data_source_id"])
        assert source is not None  # noqa: S101 (a page is only ever made in a data source)
        return source

    def _ordered_ids(self, source: Json, condition: Json | None, sorts: list[Json]) -> list[str]:
        key = (self.store.version, source["id"], json.dumps([condition, sorts], sort_keys=True))
        if self._ordering[0] != key:
            self._ordering = (key, self._ids(source, condition, sorts))
        return self._ordering[1]

    def _ids(self, source: Json, condition: Json | None, sorts: list[Json]) -> list[str]:
        def value(page: Json, given: str) -> tuple[str, Any]:
            name = _property_name(source, given)
            if name is None:
                raise InvalidQueryError(f"Could not find property with name or id: {given}")
            return self._value(page, source["properties"][name])

        text = json.dumps([condition, sorts])
        # Most queries only look at times, and need no page for that.
        if '"property"' in text:
            pages = list(self.store.pages(source["id"]))
        else:
            times = self.store.times(source["id"])
            pages = [{"id": key, "created": created, "edited": edited} for key, created, edited in times]
        try:
            found = [page for page in pages if condition is None or matches(condition, page, value)]
            for sort in reversed(sorts):
                descending = sort.get("direction") == "descending"
                found.sort(key=lambda page: order_key(sort, page, value)[1], reverse=descending)
                found.sort(key=lambda page: order_key(sort, page, value)[0])
        except InvalidQueryError as wrong:
            raise ApiError(400, str(wrong)) from None
        except (AttributeError, KeyError, TypeError):
            raise ApiError(400, "body failed validation: body.filter or body.sorts") from None
        return [page["id"] for page in found]

    def _written(self, source: Json, properties: Json) -> Json:
        written = {}
        for given, content in properties.items():
            name = _property_name(source, given)
            if name is None:
                raise ApiError(400, f"{given} is not a property that exists.")
            known = source["properties"][name]
            try:
                value = values.written(known["type"], content[known["type"]], known)
            except (InvalidValueError, KeyError, TypeError) as wrong:
                raise ApiError(400, f"body.properties.{given}: {wrong}") from None
            written[known["id"]] = [known["type"], value]
        return written

    def _value(self, page: Json, known: Json) -> tuple[str, Any]:
        kind = known["type"]
        if known["id"] in page.get("recorded", {}):
            return kind, page["recorded"][known["id"]]
        computed = {
            "created_time": page.get("created"),
            "last_edited_time": page.get("edited"),
            "created_by": page.get("created_by"),
            "last_edited_by": page.get("edited_by"),
        }
        if kind in computed:
            return kind, computed[kind]
        if kind == "unique_id":
            return kind, {"prefix": (known.get(kind) or {}).get("prefix"), "number": page["number"]}
        stored_kind, value = page["values"].get(known["id"], (kind, values.EMPTY[kind]()))
        return kind, value if stored_kind == kind else values.converted(stored_kind, value, kind)

    def _title(self, page: Json, source: Json) -> str:
        known = next(each for each in source["properties"].values() if each["type"] == "title")
        return values.plain(self._value(page, known)[1])

    def _page(self, page: Json, source: Json, request: Request, wanted: list[str] | None = None) -> Json:
        properties = {}
        for name, known in source["properties"].items():
            if wanted and not any(
                each == name or values.is_same_property(each, known["id"]) for each in wanted
            ):
                continue
            kind, whole = self._value(page, known)
            shown, is_cut = values.cut(kind, whole)
            more = {"has_more": is_cut} if kind == "relation" else {}
            properties[name] = {"id": known["id"], "type": kind, kind: shown, **more}
        users = {
            name: {"object": "user", "id": page[key]["id"]}
            for name, key in (("created_by", "created_by"), ("last_edited_by", "edited_by"))
        }
        return {
            "object": "page",
            "id": page["id"],
            "created_time": page["created"],
            "last_edited_time": page["edited"],
            **users,
            "cover": None,
            "icon": page["icon"],
            "parent": {
                "type": "data_source_id",
                "data_source_id": source["id"],
                "database_id": source["parent"]["database_id"],
            },
            **_trash(page["in_trash"], request),
            "is_archived": page["in_trash"],
            "is_locked": False,
            "properties": properties,
            "url": f"https://www.notion.so/{page['id'].replace('-', '')}",
            "public_url": None,
        }

    def _data_source(self, source: Json, request: Request) -> Json:
        return {**source, **_trash(False, request)}

    def _database(self, key: str) -> Json:
        held = self.store.of_database(key)
        if not held:
            raise ApiError(404, _not_found("database", key), "object_not_found")
        first = held[0]
        return {
            "object": "database",
            "id": first["parent"]["database_id"],
            "title": first["title"],
            "description": first["description"],
            "parent": first.get("database_parent"),
            "is_inline": first.get("is_inline", False),
            "in_trash": False,
            "created_time": first["created_time"],
            "last_edited_time": first["last_edited_time"],
            "data_sources": [{"id": each["id"], "name": values.plain(each["title"])} for each in held],
            "icon": first.get("icon"),
            "cover": None,
            "url": first.get("url"),
            "public_url": None,
        }


def app_of(store: Store, token: str | None = None, per_second: float | None = None) -> ASGIApp:
    """The stand-in over `store`; `token` is the only one it takes, `per_second` its average limit."""
    notion = Notion(store)
    counts: Counter[str] = Counter()
    routes = [
        _route("/v1/users/me", "GET", notion.me),
        _route("/v1/search", "POST", notion.search),
        _route("/v1/databases/{key}", "GET", notion.database),
        _route("/v1/data_sources/{key}", "GET", notion.data_source),
        _route("/v1/data_sources/{key}", "PATCH", notion.change_data_source),
        _route("/v1/data_sources/{key}/query", "POST", notion.query),
        _route("/v1/pages", "POST", notion.create_page),
        _route("/v1/pages/{key}", "GET", notion.page),
        _route("/v1/pages/{key}", "PATCH", notion.change_page),
        _route("/v1/pages/{key}/properties/{property_id:path}", "GET", notion.property_item),
    ]

    async def purge(request: Request) -> Response:
        return JSONResponse({"purged": store.purge(request.path_params["key"])})

    async def state(_: Request) -> Response:
        rows = store.counts()
        sources = [
            {"id": each["id"], "name": values.plain(each["title"]), "rows": rows.get(each["id"], 0)}
            for each in store.data_sources()
        ]
        return JSONResponse({"parameters": store.parameters(), "data_sources": sources})

    routes += [
        *control_routes(lambda: faults, counts),
        Route("/_control/purge/{key}", purge, methods=["POST"]),
        Route("/_control/state", state, methods=["GET"]),
        _route("/_control/truth/{key}", "GET", _truth(notion)),
    ]
    faults = Faults(Starlette(routes=routes), NotionDialect())
    # A request that meets a fault counts against the limit, too.
    return Gate(faults, token, per_second, counts)


def _truth(notion: Notion) -> Callable[[Request], Awaitable[Any]]:
    async def truth(request: Request) -> Any:
        return notion.truth(request.path_params["key"])

    return truth


def _route(path: str, method: str, answer: Callable[[Request], Awaitable[Any]]) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            found = await answer(request)
        except ApiError as wrong:
            return error(wrong.status, str(wrong), wrong.code)
        # The reader's other requests go on meanwhile.
        await asyncio.sleep(0)
        if isinstance(found, dict):
            found = {**found, "request_id": str(uuid.uuid4())}
        return JSONResponse(found)

    return Route(path, endpoint, methods=[method])


async def _body(request: Request) -> Json:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise ApiError(400, "Error parsing JSON body.", "invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "body failed validation: body should be an object")
    return body


def _page_size(given: Json) -> int:
    try:
        size = int(given.get("page_size") or PAGE_SIZE)
    except (TypeError, ValueError):
        size = 0
    if not 1 <= size <= PAGE_SIZE:
        raise ApiError(400, f"body failed validation: page_size should be ≥ 1 and ≤ {PAGE_SIZE}")
    return size


def _list_of(results: list[Json], kind: str) -> Json:
    return {
        "object": "list",
        "results": results,
        "next_cursor": None,
        "has_more": False,
        "type": kind,
        kind: {},
    }


def _listed(found: list[Json], given: Json, kind: str) -> Json:
    """One page of a list whose cursors are positions."""
    size, cursor = _page_size(given), given.get("start_cursor") or "0"
    if not str(cursor).isdecimal() or int(cursor) > len(found):
        raise ApiError(400, "The start_cursor provided is invalid.")
    first = int(cursor)
    answer = _list_of(found[first : first + size], kind)
    if first + size < len(found):
        answer |= {"has_more": True, "next_cursor": str(first + size)}
    return answer


def _property_name(source: Json, given: str) -> str | None:
    if given in source["properties"]:
        return given
    for name, known in source["properties"].items():
        if values.is_same_property(given, known["id"]):
            return str(name)
    return None


def _change_property(source: Json, name: str, change: Json) -> None:
    known = source["properties"][name]
    kind = next((key for key in change if key != "name"), known["type"])
    config = change.get(kind, known.get(known["type"], {}))
    changed = {
        **definition(source["id"], name, kind, config),
        "id": known["id"],
        "name": change.get("name", name),
    }
    # In its old place: the order of properties is the owner's.
    source["properties"] = {
        (changed["name"] if each == name else each): (changed if each == name else held)
        for each, held in source["properties"].items()
    }


def _trash(in_trash: bool, request: Request) -> Json:
    """`archived` was renamed in 2026-03-11."""
    older = request.headers.get("notion-version", "") < IN_TRASH_SINCE
    return {"in_trash": in_trash, **({"archived": in_trash} if older else {})}


def _not_found(what: str, key: str) -> str:
    return (
        f"Could not find {what} with ID: {unquote(key)}. Make sure the relevant pages and databases are shared with "
        "your integration."
    )
