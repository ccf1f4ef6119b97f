"""The endpoints under /v1, for the versions 2025-09-03 and 2026-03-11."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request

from sandbox.clock import CLOCK
from sandbox.notion import schema, values
from sandbox.notion.errors import ApiError, raise_not_found
from sandbox.notion.query import InvalidQueryError, Property, ordered
from sandbox.notion.requests import body_of, list_of, listed, numbered, page_size
from sandbox.notion.schema import InvalidSchemaError
from sandbox.notion.shown import Shown, knows_archived
from sandbox.notion.store import BOT, Store
from sandbox.notion.values import InvalidValueError, Json

QUERY_CAP = 10_000
# Queries whose order is kept between their pages.
ORDERINGS = 8


class Notion:
    """The endpoints over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.shown = Shown(store)
        self.query_cap = QUERY_CAP
        self._orderings: dict[Any, list[str]] = {}

    async def me(self, request: Request) -> Json:
        """GET /users/me."""
        return BOT

    async def search(self, request: Request) -> Json:
        """POST /search: what has the text in its title; without a filter, data sources and pages."""
        body = await body_of(request)
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
                if text in self.shown.title(page, source).lower()
            ]
        answer = listed(found, body, "page_or_data_source")
        answer["results"] = [self._found(key, source, request) for key, source in answer["results"]]
        return answer

    def _found(self, key: str, source: Json, request: Request) -> Json:
        """What a search met: a data source, a database, or a page of the data source."""
        if key == source["id"]:
            return self.shown.data_source(source, request)
        if key == source["parent"]["database_id"]:
            return self.shown.database(key)
        return self.shown.page(self.store.pages_by_id([key])[0], source, request)

    async def database(self, request: Request) -> Json:
        """GET /databases/{id}."""
        return self.shown.database(request.path_params["key"])

    async def data_source(self, request: Request) -> Json:
        """GET /data_sources/{id}."""
        return self.shown.data_source(self._known_source(request), request)

    async def change_data_source(self, request: Request) -> Json:
        """PATCH /data_sources/{id}: rename, add, remove or retype properties."""
        source, body = self._known_source(request), await body_of(request)
        try:
            source = schema.changed(source, body.get("properties") or {})
            if "title" in body:
                source["title"] = values.written("title", body["title"], {})
        except (AttributeError, InvalidSchemaError, InvalidValueError) as wrong:
            raise ApiError(400, f"body failed validation: {wrong}") from None
        source["last_edited_time"] = values.iso_minute(CLOCK.now())
        self.store.save_data_source(source)
        return self.shown.data_source(source, request)

    async def query(self, request: Request) -> Json:
        """POST /data_sources/{id}/query; unknown keys of the body are dropped without a word."""
        source, body = self._known_source(request), await body_of(request)
        size = page_size(body)
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
        answer = list_of(
            [self.shown.page(page, source, request, wanted) for page in pages], "page_or_data_source"
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
        return self.shown.page(page, self.shown.source_of(page), request, wanted)

    async def create_page(self, request: Request) -> Json:
        """POST /pages."""
        body = await body_of(request)
        source = self._parent(body.get("parent"))
        written = self._written(source, body.get("properties") or {})
        empty = {
            each["id"]: [each["type"], values.EMPTY[each["type"]]()]
            for each in source["properties"].values()
            if each["type"] not in (*values.COMPUTED_TYPES, *values.DERIVED_TYPES)
        }
        self.store.save_data_source(source)
        return self.shown.page(self.store.create(source, empty | written), source, request)

    def _parent(self, parent: Any) -> Json:
        """The data source that a new page goes to; the only one of a database may be named by it."""
        named = parent if isinstance(parent, dict) else {}
        for what in ("data_source", "database"):
            if key := named.get(f"{what}_id"):
                held = self.store.data_source(str(key)) if what == "data_source" else None
                of_database = self.store.of_database(str(key)) if what == "database" else []
                return held or next(iter(of_database), None) or raise_not_found(what, str(key))
        raise ApiError(400, "body failed validation: body.parent should name a data_source_id")

    async def change_page(self, request: Request) -> Json:
        """PATCH /pages/{id}: values, and into or out of the trash."""
        page, body = self._known_page(request), await body_of(request)
        source = self.shown.source_of(page)
        contents = page["values"] | self._written(source, body.get("properties") or {})
        older = {"in_trash": body["archived"]} if "archived" in body and knows_archived(request) else {}
        in_trash = {"in_trash": page["in_trash"], **older, **body}["in_trash"]
        if not isinstance(in_trash, bool):
            raise ApiError(400, "body failed validation: body.in_trash should be a boolean")
        if page["in_trash"] and in_trash:
            raise ApiError(400, "Can't edit page that is in the trash. You must restore it first.")
        self.store.save_data_source(source)
        return self.shown.page(
            self.store.save({**page, "values": contents, "in_trash": in_trash}), source, request
        )

    async def property_item(self, request: Request) -> Json:
        """GET /pages/{id}/properties/{property_id}: a paginated list for what has references, else one item."""
        page = self._known_page(request)
        source, wanted = self.shown.source_of(page), request.path_params["property_id"]
        for known in source["properties"].values():
            # The server has decoded the path; an id that was encoded twice is another one.
            if wanted == unquote(known["id"]):
                break
        else:
            raise ApiError(404, f"Could not find property with ID: {wanted}.", "object_not_found")
        kind, value = self.shown.value(page, known)
        key = known["id"]
        if kind in values.CUT_TYPES:
            items = [(kind, each) for each in value]
            about: Json = {}
        elif kind == "rollup" and value["type"] == "array":
            # Flat: a text or a reference is an item of its own.
            items = [
                (each["type"], held)
                for each in value["array"]
                for held in (each[each["type"]] if each["type"] in values.CUT_TYPES else [each[each["type"]]])
            ]
            about = {"type": "array", "array": [], "function": value["function"]}
        elif kind == "rollup" and known["id"] not in page["values"] and self.shown.references(page, known):
            items = [("relation", each) for each in self.shown.references(page, known) or []]
            about = value
        else:
            value = values.signed(kind, value, CLOCK.now()) if "recorded" not in page else value
            return {"object": "property_item", "id": key, "type": kind, kind: value}
        found = [{"object": "property_item", "id": key, "type": each, each: held} for each, held in items]
        answer = listed(found, numbered(request.query_params), "property_item")
        if kind == "rollup" and about["type"] != "array" and answer["has_more"]:
            # Computed once all of its relation was paged through.
            about = {"type": "incomplete", "incomplete": {}, "function": about["function"]}
        return {**answer, "property_item": {"id": key, "next_url": None, "type": kind, kind: about}}

    def truth(self, key: str) -> list[Json]:
        """Every page of a data source with its whole values by property name, in the trash or not."""
        source = self.store.data_source(key)
        if source is None:
            raise_not_found("data_source", key)
        return [
            {
                "id": page["id"],
                "created_time": page["created"],
                "last_edited_time": page["edited"],
                "in_trash": page["in_trash"],
                "properties": {
                    name: {"id": known["id"], "type": kind, kind: value}
                    for name, known in source["properties"].items()
                    for kind, value in [self.shown.value(page, known)]
                },
            }
            for page in self.store.pages(source["id"], with_trash=True)
        ]

    def _known_source(self, request: Request) -> Json:
        key = request.path_params["key"]
        source = self.store.data_source(key)
        return source or raise_not_found("data_source", key)

    def _known_page(self, request: Request) -> Json:
        key = request.path_params["key"]
        page = self.store.page(key)
        return page or raise_not_found("page", key)

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
            return known["type"], lambda page: self.shown.value(page, known)[1]

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
