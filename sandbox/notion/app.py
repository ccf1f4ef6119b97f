"""The endpoints under /v1, for the versions 2025-09-03 and 2026-03-11, and what tests ask for under /_control."""

import asyncio
import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Never
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.clock import CLOCK
from sandbox.faults import Faults
from sandbox.notion import schema, values
from sandbox.notion.errors import NotionDialect, error
from sandbox.notion.query import InvalidQueryError, Property, ordered
from sandbox.notion.schema import InvalidSchemaError
from sandbox.notion.store import BOT, Store
from sandbox.notion.values import InvalidValueError, Json
from sandbox.stand_in import clock_routes, control_routes

VERSIONS = ("2025-09-03", "2026-03-11")
IN_TRASH_SINCE = "2026-03-11"
PAGE_SIZE = 100
QUERY_CAP = 10_000
# Queries whose order is kept between their pages.
ORDERINGS = 8

Endpoint = Callable[[Request], Awaitable[Response]]


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Gate:
    """Middleware: token, version and rate limit, in the order in which Notion minds them; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        token: str | None,
        per_second: float | None,
        counts: Counter[str],
        monotonic: Callable[[], float],
    ) -> None:
        self.app, self.token, self.per_second, self.counts = app, token, per_second, counts
        self._monotonic = monotonic
        self._allowance = self._burst = (per_second or 0) * 3
        self._seen_at = monotonic()

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
        version = request.headers.get("notion-version")
        if version not in VERSIONS:
            return error(
                400,
                f"Notion-Version header should be one of {', '.join(VERSIONS)}.",
                code="validation_error" if version else "missing_version",
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
        now = self._monotonic()
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
        self.query_cap = QUERY_CAP
        self._orderings: dict[Any, list[str]] = {}

    async def me(self, request: Request) -> Json:
        """GET /users/me."""
        return BOT

    async def search(self, request: Request) -> Json:
        """POST /search: what has the text in its title; without a filter, data sources and pages."""
        body = await _body(request)
        narrowed = body.get("filter") or {}
        wanted = narrowed.get("value") if isinstance(narrowed, dict) else narrowed
        if wanted not in (None, "data_source", "database", "page"):
            raise ApiError(400, "body.filter.value should be page, database or data_source")
        text = str(body.get("query") or "").lower()
        sources = self.store.data_sources()
        named = [each for each in sources if text in values.plain(each["title"]).lower()]
        found: list[tuple[str, Json]] = []
        if wanted in (None, "data_source"):
            found += [(each["id"], each) for each in named]
        elif wanted == "database":
            found += [(each["parent"]["database_id"], each) for each in named]
        if wanted in (None, "page"):
            found += [
                (page["id"], source)
                for source in sources
                for page in self.store.pages(source["id"])
                if text in self._title(page, source).lower()
            ]
        answer = _listed(found, body, "page_or_data_source")
        answer["results"] = [self._found(key, source, request) for key, source in answer["results"]]
        return answer

    def _found(self, key: str, source: Json, request: Request) -> Json:
        """What a search met: a data source, a database, or a page of the data source."""
        if key == source["id"]:
            return self._data_source(source, request)
        if key == source["parent"]["database_id"]:
            return self._database(key)
        return self._page(self.store.pages_by_id([key])[0], source, request)

    async def database(self, request: Request) -> Json:
        """GET /databases/{id}."""
        return self._database(request.path_params["key"])

    async def data_source(self, request: Request) -> Json:
        """GET /data_sources/{id}."""
        return self._data_source(self._known_source(request), request)

    async def change_data_source(self, request: Request) -> Json:
        """PATCH /data_sources/{id}: rename, add, remove or retype properties."""
        source, body = self._known_source(request), await _body(request)
        try:
            source = schema.changed(source, body.get("properties") or {})
            if "title" in body:
                source["title"] = values.written("title", body["title"], {})
        except (AttributeError, InvalidSchemaError, InvalidValueError) as wrong:
            raise ApiError(400, f"body failed validation: {wrong}") from None
        source["last_edited_time"] = values.iso_minute(CLOCK.now())
        self.store.save_data_source(source)
        return self._data_source(source, request)

    async def query(self, request: Request) -> Json:
        """POST /data_sources/{id}/query; unknown keys of the body are dropped without a word."""
        source, body = self._known_source(request), await _body(request)
        size = _page_size(body)
        ids = self._ordered_ids(source, body)
        first = 0
        if cursor := body.get("start_cursor"):
            try:
                first = ids.index(cursor)
            except ValueError:
                raise ApiError(400, f"The start_cursor provided is invalid: {cursor}") from None
        last = min(first + size, self.query_cap, len(ids))
        wanted = request.query_params.getlist("filter_properties")
        pages = self.store.pages_by_id(ids[first:last])
        answer = _list_of(
            [self._page(page, source, request, wanted) for page in pages], "page_or_data_source"
        )
        if last < min(len(ids), self.query_cap):
            answer |= {"has_more": True, "next_cursor": ids[last]}
        elif len(ids) > self.query_cap:
            answer["request_status"] = {
                "type": "incomplete",
                "incomplete_reason": "query_result_limit_reached",
            }
        return answer

    async def page(self, request: Request) -> Json:
        """GET /pages/{id}, in the trash or not."""
        page, wanted = self._known_page(request), request.query_params.getlist("filter_properties")
        return self._page(page, self._source_of(page), request, wanted)

    async def create_page(self, request: Request) -> Json:
        """POST /pages."""
        body = await _body(request)
        source = self._parent(body.get("parent"))
        written = self._written(source, body.get("properties") or {})
        empty = {
            each["id"]: [each["type"], values.EMPTY[each["type"]]()]
            for each in source["properties"].values()
            if each["type"] not in values.COMPUTED_TYPES
        }
        self.store.save_data_source(source)
        return self._page(self.store.create(source, empty | written), source, request)

    def _parent(self, parent: Any) -> Json:
        """The data source that a new page goes to; the only one of a database may be named by it."""
        named = parent if isinstance(parent, dict) else {}
        for what in ("data_source", "database"):
            if key := named.get(f"{what}_id"):
                held = self.store.data_source(str(key)) if what == "data_source" else None
                of_database = self.store.of_database(str(key)) if what == "database" else []
                return held or next(iter(of_database), None) or _raise_not_found(what, str(key))
        raise ApiError(400, "body failed validation: body.parent should name a data_source_id")

    async def change_page(self, request: Request) -> Json:
        """PATCH /pages/{id}: values, and into or out of the trash."""
        page, body = self._known_page(request), await _body(request)
        source = self._source_of(page)
        contents = page["values"] | self._written(source, body.get("properties") or {})
        older = {"in_trash": body["archived"]} if "archived" in body and _knows_archived(request) else {}
        in_trash = {"in_trash": page["in_trash"], **older, **body}["in_trash"]
        if not isinstance(in_trash, bool):
            raise ApiError(400, "body failed validation: body.in_trash should be a boolean")
        if page["in_trash"] and in_trash:
            raise ApiError(400, "Can't edit page that is in the trash. You must restore it first.")
        self.store.save_data_source(source)
        return self._page(
            self.store.save({**page, "values": contents, "in_trash": in_trash}), source, request
        )

    async def property_item(self, request: Request) -> Json:
        """GET /pages/{id}/properties/{property_id}: a paginated list for what has references, else one item."""
        page = self._known_page(request)
        source, wanted = self._source_of(page), request.path_params["property_id"]
        for known in source["properties"].values():
            # The server has decoded the path; an id that was encoded twice is another one.
            if wanted == unquote(known["id"]):
                break
        else:
            raise ApiError(404, f"Could not find property with ID: {wanted}.", "object_not_found")
        kind, value = self._value(page, known)
        key = known["id"]
        if kind in values.CUT_TYPES:
            items = [(kind, each) for each in value]
            about: Json = {}
        elif kind == "rollup" and value["type"] == "array":
            items = [(each["type"], each[each["type"]]) for each in value["array"]]
            about = {"type": "array", "array": [], "function": value["function"]}
        else:
            value = values.signed(kind, value, CLOCK.now()) if "recorded" not in page else value
            return {"object": "property_item", "id": key, "type": kind, kind: value}
        found = [{"object": "property_item", "id": key, "type": each, each: held} for each, held in items]
        return {
            **_listed(found, _numbered(request.query_params), "property_item"),
            "property_item": {"id": key, "next_url": None, "type": kind, kind: about},
        }

    def truth(self, key: str) -> list[Json]:
        """Every page of a data source with its whole values by property name, in the trash or not."""
        source = self.store.data_source(key)
        if source is None:
            _raise_not_found("data_source", key)
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
        return source or _raise_not_found("data_source", key)

    def _known_page(self, request: Request) -> Json:
        key = request.path_params["key"]
        page = self.store.page(key)
        return page or _raise_not_found("page", key)

    def _source_of(self, page: Json) -> Json:
        source = self.store.data_source(page["data_source_id"])
        assert source is not None  # noqa: S101 (a page is only ever made in a data source)
        return source

    def _ordered_ids(self, source: Json, body: Json) -> list[str]:
        condition, sorts, today = body.get("filter"), body.get("sorts") or [], CLOCK.now().date()
        result_type = body.get("result_type") or "page"
        if result_type not in ("page", "data_source"):
            raise ApiError(400, "body failed validation: body.result_type should be page or data_source")
        if result_type == "data_source":
            return []
        text = json.dumps([condition, sorts], sort_keys=True)
        key = (self.store.version, source["id"], text, today)
        if key not in self._orderings:
            # Most queries only look at times, and need no page for that.
            pages = self.store.pages if '"property"' in text else self.store.times
            try:
                ids = ordered(pages(source["id"]), condition, sorts, self._properties(source), today)
            except InvalidQueryError as wrong:
                raise ApiError(400, f"body failed validation: {wrong}") from None
            kept = [each for each in self._orderings.items() if each[0][0] == self.store.version]
            self._orderings = dict([*kept[1 - ORDERINGS :], (key, ids)])
        return self._orderings[key]

    def _properties(self, source: Json) -> Callable[[Any], Property]:
        def found(given: Any) -> Property:
            name = schema.name_of(source, str(given))
            if name is None:
                raise InvalidQueryError(f"Could not find property with name or id: {given}")
            known = source["properties"][name]
            return known["type"], lambda page: self._value(page, known)[1]

        return found

    def _written(self, source: Json, properties: Json) -> Json:
        written = {}
        if not isinstance(properties, dict):
            raise ApiError(400, "body failed validation: body.properties should be an object")
        for given, content in properties.items():
            name = schema.name_of(source, given)
            if name is None:
                raise ApiError(400, f"{given} is not a property that exists.")
            known = source["properties"][name]
            try:
                value = values.written(known["type"], content[known["type"]], known)
            except (AttributeError, InvalidValueError, KeyError, TypeError) as wrong:
                raise ApiError(
                    400, f"body.properties.{given} should be a {known['type']} value: {wrong}"
                ) from None
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
        # What was recorded is served to the letter.
        is_recorded, now = "recorded" in page, CLOCK.now()
        for name, known in source["properties"].items():
            if wanted and not any(
                each == name or values.is_same_property(each, known["id"]) for each in wanted
            ):
                continue
            kind, whole = self._value(page, known)
            shown, is_cut = values.cut(kind, whole if is_recorded else values.signed(kind, whole, now))
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
            _raise_not_found("database", key)
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


def app_of(
    store: Store,
    token: str | None = None,
    per_second: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
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

    async def cap(request: Request) -> Response:
        notion.query_cap = int((await _body(request)).get("rows") or QUERY_CAP)
        return JSONResponse({"rows": notion.query_cap})

    async def state(_: Request) -> Response:
        rows = store.counts()
        sources = [
            {"id": each["id"], "name": values.plain(each["title"]), "rows": rows.get(each["id"], 0)}
            for each in store.data_sources()
        ]
        return JSONResponse({"parameters": store.parameters(), "data_sources": sources})

    routes += [
        *control_routes(lambda: faults, counts, store),
        *clock_routes(),
        Route("/_control/purge/{key}", purge, methods=["POST"]),
        Route("/_control/query_cap", cap, methods=["POST"]),
        Route("/_control/state", state, methods=["GET"]),
        _route("/_control/truth/{key}", "GET", _truth(notion)),
    ]
    handlers: dict[Any, Any] = {404: _no_such_url, 405: _no_such_url, Exception: _failed}
    faults = Faults(Starlette(routes=routes, exception_handlers=handlers), NotionDialect())
    # A request that meets a fault counts against the limit, too.
    return Gate(faults, token, per_second, counts, monotonic)


async def _no_such_url(_: Request, __: Exception) -> Response:
    return error(400, "Invalid request URL.", "invalid_request_url")


async def _failed(_: Request, wrong: Exception) -> Response:
    return error(500, f"The stand-in failed: {type(wrong).__name__}: {wrong}")


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
        body = json.loads(await request.body() or b"{}", parse_constant=_no_constant)
    except ValueError:
        raise ApiError(400, "Error parsing JSON body.", "invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "body failed validation: body should be an object")
    return body


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def _numbered(given: QueryParams) -> Json:
    """The parameters of a query string, with the page size as a number where it is one."""
    size = given.get("page_size", "")
    return {**given, "page_size": int(size)} if size.isdecimal() else dict(given)


def _page_size(given: Json) -> int:
    size = given.get("page_size")
    if size is None:
        return PAGE_SIZE
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= PAGE_SIZE:
        raise ApiError(400, f"body failed validation: page_size should be a number from 1 to {PAGE_SIZE}")
    return size


def _list_of(results: list[Any], kind: str) -> Json:
    return {
        "object": "list",
        "results": results,
        "next_cursor": None,
        "has_more": False,
        "type": kind,
        kind: {},
    }


def _listed(found: list[Any], given: Json, kind: str) -> Json:
    """One page of a list whose cursors are positions."""
    size, cursor = _page_size(given), given.get("start_cursor") or "0"
    if not str(cursor).isdecimal() or int(cursor) > len(found):
        raise ApiError(400, "The start_cursor provided is invalid.")
    first = int(cursor)
    answer = _list_of(found[first : first + size], kind)
    if first + size < len(found):
        answer |= {"has_more": True, "next_cursor": str(first + size)}
    return answer


def _trash(in_trash: bool, request: Request) -> Json:
    return {"in_trash": in_trash, **({"archived": in_trash} if _knows_archived(request) else {})}


def _knows_archived(request: Request) -> bool:
    """`archived` was renamed in 2026-03-11."""
    return request.headers.get("notion-version", "") < IN_TRASH_SINCE


def _raise_not_found(what: str, key: str) -> Never:
    raise ApiError(
        404,
        f"Could not find {what} with ID: {unquote(key)}. Make sure the relevant pages and databases are shared with "
        "your integration.",
        "object_not_found",
    )
