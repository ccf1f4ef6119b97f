"""Filters and sorts of a query.

https://developers.notion.com/reference/filter-data-source-entries and .../sort-data-source-entries
"""

import operator
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.notion import values
from sandbox.notion.values import Json


class InvalidQueryError(ValueError):
    """A filter or sort that Notion refuses."""


Test = Callable[[Any], bool]
# A property's type, and how to take its value from a page.
Property = tuple[str, Callable[[Json], Any]]
Properties = Callable[[str], Property]

TIMESTAMPS = {"created_time": "created", "last_edited_time": "edited"}
DEEPEST = 2

_TEXTS = ("title", "rich_text", "url", "email", "phone_number")
_EMPTINESS = ("is_empty", "is_not_empty")
_TEXT_TESTS = (
    *("equals", "does_not_equal", "contains", "does_not_contain", "starts_with", "ends_with"),
    *_EMPTINESS,
)
_CHOICE_TESTS = ("equals", "does_not_equal", *_EMPTINESS)
_LIST_TESTS = ("contains", "does_not_contain", *_EMPTINESS)
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_or_equal_to": operator.ge,
    "less_than_or_equal_to": operator.le,
}
_NUMBER_TESTS = ("equals", "does_not_equal", *_ORDERED, *_EMPTINESS)
_TESTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TEXTS, _TEXT_TESTS),
    "number": _NUMBER_TESTS,
    "unique_id": _NUMBER_TESTS,
    "checkbox": ("equals", "does_not_equal"),
    "select": _CHOICE_TESTS,
    "status": _CHOICE_TESTS,
    "multi_select": _LIST_TESTS,
    "people": _LIST_TESTS,
    "created_by": _LIST_TESTS,
    "last_edited_by": _LIST_TESTS,
    "relation": _LIST_TESTS,
    "files": _EMPTINESS,
}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "before": operator.lt,
    "after": operator.gt,
    "on_or_before": operator.le,
    "on_or_after": operator.ge,
}
# Days before and after today.
_SPANS = {
    "past_week": (-7, 0),
    "past_month": (-30, 0),
    "past_year": (-365, 0),
    "next_week": (0, 7),
    "next_month": (0, 30),
    "next_year": (0, 365),
}
# How a formula filter names the kinds of result.
_RESULTS = {"string": "rich_text", "checkbox": "checkbox", "number": "number", "date": "date"}


def ordered(
    pages: Iterable[Json], condition: Json | None, sorts: list[Json], properties: Properties, today: date
) -> list[str]:
    """The ids of the pages that meet `condition`, sorted; what sorts leave equal stays in the order given.

    Raises `InvalidQueryError`, also when there are no pages.
    """
    test = _always if condition is None else _filter(condition, properties, today, 1)
    if not isinstance(sorts, list):
        raise InvalidQueryError("body.sorts should be an array")
    keys = [_sort_key(sort, properties) for sort in sorts]
    found = [(page["id"], *(key(page) for key in keys)) for page in pages if test(page)]
    for place, sort in reversed(list(enumerate(sorts, 1))):
        present = [row for row in found if row[place] is not None]
        empty = [row for row in found if row[place] is None]
        present.sort(key=itemgetter(place), reverse=sort.get("direction") == "descending")
        found = present + empty
    return [row[0] for row in found]


def _always(_: Any) -> bool:
    return True


def _filter(condition: Any, properties: Properties, today: date, depth: int) -> Test:
    if not isinstance(condition, dict):
        raise InvalidQueryError("body.filter should be an object")
    for word, together in (("and", all), ("or", any)):
        if word in condition:
            return _compound(condition[word], together, properties, today, depth)
    if "timestamp" in condition:
        name = condition["timestamp"]
        if name not in TIMESTAMPS or name not in condition:
            raise InvalidQueryError("body.filter.timestamp should be created_time or last_edited_time")
        return _on(itemgetter(TIMESTAMPS[name]), _test("date", condition[name], today))
    if "property" not in condition:
        raise InvalidQueryError("body.filter should have property, timestamp, and or or")
    tests = {key: test for key, test in condition.items() if key not in ("property", "type")}
    if len(tests) != 1:
        raise InvalidQueryError("body.filter should have one condition beside its property")
    kind, value = properties(condition["property"])
    ((named, test),) = tests.items()
    if named != kind and not (named == "rich_text" and kind in _TEXTS):
        raise InvalidQueryError(f"database property {kind} does not match filter {named}")
    return _on(value, _test(kind, test, today))


