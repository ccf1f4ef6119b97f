"""Serves many invented records on loopback: `python -m sandbox.bulk --port 9070 --data var/bulk --rows 20000`.

It answers what a first read of HubSpot's contacts and companies, of a Notion database and of Google's contacts asks for, and
nothing else: no filter but Notion's times of creation, and no change. The fake APIs are for everything else.
"""

import argparse
import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.bulk.records import Records, data_source, hubspot_properties, number_at
from sandbox.fake_api import Closable, serve

# One query of Notion's returns no more rows than that.
QUERY_CAP = 10_000


def main() -> int:
    """Serve until ended by a signal."""
    parser = argparse.ArgumentParser("sandbox.bulk", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder for its token and log")
    parser.add_argument("--rows", type=int, required=True, help="how many records each list has")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)

    def opened() -> tuple[ASGIApp, Closable, str]:
        return app_of(options.rows), SimpleNamespace(close=lambda: None), f": {options.rows} records."

    return serve("Bulk", options.port, options.data, opened)


def app_of(rows: int) -> ASGIApp:
    """The three services with `rows` records in each list."""
    held = {kind: Records(kind) for kind in ("contacts", "companies", "pages", "people")}

    async def objects(request: Request) -> Response:
        kind = request.path_params["kind"]
        if request.query_params.get("archived") == "true":
            return _json('{"results":[]}')
        start = int(request.query_params.get("after", 0))
        stop = min(start + int(request.query_params["limit"]), rows)
        following = f',"paging":{{"next":{{"after":"{stop}"}}}}' if stop < rows else ""
        return _json(f'{{"results":[{held[kind].slice(start, stop)}]{following}}}')

    async def properties(request: Request) -> Response:
        return _json(json.dumps({"results": hubspot_properties(request.path_params["kind"])}))

    async def search(_: Request) -> Response:
        return _json(json.dumps({"total": rows, "results": []}))

    async def sources(_: Request) -> Response:
        return _json(json.dumps({"results": [data_source()], "has_more": False, "next_cursor": None}))

    async def source(_: Request) -> Response:
        return _json(json.dumps(data_source()))

    async def query(request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        begun = asked.get("filter", {}).get("created_time", {}).get("on_or_after")
        first = number_at(datetime.fromisoformat(begun)) if begun else 0
        start = int(asked.get("start_cursor", first))
        last = min(first + QUERY_CAP, rows)
        stop = min(start + asked["page_size"], last)
        end = {"has_more": stop < last, "next_cursor": str(stop) if stop < last else None}
        if stop == last < rows:
            end["request_status"] = {"type": "incomplete"}
        return _json(f'{{"results":[{held["pages"].slice(start, stop)}],{json.dumps(end)[1:]}')

    async def token(_: Request) -> Response:
        return _json('{"access_token":"any","expires_in":3599,"token_type":"Bearer"}')

    async def people(request: Request) -> Response:
        start = int(request.query_params.get("pageToken", 0))
        stop = min(start + int(request.query_params["pageSize"]), rows)
        following = {"nextPageToken": str(stop)} if stop < rows else {"nextSyncToken": "first"}
        return _json(f'{{"connections":[{held["people"].slice(start, stop)}],{json.dumps(following)[1:]}')

    async def state(_: Request) -> Response:
        return _json("{}")

    return Starlette(
        routes=[
            Route("/_control/state", state),
            Route("/crm/objects/{version}/{kind}/search", search, methods=["POST"]),
            Route("/crm/objects/{version}/{kind}", objects),
            Route("/crm/properties/{version}/{kind}", properties),
            Route("/v1/search", sources, methods=["POST"]),
            Route("/v1/data_sources/{id}", source),
            Route("/v1/data_sources/{id}/query", query, methods=["POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/v1/people/me/connections", people),
        ]
    )


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


if __name__ == "__main__":
    raise SystemExit(main())
