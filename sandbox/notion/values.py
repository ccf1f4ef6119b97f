"""Property values: empty ones, written ones, and how an answer cuts and renders them.

https://developers.notion.com/reference/page-property-values
"""

import hashlib
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

Json = dict[str, Any]

# A row holds at most this many references of these; the whole value is behind the property item endpoint.
REFERENCE_LIMIT = 25
CUT_TYPES = ("title", "rich_text", "people", "relation")
COMPUTED_TYPES = ("created_time", "last_edited_time", "created_by", "last_edited_by", "unique_id")
# What is computed from a relation, where the property says from which.
DERIVED_TYPES = ("formula", "rollup")
READ_ONLY_TYPES = (*COMPUTED_TYPES, "formula", "rollup", "button", "verification")
COLORS = ("default", "gray", "brown", "orange", "yellow", "green", "blue", "purple", "pink", "red")

EMPTY: dict[str, Callable[[], Any]] = {
    "title": list,
    "rich_text": list,
    "number": lambda: None,
    "select": lambda: None,
    "multi_select": list,
    "status": lambda: None,
    "date": lambda: None,
    "people": list,
    "files": list,
    "checkbox": lambda: False,
    "url": lambda: None,
    "email": lambda: None,
    "phone_number": lambda: None,
    "formula": lambda: {"type": "string", "string": None},
    "relation": list,
    "rollup": lambda: {"type": "number", "number": None, "function": "sum"},
    "button": dict,
    "verification": lambda: {"state": "unverified", "verified_by": None, "date": None},
    "place": lambda: None,
}


class InvalidValueError(ValueError):
    """A written value that Notion refuses."""


def iso_minute(at: datetime) -> str:
    """A page's time as Notion gives it: floored to the minute."""
    return at.strftime("%Y-%m-%dT%H:%M:00.000Z")


