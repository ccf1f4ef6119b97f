"""Filters and sorts of a query.

https://developers.notion.com/reference/filter-data-source-entries and .../sort-data-source-entries
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.notion import values
from sandbox.notion.values import Json


class InvalidQueryError(ValueError):
    """A filter or sort that Notion refuses."""


Value = Callable[[Json, str], tuple[str, Any]]


def time_of(text: str) -> datetime:
    """A time or a day as an instant; a day is midnight UTC."""
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise InvalidQueryError(f"'{text}' is not a valid ISO 8601 date") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def matches(condition: Json, page: Json, value: Value) -> bool:
    """Whether `page` meets `condition`; `value` gives type and value of a property by name or id."""
    if "and" in condition:
        return all(matches(each, page, value) for each in condition["and"])
    if "or" in condition:
        return any(matches(each, page, value) for each in condition["or"])
    if "timestamp" in condition:
        name = condition["timestamp"]
        if name not in ("created_time", "last_edited_time") or name not in condition:
            raise InvalidQueryError("body.filter.timestamp should be created_time or last_edited_time")
        return _compare_times(page["created" if name == "created_time" else "edited"], condition[name])
    if "property" not in condition:
        raise InvalidQueryError("body.filter should have property, timestamp, and or or")
    kind, held = value(page, condition["property"])
    (test,) = [content for key, content in condition.items() if key != "property"] or [{}]
    return _meets(kind, held, test)


def order_key(sort: Json, page: Json, value: Value) -> tuple[bool, Any]:
    """What a page is sorted by; pages without the value come last."""
    if "timestamp" in sort:
        return (False, page["created" if sort["timestamp"] == "created_time" else "edited"])
    kind, held = value(page, sort["property"])
    plain = _plain(kind, held)
    return (plain is None, plain if plain is not None else "")


def _compare_times(held: str | None, test: Json) -> bool:
    if "is_empty" in test or "is_not_empty" in test:
        return (held is None) == ("is_empty" in test)
    if held is None:
        return False
    ((operator, wanted),) = test.items()
    at, bound = time_of(held), time_of(wanted)
    compared = {
        "equals": at == bound,
        "before": at < bound,
        "after": at > bound,
        "on_or_before": at <= bound,
        "on_or_after": at >= bound,
    }
    if operator not in compared:
        raise InvalidQueryError(f"{operator} is not a date condition")
    return compared[operator]


def _plain(kind: str, held: Any) -> Any:
    """The value as something to compare: text, number, boolean, or a list of texts."""
    if held is None:
        return None
    match kind:
        case "title" | "rich_text":
            return values.plain(held)
        case "select" | "status":
            return held["name"]
        case "multi_select":
            return [each["name"] for each in held]
        case "people" | "relation":
            return [each["id"] for each in held]
        case "files":
            return [each["name"] for each in held]
        case "date":
            return held["start"]
        case "created_by" | "last_edited_by":
            return held["id"]
        case "formula" | "rollup":
            return held[held["type"]]
        case "unique_id":
            return held["number"]
    return held


def _meets(kind: str, held: Any, test: Json) -> bool:
    plain = _plain(kind, held)
    if kind in ("formula", "rollup") and len(test) == 1:
        ((_, inner),) = test.items()
        test = inner if isinstance(inner, dict) else test
    if kind in ("date", "created_time", "last_edited_time"):
        return _compare_times(plain, test)
    if len(test) != 1:
        raise InvalidQueryError(f"a {kind} filter takes one condition")
    ((operator, wanted),) = test.items()
    if operator in ("is_empty", "is_not_empty"):
        return (plain in (None, "", [])) == (operator == "is_empty")
    holds = wanted in plain if isinstance(plain, list) else _contains(plain, wanted)
    tests: dict[str, Callable[[], bool]] = {
        "equals": lambda: plain == wanted,
        "does_not_equal": lambda: plain != wanted,
        "contains": lambda: holds,
        "does_not_contain": lambda: not holds,
        "starts_with": lambda: isinstance(plain, str) and plain.lower().startswith(str(wanted).lower()),
        "ends_with": lambda: isinstance(plain, str) and plain.lower().endswith(str(wanted).lower()),
        "greater_than": lambda: plain is not None and plain > wanted,
        "less_than": lambda: plain is not None and plain < wanted,
        "greater_than_or_equal_to": lambda: plain is not None and plain >= wanted,
        "less_than_or_equal_to": lambda: plain is not None and plain <= wanted,
    }
    if operator not in tests:
        raise InvalidQueryError(f"{operator} is not a condition of {kind}")
    return tests[operator]()


def _contains(plain: Any, wanted: Any) -> bool:
    return isinstance(plain, str) and str(wanted).lower() in plain.lower()
