"""Converts the value of a cell to text that can be cast: `1234.5`, `2026-03-31`.

The API returns cells that the sheet recognises as a number or a date as numbers. A cell that was typed as text, was pasted, or
came from a form is read as people write numbers and dates in the spreadsheet's locale. If anything else is in the cell, it is
not converted, since a wrong amount is worse than a missing one: it stays as typed, with an apostrophe in front if a cast would
still accept it as a number.
"""

import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import list_currencies

# Day 0 of the serial numbers in a sheet:
# https://developers.google.com/workspace/sheets/api/reference/rest/v4/DateTimeRenderOption
FIRST_DAY = date(1899, 12, 30)
LAST_SERIAL = (date(9999, 12, 31) - FIRST_DAY).days
# A sheet computes with 64-bit floats, and shows 15 digits.
NUMBER = ".15g"
# Signs and apostrophes have several forms, which are unified. Marks of the direction of writing are removed.
SIGNS = str.maketrans(
    {
        **dict.fromkeys("\N{MINUS SIGN}\N{EN DASH}\N{NON-BREAKING HYPHEN}\N{FULLWIDTH HYPHEN-MINUS}", "-"),
        "'": "\N{RIGHT SINGLE QUOTATION MARK}",
        **dict.fromkeys(
            "\N{LEFT-TO-RIGHT MARK}\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}\N{ZERO WIDTH NO-BREAK SPACE}"
        ),
    }
)
NO_BREAK_SPACES = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}\N{FIGURE SPACE}"
ARABIC_DECIMAL, ARABIC_GROUP = "\N{ARABIC DECIMAL SEPARATOR}", "\N{ARABIC THOUSANDS SEPARATOR}"
# Signs of subunits such as cents: a number with one of them is not an amount in the currency itself.
PARTS = "\N{CENT SIGN}\N{FULLWIDTH CENT SIGN}\N{MILL SIGN}\N{GERMAN PENNY SIGN}"
SYMBOLS = "".join(
    char for char in map(chr, range(0x10000)) if unicodedata.category(char) == "Sc" and char not in PARTS
)
# Currency codes that begin with X are metals, baskets or tests, except for these.
SHARED = frozenset(("XAF", "XCD", "XOF", "XPF"))
# Abbreviations that are missing in the symbols of locales.
ABBREVIATIONS = frozenset(("Rs", "Rs."))
# Words of accounting or for thousands and millions, which are also the symbol of a currency somewhere.
OTHER_WORDS = frozenset(("cr", "dr", "h", "k", "m", "mk", "mn", "mio", "mrd", "t", "tr"))
# A NUMERIC has 38 digits. The pattern's time grows with the cube of a run of spaces, and a cell holds 50,000 signs.
LONGEST_AMOUNT = 64
# What a cast takes for a number: https://cloud.google.com/bigquery/docs/reference/standard-sql/conversion_functions#cast_numeric
CASTABLE = re.compile(r"\s*+[-+]?\s*+(?:\d++\.?\d*+|\.\d++)(?:e[-+]?\d++)?\s*", re.IGNORECASE | re.ASCII)
ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
# A year with two digits is read as 1930 to 2029, as in spreadsheet programs.
PIVOT = 30
# A year outside of this range belongs to another calendar or is a typing error.
YEARS = range(1900, 2200)
# Locales with other common calendars, in which a year with two digits is not clear.
OTHER_CALENDARS = frozenset(("ar", "ckb", "fa", "ps", "th"))


