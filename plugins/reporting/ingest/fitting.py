"""Converts the values of a record so that the columns of its raw table accept them.

A source may send anything: half an emoji, a day in the year 10000, NaN as a number. A value that does not fit becomes null, or
text that can be stored, and is counted. The rest of the record and all other records are loaded.
https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types (ranges)
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import STRUCT

from reporting.sources.base import Record
from reporting.sources.columns import JSON
from reporting.sources.fast_json import as_utf8
from reporting.sources.shapes import repaired

FRACTION = re.compile(r"(\.\d{6})\d+")
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1


def repaired_record(record: Record) -> tuple[Record, str]:
    """The record without what cannot be kept, the same one where there is nothing of it, and its payload as JSON."""
    text = as_utf8(record.payload)
    if text is not None and (not record.values or as_utf8(record.values) is not None):
        return record, text.decode()
    whole = Record(repaired(record.payload), repaired(record.values))
    return whole, json.dumps(whole.payload, allow_nan=False)


class Fitting:
    """Converts rows for the columns of one table, and counts in `misfits`, by column, the values that became null."""

    def __init__(self, columns: Iterable[sa.Column[Any]]) -> None:
        self.misfits: Counter[str] = Counter()
        self._fits = {each.name: self._fit_of(each.name, each.type) for each in columns}

    def fit(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with values that its columns take."""
        return _fitted(self._fits, row)

    def _fit_of(self, name: str, kind: Any) -> "Fit":
        """What makes a value fit, made once for a column; None where every value does."""
        if isinstance(kind, JSON):
            return None
        if isinstance(kind, sa.ARRAY):
            return self._array(self._fit_of(name, kind.item_type))
        if isinstance(kind, STRUCT):
            return self._struct(
                name, {part: self._fit_of(f"{name}.{part}", each) for part, each in kind._STRUCT_fields}
            )
        if isinstance(kind, sa.String):
            return lambda value: (
                value if isinstance(value, str) else json.dumps(repaired(value), allow_nan=False)
            )

        def scalar(value: Any) -> Any:
            fitted = _scalar(kind, value)
            if fitted is None:
                self.misfits[name] += 1
            return fitted

        return scalar

    def _array(self, fit: "Fit") -> "Fit":
        def array(value: Any) -> list[Any]:
            given = value if isinstance(value, list | tuple) else [value]
            fitted = (each if each is None or fit is None else fit(each) for each in given)
            # An array has no nulls.
            return [each for each in fitted if each is not None]

        return array

    def _struct(self, name: str, fits: Mapping[str, "Fit"]) -> "Fit":
        def struct(value: Any) -> dict[str, Any] | None:
            if type(value) is dict or isinstance(value, Mapping):
                return _fitted(fits, value)
            self.misfits[name] += 1
            return None

        return struct


Fit = Callable[[Any], Any] | None


def _fitted(fits: Mapping[str, Fit], values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None or (fit := fits.get(name)) is None else fit(value)
        for name, value in values.items()
    }


def _scalar(kind: Any, value: Any) -> Any:
    """The converted value; None if it does not fit."""
    match kind:
        case sa.Boolean():
            known = {"true": True, "false": False}
            return value if isinstance(value, bool) else known.get(str(value).strip().lower())
        case sa.TIMESTAMP():
            return _timestamp(value)
        case sa.Date():
            return _day(value)
        case sa.Integer():
            return _whole(value)
        case sa.Float():
            return _number(value)
    return value


def _timestamp(value: Any) -> str | None:
    return _time_of(value) if isinstance(value, str) else None


# A record has the same time in several columns, and a page of records the time at which it was asked for.
@lru_cache(maxsize=256)
def _time_of(value: str) -> str | None:
    try:
        at = datetime.fromisoformat(FRACTION.sub(r"\1", value.strip()))
        # A time within the years 1 to 9999 may be outside of them in UTC, which is what is stored; that raises an error here.
        (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.isoformat()


def _day(value: Any) -> str | None:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    if number is None or not number.is_integer():
        return None
    exact = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else int(number)
    return exact if LEAST_INTEGER <= exact <= GREATEST_INTEGER else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if math.isfinite(number) else None
