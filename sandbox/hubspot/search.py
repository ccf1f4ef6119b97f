"""Filters, sorts and the lag of HubSpot's search: https://developers.hubspot.com/docs/guides/api/crm/search"""

import random
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.schema import Json, created_property, modified_property
from sandbox.hubspot.store import Store, iso, now_ms, shown

LIMIT = 200
CAP = 10_000
# Conditions on these are answered from the index, so that a large portal can be searched quickly.
ORDERED = {"EQ": "=", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}


def search(
    store: Store,
    kind: str,
    body: Json,
    types: dict[str, str],
    lag_ms: int = 0,
    cap: int = CAP,
    lags: Mapping[str, int] | None = None,
) -> Json:
    """One page of results. Raises `ApiError` for a body that HubSpot refuses, and past the cap.

    The index is `lag_ms` behind, `lags` for single records by id: what was changed since is found and sorted by its
    former date, and shown as it is now.
    """
    limit, after = _number(body, "limit", 10), _number(body, "after", 0)
    if not 1 <= limit <= LIMIT:
        raise ApiError(400, f"Invalid input JSON: limit must be between 1 and {LIMIT}")
    if after + limit > cap:
        raise ApiError(400, f"Paging past {cap} results is not supported: offset {after}")
    now = now_ms()
    groups = body.get("filterGroups") or []
    sort = (body.get("sorts") or [{"propertyName": created_property(kind), "direction": "ASCENDING"}])[0]
    wanted = _column(kind, sort["propertyName"])
    conditions = [_as_sql(kind, group) for group in groups]
    if wanted and all(conditions) and not lag_ms and not lags:
        where = "archived IS NULL AND merged_into IS NULL AND modified <= ?"
        parameters: list[Any] = [now]
        if conditions:
            where += f" AND ({' OR '.join(sql for sql, _ in conditions if sql)})"
            parameters += [value for _, values in conditions for value in values]
        direction = "DESC" if sort.get("direction") == "DESCENDING" else "ASC"
        total = store.count(kind, where, tuple(parameters))
        found = store.select(kind, where, tuple(parameters), f"{wanted} {direction}, id", limit, after)
    else:
        matching = [
            (indexed, each)
            for indexed, each in store.indexed(kind, now, lag_ms, lags or {})
            if not groups or any(_meets(indexed, group, types) for group in groups)
        ]
        matching.sort(
            key=lambda pair: _sort_key(shown(pair[0], sort["propertyName"]), types.get(sort["propertyName"])),
            reverse=sort.get("direction") == "DESCENDING",
        )
        total, found = len(matching), [each for _, each in matching[after : after + limit]]
    found = _disorder(found, now - lag_ms)
    answer: Json = {"total": total, "results": found}
    if after + limit < total:
        answer["paging"] = {"next": {"after": str(after + limit), "link": "?"}}
    return answer


def _number(body: Json, name: str, default: int) -> int:
    try:
        return int(body.get(name) or default)
    except (TypeError, ValueError):
        raise ApiError(400, f"Invalid input JSON: {name}") from None


def _disorder(found: list[Json], visible: int) -> list[Json]:
    """Results of the last hour come in no order; the older ones keep theirs."""
    recent = [each for each in found if each["modified"] > visible - 3_600_000]
    if len(recent) < 2:
        return found
    random.Random(len(found)).shuffle(recent)
    return [each for each in found if each["modified"] <= visible - 3_600_000] + recent


def _column(kind: str, name: str) -> str | None:
    known = {"hs_object_id": "id", modified_property(kind): "modified", created_property(kind): "created"}
    return known.get(name)


def _as_sql(kind: str, group: Json) -> tuple[str, list[Any]] | None:
    """A group of filters on columns as SQL; None when one is on another property."""
    parts, values = [], []
    for each in group.get("filters", []):
        column = _column(kind, each["propertyName"])
        operator = ORDERED.get(each["operator"])
        if column is None or (operator is None and each["operator"] != "BETWEEN"):
            return None
        if operator is None:
            parts.append(f"{column} BETWEEN ? AND ?")
            values += [_instant(each["value"]), _instant(each["highValue"])]
        else:
            parts.append(f"{column} {operator} ?")
            values.append(_instant(each["value"]))
    return f"({' AND '.join(parts) or '1'})", values


def _instant(value: Any) -> int:
    """Milliseconds (or an id) as text, or an ISO time."""
    try:
        return int(value)
    except (TypeError, ValueError):
        pass
    try:
        return round(datetime.fromisoformat(str(value)).timestamp() * 1000)
    except ValueError:
        raise ApiError(400, f"Invalid input JSON: '{value}' is no time") from None


def _meets(record: Json, group: Json, types: dict[str, str]) -> bool:
    return all(_meets_one(record, each, types) for each in group.get("filters", []))


def _meets_one(record: Json, condition: Json, types: dict[str, str]) -> bool:
    name, operator = condition["propertyName"], condition["operator"]
    held = shown(record, name)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return (held is not None) == (operator == "HAS_PROPERTY")
    if held is None:
        # A property that is not set meets no comparison: a wrong name gives an empty result and no error.
        return operator in ("NEQ", "NOT_IN")
    kind = types.get(name)
    if operator in ("IN", "NOT_IN"):
        return (held in condition["values"]) == (operator == "IN")
    if operator == "CONTAINS_TOKEN":
        return str(condition["value"]).strip("*").lower() in held.lower()
    mine, given = _sort_key(held, kind), _sort_key(_normal(condition["value"], kind), kind)
    tests: dict[str, Callable[[], bool]] = {
        "EQ": lambda: mine == given,
        "NEQ": lambda: mine != given,
        "LT": lambda: mine < given,
        "LTE": lambda: mine <= given,
        "GT": lambda: mine > given,
        "GTE": lambda: mine >= given,
        "BETWEEN": lambda: given <= mine <= _sort_key(_normal(condition["highValue"], kind), kind),
    }
    if operator not in tests:
        raise ApiError(400, f"Invalid input JSON: {operator} is no operator")
    return tests[operator]()


def _normal(value: Any, kind: str | None) -> str:
    return iso(_instant(value)) if kind == "datetime" else str(value)


def _sort_key(value: str | None, kind: str | None) -> tuple[bool, float, str]:
    if value is None:
        return (True, 0.0, "")
    if kind == "number":
        try:
            return (False, float(value), "")
        except ValueError:
            pass
    return (False, 0.0, value.lower())