def _compound(
    conditions: Any,
    together: Callable[[Iterable[bool]], bool],
    properties: Properties,
    today: date,
    depth: int,
) -> Test:
    if not isinstance(conditions, list):
        raise InvalidQueryError("and and or take an array of filters")
    if depth > DEEPEST:
        raise InvalidQueryError(f"filters are nested more than {DEEPEST} levels deep")
    tests = [_filter(each, properties, today, depth + 1) for each in conditions]
    return lambda page: together(test(page) for test in tests)


def _on(value: Callable[[Json], Any], test: Test) -> Test:
    return lambda page: test(value(page))


def _test(kind: str, condition: Any, today: date) -> Test:
    """What a value of `kind` must meet."""
    if not isinstance(condition, dict) or len(condition) != 1:
        raise InvalidQueryError(f"a {kind} filter takes one condition")
    ((name, wanted),) = condition.items()
    match kind:
        case "date" | "created_time" | "last_edited_time":
            return _date_test(name, wanted, today)
        case "formula":
            return _formula_test(name, wanted, today)
        case "rollup":
            return _rollup_test(name, wanted, today)
        case "verification" if name == "status":
            state = "unverified" if wanted == "none" else wanted
            return lambda held: held["state"] == state
    if name not in _TESTS.get(kind, ()):
        raise InvalidQueryError(f"{name} is not a condition of {kind}")
    if name in _ORDERED and not _is_number(wanted):
        raise InvalidQueryError(f"{name} takes a number")
    return lambda held: _meets(_plain(kind, held), name, wanted)


def _is_number(wanted: Any) -> bool:
    return isinstance(wanted, int | float) and not isinstance(wanted, bool)


def _meets(plain: Any, name: str, wanted: Any) -> bool:
    match name:
        case "is_empty" | "is_not_empty":
            return (plain in (None, "", [])) == (name == "is_empty")
        case "equals":
            return bool(plain == wanted)
        case "does_not_equal":
            return bool(plain != wanted)
        case "contains":
            return _contains(plain, wanted)
        case "does_not_contain":
            return not _contains(plain, wanted)
        case "starts_with":
            return (plain or "").lower().startswith(str(wanted).lower())
        case "ends_with":
            return (plain or "").lower().endswith(str(wanted).lower())
    return plain is not None and _ORDERED[name](plain, wanted)


def _contains(plain: Any, wanted: Any) -> bool:
    if isinstance(plain, list):
        return wanted in plain
    return str(wanted).lower() in (plain or "").lower()


def _date_test(name: str, wanted: Any, today: date) -> Test:
    if name in _EMPTINESS:
        return lambda held: (held is None) == (name == "is_empty")
    if name in _SPANS or name == "this_week":
        # Notion's week starts where the workspace says; this one starts on Sunday, as its default does.
        first, last = _SPANS.get(name) or (-(today.isoweekday() % 7), 6 - today.isoweekday() % 7)
        begin, end = today + timedelta(days=first), today + timedelta(days=last)
        return lambda held: held is not None and begin <= _instant(held).date() <= end
    if name not in _COMPARED:
        raise InvalidQueryError(f"{name} is not a date condition")
    compare, bound = _COMPARED[name], time_of(wanted)
    # Only a bound with a time is compared to the millisecond.
    if len(wanted) == len("2026-01-01"):
        return lambda held: held is not None and compare(_instant(held).date(), bound.date())
    return lambda held: held is not None and compare(_instant(held), bound)


