"""Reads values from JSON that may have the wrong type, so that an odd record is read as far as possible and stops no other.

Any field in an API's answer may be missing, null, or of another type than expected.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reporting.sources.base import KEYS, Record
from reporting.sources.fast_json import as_utf8

# Half of a surrogate pair is not a character, and databases refuse it. It is replaced by U+FFFD.
SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"
# What a floating-point column can hold and no amount is; the payload keeps it.
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
# Times that PostgreSQL has and BigQuery has not.
BEYOND = re.compile(r"[+-]?\d{5,}-.*|-?infinity|epoch|.*\bBC\b.*", re.IGNORECASE)


def record_of(found: Any, values: Mapping[str, Any] | None = None) -> Record:
    """Make a record of one result. If the result is not an object or has no key, the record has none: it is counted, but not
    loaded.

    A key is a whole number, or a text that can be encoded as UTF-8.
    """
    held = mapping(found)
    key = next((held[name] for name in KEYS if name in held), None)
    if isinstance(key, str) and not has_lone_surrogate(key):
        return Record(found, values or {})
    if isinstance(key, int) and not isinstance(key, bool):
        return Record(found, values or {})
    return Record({"unreadable": found})


def has_lone_surrogate(text: str) -> bool:
    """Whether a text has half of a surrogate pair, which JSON can express and UTF-8 cannot."""
    return SURROGATE.search(text) is not None


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; empty for anything else."""
    # The first question is far cheaper, and true of what a parser made.
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects in a list; none if the value is not a list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """A value as text: a text as it is, null as None, everything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def text_of(value: Any, kind: str) -> str | None:
    """A value of the payload as text that staging casts; `kind` is that of a `Property`."""
    if kind == "number" and value in NO_NUMBERS:
        return None
    if kind in ("date", "datetime") and isinstance(value, str) and BEYOND.fullmatch(value.strip()):
        # In quotes no engine takes it for a time, which some do although BigQuery's calendar ends in the year 9999.
        return json.dumps(value)
    return value if value is None or isinstance(value, str) else json.dumps(value)


def as_json(value: Any) -> str:
    """`value` as JSON that every reader and database takes; what is no number becomes text, half an emoji U+FFFD."""
    if text := as_utf8(value):
        return text.decode()
    return json.dumps(repaired(value), allow_nan=False)


def repaired(value: Any) -> Any:
    """`value` without characters and numbers that cannot be stored, in values and in names of fields."""
    if isinstance(value, str):
        return SURROGATE.sub(REPLACEMENT, value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {repaired(name): repaired(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [repaired(each) for each in value]
    return value


def as_time(value: Any) -> datetime | None:
    """Parse an ISO 8601 time; without an offset it is UTC. None for other texts, and for years that Python does not have."""
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
