"""Converts a value of a mart for CSV and SQLite. Where they have no type for it, it becomes text in ISO 8601 or JSON.

| BigQuery      | CSV                                | SQLite                                                  |
|---------------|------------------------------------|---------------------------------------------------------|
| STRING        | guarded against formulas           | TEXT                                                    |
| BOOL          | `true`, `false`                    | INTEGER 1, 0                                            |
| NUMERIC       | its digits                         | a number where that is exact, else the digits as TEXT   |
| FLOAT64       | the shortest digits that mean it   | REAL; `NaN` as TEXT, which SQLite would make NULL       |
| DATE          | `2026-06-30`                       | TEXT                                                    |
| TIMESTAMP     | `2026-06-30 12:00:00+00:00`        | TEXT                                                    |
| ARRAY, STRUCT | JSON                               | TEXT, which SQLite's JSON functions take                |
| NULL          | nothing, where empty text is `""`  | NULL                                                    |
"""

import base64
import json
import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

# What a spreadsheet reads as the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
# Spreadsheets also accept full-width and small forms of these signs, and first remove invisible characters.
UNSEEN = r"\s\x00-\x1f\x7f-\x9f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
SIGNS = r"=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u207a\u207b\u208c\u208a\u208b"
FORMULA = re.compile(rf"'*(?:[\t\r\n]|[{UNSEEN}]*[{SIGNS}])")
# A float represents every decimal number of up to this many digits: https://www.sqlite.org/floatingpoint.html
EXACT_DIGITS = 15


def csv_cell(value: Any) -> str | None:
    """Convert `value` for a CSV writer that quotes everything but None.

    Text that a spreadsheet would run as a formula gets an apostrophe in front, which `unguarded` removes again.
    """
    if value is None:
        return None
    if isinstance(value, str | bytes):
        # Base64 may begin with a plus sign, which begins a formula, too.
        return guarded(_plain(value))
    if isinstance(value, bool):
        return str(value).lower()
    return digits(value) if isinstance(value, Decimal) else str(_plain(value))


def guarded(text: str) -> str:
    """`text` with an apostrophe in front if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that was given to `guarded`."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def digits(value: Decimal) -> str:
    """All digits of `value`, without trailing zeros after the point."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sqlite_cell(value: Any) -> str | int | float | bytes | None:
    """Convert `value` to a type that sqlite3 accepts as a parameter."""
    if isinstance(value, Decimal):
        text = digits(value)
        if len(text.strip("-").replace(".", "")) > EXACT_DIGITS:
            return text
        return float(text) if "." in text else int(text)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value if isinstance(value, bytes) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_json)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _iso(value) if isinstance(value, date | time) else value


def _iso(value: date | time) -> str:
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()


def _json(value: Any) -> str:
    """Convert a type that JSON does not have. NUMERIC becomes text, since most readers parse numbers in JSON as floats."""
    if isinstance(value, Decimal):
        return digits(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):
        return _iso(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