def as_text(value: Any, kind: str, locale: str) -> str | None:
    """Convert a cell, as Google's API returns it unformatted with dates as serial numbers. None if it is empty.

    `kind` is that of a `Property`. `locale` is that of the spreadsheet, such as `de_DE`.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if kind == "number":
        return _number(value, locale) or _uncastable(_plain(value))
    if kind == "date":
        return _date(value, locale) or _plain(value)
    return _plain(value)


def _uncastable(text: str) -> str:
    """Mark a text that is not a number in the locale but would be one for BigQuery, such as `12.5` in German."""
    return f"'{text}" if CASTABLE.fullmatch(text) else text


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
    text = _normal(str(value))
    found = _amount(locale).fullmatch(text) if len(text) <= LONGEST_AMOUNT else None
    if not found:
        return None
    signs = [sign for name in ("before", "between", "after", "last") if (sign := found[name])]
    currencies = [each for name in ("symbol", "unit") if (each := found[name])]
    is_enclosed = found["open"] is not None
    fraction = found["fraction"] or found["bare"] or ""
    if len(signs) + is_enclosed > 1 or len(currencies) > 1 or is_enclosed != (found["close"] is not None):
        return None
    if currencies and not found["whole"] and currencies[0][-1].isalpha():
        # In `Rs .50` the full stop may belong to the abbreviation or to the number.
        return None
    whole = re.sub(r"\D", "", found["whole"] or "0")
    number = f"{whole}.{fraction}" if fraction else whole
    return f"-{number}" if is_enclosed or "-" in signs else number


@lru_cache
def _amount(name: str) -> re.Pattern[str]:
    """A pattern for an amount in a locale: digits in the locale's groups, with at most one sign and one currency."""
    locale = _locale(name)
    decimals, groups, currencies = {"."}, set[str](), set(ABBREVIATIONS)
    if locale:
        systems = [locale.number_symbols[each] for each in {"latn", locale.default_numbering_system}]
        decimals = {each[key] for each in systems for key in ("decimal", "currencyDecimal") if key in each}
        groups = {
            each[key] for each in systems for key in ("group", "currencyGroup") if key in each
        } - decimals
        currencies |= {each for each in locale.currency_symbols.values() if not re.search(r"[\d-]", each)}
    if any(each.isspace() for each in groups):
        groups.add(" ")
    decimals.add(ARABIC_DECIMAL)
    groups |= {ARABIC_GROUP, *NO_BREAK_SPACES}
    currencies |= {code for code in list_currencies() if code[0] != "X" or code in SHARED}
    currencies = {each for each in currencies if each.casefold().rstrip(".") not in OTHER_WORDS}
    # A single letter after a number is often a unit and not a currency.
    units = {each for each in currencies if len(each.rstrip(".")) > 1 or not each[0].isalpha()}
    group, decimal = (f"[{re.escape(''.join(sorted(each)))}]" for each in (groups, decimals))
    shapes = [rf"[1-9]\d{{0,2}}(?P<group>{group})(?:\d{{3}}(?P=group))*\d{{3}}"]
    if locale and locale.decimal_formats[None].grouping == (3, 2):
        shapes.append(rf"[1-9]\d?(?P<pair>{group})(?:\d\d(?P=pair))+\d{{3}}")
    whole = "|".join([*shapes, r"\d+"])
    return re.compile(
        rf"(?P<before>[-+])?\s*(?P<open>\()?\s*(?:(?P<symbol>{_any_of(currencies)})\s*)?(?P<between>[-+])?\s*"
        rf"(?:(?P<whole>{whole})(?:{decimal}(?P<fraction>\d+))?|{decimal}(?P<bare>\d+))"
        rf"(?:\s*(?P<after>-))?(?:\s*(?P<unit>{_any_of(units)}))?(?:\s*(?P<last>-))?\s*(?P<close>\))?"
    )


def _any_of(currencies: set[str]) -> str:
    texts = sorted(currencies, key=len, reverse=True)
    return "|".join([*(re.sub(r"(?:\\?\s)+", r"\\s", re.escape(each)) for each in texts), f"[{SYMBOLS}]"])


def _date(value: Any, locale: str) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        if value in YEARS:
            # Probably a year without month and day. As a serial number it would be a day in 1905 or 1906.
            return None
        # The fraction is the time of day and is cut off. A time without a date is not a day.
        return (FIRST_DAY + timedelta(days=int(value))).isoformat() if 1 <= value <= LAST_SERIAL else None
    text = _normal(str(value))
    try:
        if found := ISO.fullmatch(text):
            return date(*map(int, found.groups())).isoformat()
        found = _day(locale).fullmatch(text)
        if not found or not (year := _year(found["y"], locale)):
            return None
        return date(year, int(found["M"]), int(found["d"])).isoformat()
    except ValueError:
        return None


@lru_cache
def _day(name: str) -> re.Pattern[str]:
    """A pattern for a date in a locale: its order of day, month and year, and its separator."""
    locale = _locale(name)
    pattern = _normal(str(locale.date_formats["short"].pattern)) if locale else ""
    parts = re.match(r"([dMy])\1*([./-])\s*([dMy])\3*\2\s*([dMy])\4*", pattern)
    if not parts:
        # The locale is not known, so only ISO 8601 is unambiguous.
        return re.compile(r"(?!)")
    first, separator, *others = parts.groups()
    # If the year comes first, two digits could also be a day, unless the locale writes years with two digits.
    year = r"\d{4}" if first == "y" and "yy" not in pattern.replace("yyyy", "") else r"\d{4}|\d{2}"
    digits = {"d": r"\d{1,2}", "M": r"\d{1,2}", "y": year}
    body = rf"{re.escape(separator)}\s*".join(f"(?P<{each}>{digits[each]})" for each in (first, *others))
    return re.compile(body + (r"\.?" if separator == "." else ""))


def _year(digits: str, locale: str) -> int | None:
    year = int(digits)
    if len(digits) == 2:
        if locale.partition("_")[0] in OTHER_CALENDARS:
            return None
        year += 2000 if year < PIVOT else 1900
    return year if year in YEARS else None


def _normal(text: str) -> str:
    """The text with ASCII digits and unified signs; empty if it mixes digits of two scripts."""
    text = text.translate(SIGNS).strip()
    digits = {char: unicodedata.decimal(char) for char in text if char.isdecimal()}
    if len({ord(char) - value for char, value in digits.items()}) > 1:
        return ""
    return "".join(str(digits.get(char, char)) for char in text)


@lru_cache
def _locale(name: str) -> Locale | None:
    """The locale of that name. None if it is unknown; then only texts are read that mean the same in every locale."""
    language, *rest = name.replace("-", "_").split("_")
    try:
        return Locale.parse("_".join(["nb" if language == "no" else language, *rest]))
    except (UnknownLocaleError, ValueError):
        return None
