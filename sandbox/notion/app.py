"""The fake Notion as one application: its endpoints, and what tests ask for under /_control."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.fake_api import clock_routes, control_routes
from sandbox.faults import Faults
from sandbox.notion import values
from sandbox.notion.endpoints import QUERY_CAP, Notion
from sandbox.notion.errors import ApiError, NotionDialect, error
from sandbox.notion.gate import Gate
from sandbox.notion.requests import body_of
from sandbox.notion.store import Store


def app_of(
    store: Store,
    token: str | None = None,
    per_second: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The fake API over `store`; `token` is the only one it takes, `per_second` its average limit."""
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
        notion.query_cap = int((await body_of(request)).get("rows") or QUERY_CAP)
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
    return error(500, f"The fake API failed: {type(wrong).__name__}: {wrong}")


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
