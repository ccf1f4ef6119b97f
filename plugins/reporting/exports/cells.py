"""A value of a mart as CSV and SQLite hold it: what they have no type for is text in ISO 8601 or JSON.

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

# What a spreadsheet takes for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
# A float holds every decimal of so many digits: https://www.sqlite.org/floatingpoint.html
EXACT_DIGITS = 15


def csv_cell(value: Any) -> str | None:
    """`value` for a writer that quotes everything but None.

    Text that a spreadsheet would compute gets an apostrophe in front, as `unguarded` takes it away again.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, bool):
        return str(value).lower()
    return digits(value) if isinstance(value, Decimal) else str(_plain(value))


def guarded(text: str) -> str:
    """`text` that no spreadsheet computes."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def digits(value: Decimal) -> str:
    """All digits of `value`, without the zeros that its type adds."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sqlite_cell(value: Any) -> str | int | float | bytes | None:
    """`value` as sqlite3 binds it."""
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
    """What JSON has no word for; NUMERIC as its digits, since a number in JSON is a float to most readers."""
    if isinstance(value, Decimal):
        return digits(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):
        return _iso(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