def property_id(seed: str) -> str:
    """A short id such as `%3AfUp`: percent-encoded in answers, and stable while the property is renamed."""
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ:;<>?@[]^`{|}~="
    digest = hashlib.sha256(seed.encode()).digest()
    return quote("".join(alphabet[byte % len(alphabet)] for byte in digest[:4]), safe="")


def is_same_property(given: str, known: str) -> bool:
    """Whether two ids are one, percent-encoded or not."""
    return given == known or unquote(given) == unquote(known)


def option(name: str) -> Json:
    """An option of a select, multi_select or status property."""
    digest = hashlib.sha256(name.encode()).digest()
    return {"id": digest.hex()[:8], "name": name, "color": COLORS[digest[0] % len(COLORS)]}


def rich_text(text: str) -> Json:
    """One run of plain text."""
    return {
        "type": "text",
        "text": {"content": text, "link": None},
        "annotations": {
            "bold": False,
            "italic": False,
            "strikethrough": False,
            "underline": False,
            "code": False,
            "color": "default",
        },
        "plain_text": text,
        "href": None,
    }


def plain(value: list[Json]) -> str:
    """The text of a title or rich_text value."""
    return "".join(part["plain_text"] for part in value)


def cut(kind: str, value: Any) -> tuple[Any, bool]:
    """The value as a row shows it, and whether something was left out."""
    if kind in CUT_TYPES and len(value) > REFERENCE_LIMIT:
        return value[:REFERENCE_LIMIT], True
    if kind == "rollup" and value["type"] == "array":
        return {**value, "array": value["array"][:REFERENCE_LIMIT]}, False
    return value, False


def signed(kind: str, value: Any, at: datetime) -> Any:
    """The value as one answer gives it: addresses of files that Notion hosts are signed for one hour.

    https://developers.notion.com/reference/file-object
    """
    if kind != "files":
        return value
    expiry = (at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return [
        {
            **each,
            "file": {
                "url": f"{each['file']['url'].partition('?')[0]}?signed={at.timestamp():.6f}",
                "expiry_time": expiry,
            },
        }
        if each["type"] == "file"
        else each
        for each in value
    ]


def written(kind: str, content: Any, schema: Json) -> Any:
    """The stored form of a value that a client writes. Raises `InvalidValueError`."""
    if kind in READ_ONLY_TYPES:
        raise InvalidValueError(f"{kind} properties cannot be written")
    if content is None or (kind == "checkbox" and content is False):
        return EMPTY[kind]()
    check, make = _WRITTEN[kind]
    if not check(content):
        raise InvalidValueError(f"body failed validation: {kind} has an unexpected value")
    return make(content, schema)


def converted(stored_kind: str, value: Any, kind: str) -> Any:
    """The value of a property whose type was changed, as far as the text it is stored as can be read so.

    https://developers.notion.com/reference/update-a-data-source (how type changes work)
    """
    text = _as_text(stored_kind, value)
    if not text:
        return EMPTY[kind]()
    match kind:
        case "rich_text":
            return [rich_text(text)]
        case "url" | "email" | "phone_number":
            return text
        case "select":
            return option(text)
        case "multi_select":
            return [option(each) for each in text.split(", ")]
        case "checkbox":
            return text == "Yes"
        case "number":
            return _as_number(text)
        case "date":
            return {"start": text, "end": None, "time_zone": None} if _is_time(text) else None
    return EMPTY[kind]()


def _as_text(kind: str, value: Any) -> str:
    if value is None:
        return ""
    match kind:
        case "title" | "rich_text":
            return plain(value)
        case "select" | "status":
            return str(value["name"])
        case "multi_select" | "files":
            return ", ".join(each["name"] for each in value)
        case "people" | "relation":
            return ", ".join(each["id"] for each in value)
        case "date":
            return str(value["start"])
        case "checkbox":
            return "Yes" if value else "No"
        case "number" | "url" | "email" | "phone_number":
            return str(value)
    return ""


def _as_number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    if not math.isfinite(found):
        return None
    return int(found) if found.is_integer() else found


def _is_list(content: Any) -> bool:
    return isinstance(content, list) and all(isinstance(each, dict) for each in content)


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _is_named(content: Any) -> bool:
    return isinstance(content, dict) and bool(content.get("name") or content.get("id"))


def _text_of(part: Json) -> Json:
    return rich_text(part.get("text", {}).get("content", part.get("plain_text", "")))


def _chosen(content: Json, schema: Json) -> Json:
    config = schema[schema["type"]]
    for known in config.setdefault("options", []):
        if content.get("name") == known["name"] or content.get("id") == known["id"]:
            return {key: known[key] for key in ("id", "name", "color")}
    if schema["type"] == "status" or not content.get("name"):
        raise InvalidValueError(f"{schema['name']} has no option {content}")
    made = option(content["name"])
    config["options"].append({**made, "description": None})
    return made


def _is_time(text: Any) -> bool:
    try:
        datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return False
    return True


def _is_zone(name: Any) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, TypeError, ValueError, KeyError):
        return False
    return True


def _is_date(content: Any) -> bool:
    if not isinstance(content, dict) or not _is_time(content.get("start")):
        return False
    end, zone = content.get("end"), content.get("time_zone")
    return (end is None or _is_time(end)) and (zone is None or _is_zone(zone))


def _date(content: Json, _: Json) -> Json:
    return {"start": content["start"], "end": content.get("end"), "time_zone": content.get("time_zone")}


def _file(content: Json) -> Json:
    kind = content.get("type", "external")
    return {"name": content.get("name", "file"), "type": kind, kind: content.get(kind, {"url": ""})}


_WRITTEN: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Json], Any]]] = {
    "title": (_is_list, lambda content, _: [_text_of(part) for part in content]),
    "rich_text": (_is_list, lambda content, _: [_text_of(part) for part in content]),
    "number": (_is_number, lambda content, _: content),
    "checkbox": (lambda content: content is True, lambda content, _: content),
    "select": (_is_named, _chosen),
    "status": (_is_named, _chosen),
    "multi_select": (_is_list, lambda content, schema: [_chosen(each, schema) for each in content]),
    "date": (_is_date, _date),
    "people": (_is_list, lambda content, _: [{"object": "user", "id": each["id"]} for each in content]),
    "relation": (_is_list, lambda content, _: [{"id": each["id"]} for each in content]),
    "files": (_is_list, lambda content, _: [_file(each) for each in content]),
    "url": (lambda content: isinstance(content, str), lambda content, _: content),
    "email": (lambda content: isinstance(content, str), lambda content, _: content),
    "phone_number": (lambda content: isinstance(content, str), lambda content, _: content),
    "place": (lambda content: isinstance(content, dict), lambda content, _: content),
}
