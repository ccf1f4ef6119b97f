"""How what is kept is shown: a page with its values, computed ones too, a data source, and a database."""

import re
from typing import Any

from starlette.requests import Request

from sandbox.clock import CLOCK
from sandbox.notion import schema, values
from sandbox.notion.errors import raise_not_found
from sandbox.notion.store import Store
from sandbox.notion.values import Json

IN_TRASH_SINCE = "2026-03-11"


class Shown:
    """Shows what is in `store`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def page(self, page: Json, source: Json, request: Request, wanted: list[str] | None = None) -> Json:
        """A page, with the properties of these names or ids only where any are wanted."""
        properties = {}
        # What was recorded is served to the letter.
        is_recorded, now = "recorded" in page, CLOCK.now()
        for name, known in source["properties"].items():
            if wanted and not any(
                each == name or values.is_same_property(each, known["id"]) for each in wanted
            ):
                continue
            kind, whole = self.value(page, known, values.REFERENCE_LIMIT)
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

    def data_source(self, source: Json, request: Request) -> Json:
        """A data source as the version of the request has it."""
        return {**source, **_trash(False, request)}

    def database(self, key: str) -> Json:
        """The database with this id. Raises `ApiError` where there is none."""
        held = self.store.of_database(key)
        if not held:
            raise_not_found("database", key)
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

    def references(self, page: Json, known: Json) -> list[Json] | None:
        """What the relation holds that a rollup or a formula is computed from; None where it names none.

        Of formulas the fake API knows one: prop("Name").length().
        """
        config = known[known["type"]]
        written = re.fullmatch(r'prop\("(.+)"\)\.length\(\)', str(config.get("expression")))
        source = self.source_of(page)
        named = written[1] if written else config.get("relation_property_name")
        name = schema.name_of(source, str(named))
        if name is None or source["properties"][name]["type"] != "relation":
            return None
        return list(self.value(page, source["properties"][name])[1])

    def _derived(self, page: Json, known: Json, limit: int | None) -> Any:
        """A rollup's or a formula's value, as a row shows it from the first of its references."""
        kind = known["type"]
        references = self.references(page, known)
        if references is None:
            return values.EMPTY[kind]()
        references = references[:limit]
        if kind == "formula":
            return {"type": "number", "number": len(references)}
        config, array = known[kind], []
        if config.get("function") != "show_original":
            return {"type": "number", "number": len(references), "function": config.get("function", "count")}
        for each in references:
            related = self.store.page(each["id"])
            source = self.source_of(related) if related else {"properties": {}}
            name = schema.name_of(source, str(config.get("rollup_property_name")))
            if related and name:
                held, value = self.value(related, source["properties"][name])
                array.append({"type": held, held: value})
        return {"type": "array", "array": array, "function": "show_original"}

    def value(self, page: Json, known: Json, limit: int | None = None) -> tuple[str, Any]:
        """Type and whole value of a property; what is computed is so from no more than `limit` references."""
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
        if kind in values.DERIVED_TYPES and known["id"] not in page["values"]:
            return kind, self._derived(page, known, limit)
        stored_kind, value = page["values"].get(known["id"], (kind, values.EMPTY[kind]()))
        return kind, value if stored_kind == kind else values.converted(stored_kind, value, kind)

    def title(self, page: Json, source: Json) -> str:
        """The title as plain text."""
        known = next(each for each in source["properties"].values() if each["type"] == "title")
        return values.plain(self.value(page, known)[1])

    def source_of(self, page: Json) -> Json:
        """The data source that a page belongs to."""
        source = self.store.data_source(page["data_source_id"])
        assert source is not None  # noqa: S101 (a page is only ever made in a data source)
        return source


def _trash(in_trash: bool, request: Request) -> Json:
    return {"in_trash": in_trash, **({"archived": in_trash} if knows_archived(request) else {})}


def knows_archived(request: Request) -> bool:
    """`archived` was renamed in 2026-03-11."""
    return request.headers.get("notion-version", "") < IN_TRASH_SINCE
