"""Property values that a row shows only in part, read to their end.

Facts about the API are from its reference: https://developers.notion.com/reference/retrieve-a-page-property
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from reporting.sources.base import NotFoundError, Record
from reporting.sources.notion import client
from reporting.sources.notion.client import JsonObject, NotionClient, RefusedError, check_repeats
from reporting.sources.notion.properties import named_properties
from reporting.sources.shapes import as_text, mapping, mappings, record_of

logger = logging.getLogger(__name__)

# A query returns at most this many references of a title, rich_text, people or relation value.
REFERENCE_LIMIT = 25
CUT_TYPES = frozenset({"title", "rich_text", "people", "relation"})


def whole_record(notion: NotionClient, data_source: Mapping[str, Any], page: Any) -> Record:
    """The page, with the whole value of each property that the answer cut at its limit."""
    record = record_of(page)
    if record.id is None:
        return record
    known = {each["id"]: each for _, each in named_properties(data_source)}
    held = dict(named_properties(page))
    values = {}
    for value in held.values():
        if _is_cut(value) or _depends_on_cut(value, known.get(value["id"]), held):
            whole = _whole_value(notion, record.id, value)
            if whole is not None:
                values[value["id"]] = whole
    return record_of(page, values)


def _whole_value(notion: NotionClient, page_id: str, value: Mapping[str, Any]) -> Any:
    """The value to its end; None where Notion does not give it, and then the row's own is all that there is."""
    what = f"the property '{value['id']}' of page {page_id}"
    # By cursor: a page of items that comes again takes its own place.
    items: dict[str | None, list[Mapping[str, Any]]] = {}
    cursor: str | None = None
    repeats = 0
    # The id is percent-encoded in answers; the client encodes no path, and a second encoding is a 404.
    path = f"pages/{page_id}/properties/{value['id']}"
    while True:
        query: JsonObject = {"page_size": client.PAGE_SIZE}
        if cursor:
            query["start_cursor"] = cursor
        try:
            answer = notion.call(what, "GET", path, query=query)
        except (NotFoundError, RefusedError) as error:
            logger.warning(
                "%s is kept as far as its row shows it, because it cannot be read whole: %s", what, error
            )
            return None
        if "results" not in answer:
            return answer.get(value["type"])
        repeats += cursor in items
        items[cursor] = mappings(answer["results"])
        if not answer.get("has_more"):
            return _put_together(value, answer, [each for some in items.values() for each in some])
        check_repeats(what, repeats)
        cursor = answer["next_cursor"]


def _is_cut(value: Mapping[str, Any]) -> bool:
    """Whether a row may show less than the value: of most types it tells by the number of references alone."""
    kind = value.get("type")
    if not isinstance(kind, str):
        # Whatever it is, nothing can be asked for by it.
        return False
    content = value.get(kind)
    if value.get("has_more"):
        return True
    if kind in CUT_TYPES:
        return isinstance(content, list) and len(content) >= REFERENCE_LIMIT
    if kind != "rollup":
        return False
    array = mapping(content).get("array")
    return mapping(content).get("type") == "incomplete" or (
        isinstance(array, list) and (len(array) >= REFERENCE_LIMIT or any(map(_is_cut, mappings(array))))
    )


def _depends_on_cut(
    value: Mapping[str, Any], definition: Mapping[str, Any] | None, held: Mapping[str, Mapping[str, Any]]
) -> bool:
    """Whether a row's value was computed from what the row shows of a longer one, which it does not tell.

    A rollup names its relation. What a formula is made from is not told in a form to rely on, so it is any value of the
    row.
    """
    if value.get("type") == "formula":
        return any(map(_is_cut, held.values()))
    if value.get("type") != "rollup":
        return False
    config = mapping(mapping(definition).get("rollup"))
    wanted = unquote(as_text(config.get("relation_property_id")) or "")
    named = config.get("relation_property_name")
    relations = [each for name, each in held.items() if unquote(each["id"]) == wanted or name == named]
    # Where it cannot be told which, it may be any.
    return any(map(_is_cut, relations or (each for each in held.values() if each.get("type") == "relation")))


def _put_together(value: Mapping[str, Any], answer: Mapping[str, Any], items: list[Mapping[str, Any]]) -> Any:
    """The whole value in the form that a row has it in, from the items of all pages and the last answer.

    https://developers.notion.com/reference/retrieve-a-page-property
    """
    kind = value["type"]
    about = mapping(mapping(answer.get("property_item")).get(kind))
    if kind == "formula":
        return about or None
    if kind != "rollup":
        return [each.get(each["type"]) for each in items if isinstance(each.get("type"), str)]
    shown = mapping(value.get(kind))
    if about.get("type") not in (None, "array", "incomplete", "unsupported"):
        # Computed from all of them, once the last one was read.
        return about
    if shown.get("type") not in ("array", "incomplete"):
        return None
    return {"function": shown.get("function"), "type": "array", "array": [_element(each) for each in items]}


def _element(item: Mapping[str, Any]) -> JsonObject:
    """An element of a rollup's array: the items are flat, a text or a reference each."""
    kind = as_text(item.get("type")) or ""
    content = item.get(kind)
    return {"type": kind, kind: [content] if kind in CUT_TYPES and isinstance(content, Mapping) else content}