def _formula_test(name: str, wanted: Any, today: date) -> Test:
    if name not in _RESULTS:
        raise InvalidQueryError(f"a formula filter names one of {', '.join(_RESULTS)}")
    test, result = _test(_RESULTS[name], wanted, today), "boolean" if name == "checkbox" else name

    def meets(held: Json) -> bool:
        return held["type"] == result and test(_as_text(held[result]) if result == "string" else held[result])

    return meets


def _as_text(text: str | None) -> list[Json]:
    return [] if text is None else [values.rich_text(text)]


def _rollup_test(name: str, wanted: Any, today: date) -> Test:
    if name in ("number", "date"):
        test = _test(name, wanted, today)
        return lambda held: held["type"] == name and test(held[name])
    if name not in ("any", "every", "none") or not isinstance(wanted, dict) or len(wanted) != 1:
        raise InvalidQueryError("a rollup filter names any, every, none, number or date, with a condition")
    ((kind, condition),) = wanted.items()
    item_test = _test(kind, condition, today)

    def meets(held: Json) -> bool:
        found = [item["type"] == kind and item_test(item[kind]) for item in held.get("array", [])]
        return {"any": any(found), "every": all(found), "none": not any(found)}[name]

    return meets


def time_of(text: Any) -> datetime:
    """A time or a day as an instant; a day is midnight UTC."""
    try:
        at = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise InvalidQueryError(f"'{text}' is not a valid ISO 8601 date") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _instant(held: str | Json) -> datetime:
    """When a timestamp or the start of a date value is, in UTC."""
    if isinstance(held, str):
        return time_of(held)
    at = datetime.fromisoformat(held["start"])
    if at.tzinfo is None:
        at = at.replace(tzinfo=_zone(held.get("time_zone")))
    return at.astimezone(UTC)


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except ZoneInfoNotFoundError:
        # A system without time zones still orders its rows.
        return UTC


def _plain(kind: str, held: Any) -> Any:
    """The value as something to compare: text, number, boolean, or a list of texts."""
    if held is None:
        return None
    match kind:
        case "title" | "rich_text":
            return values.plain(held)
        case "select" | "status":
            return held["name"]
        case "multi_select" | "files":
            return [each["name"] for each in held]
        case "people" | "relation":
            return [each["id"] for each in held]
        case "created_by" | "last_edited_by":
            return [held["id"]]
        case "unique_id":
            return held["number"]
    return held


def _sort_key(sort: Any, properties: Properties) -> Callable[[Json], Any]:
    """What a page is sorted by: None where it has no value, and what can be compared elsewhere."""
    if not isinstance(sort, dict) or sort.get("direction", "ascending") not in ("ascending", "descending"):
        raise InvalidQueryError("body.sorts takes objects with the direction ascending or descending")
    if sort.get("timestamp") in TIMESTAMPS:
        return itemgetter(TIMESTAMPS[sort["timestamp"]])
    if "property" not in sort:
        raise InvalidQueryError(
            "body.sorts should name a property, or the timestamp created_time or last_edited_time"
        )
    kind, value = properties(sort["property"])
    return lambda page: _comparable(kind, value(page))


def _comparable(kind: str, held: Any) -> tuple[int, Any] | None:
    """A key that puts numbers before texts: the results of one formula can be of both types."""
    if kind in ("formula", "rollup"):
        kind, held = held["type"], held[held["type"]]
    plain = _plain(kind, held)
    if kind == "verification":
        plain = held["state"]
    elif kind == "date" and held:
        plain = _instant(held).isoformat()
    if plain is None or plain in ("", [], {}):
        return None
    if isinstance(plain, int | float):
        return (0, plain)
    if isinstance(plain, dict):
        plain = plain.get("name") or ""
    return (1, plain if isinstance(plain, str) else ", ".join(map(str, plain)))
