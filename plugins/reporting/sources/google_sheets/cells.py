"""What a cell holds, as text that can be cast: `1234.5`, `2026-03-31`; what cannot be understood stays as it was typed.

A cell that the sheet knows for a number or a date comes as a number; one that was typed as text, or pasted, or came from
a form, is read as somebody writes it in the spreadsheet's locale.
"""

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import parse_date
from babel.numbers import NumberFormatError, parse_decimal

# Day 0 of a sheet: https://developers.google.com/workspace/sheets/api/reference/rest/v4/DateTimeRenderOption
FIRST_DAY = date(1899, 12, 30)
LAST_SERIAL = (date(9999, 12, 31) - FIRST_DAY).days
# A sheet computes with 64-bit floats and shows 15 digits of them.
NUMBER = ".15g"
SIGNS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "'": "\N{RIGHT SINGLE QUOTATION MARK}"})
SPACES = re.compile("[\\s\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]+")
SYMBOLS = re.compile("[$\N{POUND SIGN}\N{YEN SIGN}\N{EURO-CURRENCY SIGN}-\N{BITCOIN SIGN}]")
# A currency's code or abbreviation before or after the digits.
CODE = re.compile(r"^([-(]?)[^\W\d_]{1,3}(?=[\d.,-])|(?<=[\d.,])[^\W\d_]{1,3}(?=[)-]?$)")
DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")


def as_text(value: Any, kind: str, locale: str) -> str | None:
    """A cell as Google's API gives it unformatted, with dates as serial numbers; None when it is empty.

    `kind` is that of a `Property`, and `locale` the spreadsheet's, such as `de_DE`.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if kind == "number":
        return _number(value, locale) or _plain(value)
    if kind == "date":
        return _date(value, locale) or _plain(value)
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return _digits(value) if isinstance(value, int | float) else str(value).strip()


def _digits(value: float) -> str:
    text = f"{Decimal(format(value, NUMBER)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number(value: Any, locale: str) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _digits(value)
    text = SYMBOLS.sub("", SPACES.sub("", str(value).translate(SIGNS)))
    text = CODE.sub(lambda found: found.group(1) or "", text)
    is_negative = (text.startswith("(") and text.endswith(")")) or text.endswith("-")
    text = text.strip("()").removesuffix("-")
    try:
        # Strictly: digits in other groups than the locale's mean something else there.
        parsed = parse_decimal(text, _locale(locale), strict=True)
    except (NumberFormatError, ValueError):
        return None
    return f"{-parsed if is_negative else parsed:f}" if parsed.is_finite() else None


def _date(value: Any, locale: str) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        # The part of a day that is a time is cut off.
        return (FIRST_DAY + timedelta(days=int(value))).isoformat() if 0 < value <= LAST_SERIAL else None
    text = SPACES.sub("", str(value))
    if not DATE.fullmatch(text.rstrip(".")):
        return None
    try:
        if ISO.fullmatch(text):
            return date(*map(int, text.split("-"))).isoformat()
        return parse_date(text, _locale(locale), format="short").isoformat()
    except (ValueError, IndexError):
        return None


def _locale(name: str) -> Locale:
    """The locale of that name; where it is unknown, one that takes only plain numbers and American dates."""
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_US")
