"""A Notion in the test's own process: data sources, queries with their cap, pages and property items."""

import json
import re
from datetime import UTC, datetime
from operator import ge, le
from typing import Any

import httpx

from reporting.entity import NotionDatabase
from reporting.settings import Settings
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.notion.reader import NotionReader, NotionSource

START = datetime(2026, 1, 1, tzinfo=UTC)
HABITS = "11111111111111111111111111111111"
HOLDER = "22222222222222222222222222222222"


def iso(at: datetime) -> str:
    return at.replace(second=0, microsecond=0).strftime("%Y-%m-%dT%H:%M:00.000Z")


def title(text: str) -> list[dict[str, Any]]:
    return [{"plain_text": text}]


class Notion:
    """Data sources, queries with their cap, pages and property items; times floored to the minute."""

    def __init__(self, created: list[datetime], cap: int = 10_000) -> None:
        self.cap = cap
        self.sources = [{"id": HABITS, "title": title("Daily Disciplines"), "properties": {}}]
        self.holders: dict[str, list[dict[str, str]]] = {
            HOLDER: [{"id": HABITS, "name": "Daily Disciplines"}]
        }
        self.pages = {
            f"p{number:05d}": {
                "id": f"p{number:05d}",
                "created_time": iso(at),
                "last_edited_time": iso(at),
                "parent": {"data_source_id": HABITS},
                "properties": {},
            }
            for number, at in enumerate(created)
        }
        # The pages of the search.
        self.searches = [self.sources]
        self.items: dict[str, list[Any]] = {}
        self.queries: list[dict[str, Any]] = []
        self.refuse_cursors = 0
        self.empty_pages = 0
        self.status: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status:
            return httpx.Response(self.status, json={"code": "some_code", "message": "m"})
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/v1/")
        body = json.loads(request.content or b"{}")
        if path == "search":
            first = int(body.get("start_cursor", "0"))
            more = first + 1 < len(self.searches)
            answer = {
                "results": self.searches[first],
                "has_more": more,
                "next_cursor": str(first + 1) if more else None,
            }
            return httpx.Response(200, json=answer)
        if path.endswith("/query"):
            return self.query(path.split("/")[1], body)
        if match := re.fullmatch(r"pages/(\w+)/properties/(.+)", path):
            return self.property_items(match[2], request.url.params)
        kind, _, key = path.partition("/")
        found: Any = {
            "pages": self.pages.get(key),
            "data_sources": next((each for each in self.sources if each["id"] == key), None),
            "databases": {"id": key, "data_sources": self.holders[key]} if key in self.holders else None,
        }[kind]
        if found is None:
            return httpx.Response(404, json={"code": "object_not_found", "message": "m"})
        return httpx.Response(200, json=found)

    def query(self, source_id: str, body: dict[str, Any]) -> httpx.Response:
        self.queries.append(body)
        given_filter = body.get("filter", {})
        held = [page for page in self.pages.values() if page["parent"]["data_source_id"] == source_id]
        rows = sorted(held, key=lambda page: (page["created_time"], page["id"]))
        for each in given_filter.get("and", [given_filter] if given_filter else []):
            name = each["timestamp"]
            ((operator, text),) = each[name].items()
            is_met = {"on_or_after": ge, "on_or_before": le}[operator]
            bound = datetime.fromisoformat(text)
            rows = [row for row in rows if is_met(datetime.fromisoformat(row[name]), bound)]
        rows = [row for row in rows if not row.get("in_trash")]
        offset = int(body.get("start_cursor", "0"))
        if offset and self.refuse_cursors:
            self.refuse_cursors -= 1
            return httpx.Response(
                400, json={"code": "validation_error", "message": "start_cursor is invalid"}
            )
        if self.empty_pages:
            self.empty_pages -= 1
            return httpx.Response(200, json={"results": [], "has_more": True, "next_cursor": str(offset)})
        end = min(offset + body["page_size"], self.cap)
        answer: dict[str, Any] = {"results": rows[offset:end], "has_more": end < min(len(rows), self.cap)}
        answer["next_cursor"] = str(end) if answer["has_more"] else None
        if not answer["has_more"] and len(rows) > self.cap:
            answer["request_status"] = {
                "type": "incomplete",
                "incomplete_reason": "query_result_limit_reached",
            }
        return httpx.Response(200, json=answer)

    def property_items(self, property_id: str, params: httpx.QueryParams) -> httpx.Response:
        items = self.items[property_id]
        offset, size = int(params.get("start_cursor", 0)), int(params["page_size"])
        more = offset + size < len(items)
        return httpx.Response(
            200,
            json={
                "results": [{"type": "relation", "relation": item} for item in items[offset : offset + size]],
                "has_more": more,
                "next_cursor": str(offset + size) if more else None,
            },
        )


def reader_over(server: Notion, settings: Settings, entity: NotionDatabase) -> NotionReader:
    """The reader that `open_reader` makes, over this server."""
    return NotionReader(
        source_over(server),
        entity,
        settings.names.get(entity.table),
        settings.date_properties.get(entity.table),
    )


def source_over(server: Notion) -> NotionSource:
    transport = PoliteTransport(
        Policy(10_000.0, clock_tolerance=None), httpx.MockTransport(server), sleep=lambda _: None
    )
    return NotionSource("ntn_hidden", "http://127.0.0.1", transport=transport)
