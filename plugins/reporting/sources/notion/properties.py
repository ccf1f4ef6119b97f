"""The properties of a Notion page or database: its title, its date, every value whole, and the content hash of a page."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from reporting.sources.base import NotFoundError, Record, digest_of
from reporting.sources.fast_json import as_utf8
from reporting.sources.shapes import as_text, mapping, mappings

# Raised when the warehouse makes another row of the same record, so that rows of an older version are made again.
ROW_VERSION = 2


def title_of(data_source: Mapping[str, Any]) -> str:
    """The plain name of a data source."""
    return plain_text(data_source.get("title"))


def plain_text(parts: Any) -> str:
    """The text of a title or rich_text value."""
    return "".join(as_text(part.get("plain_text")) or "" for part in mappings(parts))


def date_property(data_source: Mapping[str, Any], configured: str | None = None) -> str:
    """The id of the property that dates a row: the configured one (id or name), or the only date property.

    Raises `NotFoundError` with the date properties that there are.
    """
    dates: dict[str, str] = {
        value["id"]: name for name, value in named_properties(data_source) if value.get("type") == "date"
    }
    if configured is None and len(dates) == 1:
        return next(iter(dates))
    for property_id, name in dates.items():
        if configured in (property_id, unquote(property_id), name):
            return property_id
    listed = ", ".join(f"'{name}' ({property_id})" for property_id, name in dates.items()) or "none"
    wanted = "exactly one date property" if configured is None else f"the date property '{configured}'"
    raise NotFoundError(
        f"expected {wanted} in the Notion database '{title_of(data_source)}'; its date properties are: {listed}. "
        "Configure the one that dates a row."
    )


def properties_of(record: Record) -> list[dict[str, Any]]:
    """The owner's properties as `{id, name, type, value}`, in order of id, each value whole."""
    rows = [
        {
            "id": value["id"],
            "name": name,
            "type": as_text(value.get("type")),
            "value": record.values.get(value["id"], value.get(as_text(value.get("type")) or "")),
        }
        for name, value in named_properties(record.payload)
    ]
    return sorted(rows, key=lambda row: row["id"])


def named_properties(held: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The properties of a page or a data source by name; what has no id is none."""
    found = mapping(held.get("properties")).items()
    described = ((name, mapping(value)) for name, value in found)
    return [(name, value) for name, value in described if isinstance(value.get("id"), str)]


def content_hash(record: Record) -> str:
    """SHA-256 over what a person can change: the signed part of a file's address is not content."""
    content: dict[str, Any] = {"payload": record.payload, "values": record.values}
    text = as_utf8(content)
    # Only where one of the names stands there can be something to leave out.
    if text is None or any(name in text for name in (b'"expiry_time"', b'"request_id"')):
        content = _without_signatures(content)
    return digest_of(content, ROW_VERSION)


def _without_signatures(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "expiry_time" in value and isinstance(value.get("url"), str):
            # Not by a parser, which refuses some addresses.
            return {"url": re.split("[?#]", value["url"], maxsplit=1)[0]}
        return {key: _without_signatures(item) for key, item in value.items() if key != "request_id"}
    if isinstance(value, list):
        return [_without_signatures(item) for item in value]
    return value
