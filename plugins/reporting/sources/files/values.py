"""How numbers and dates of a file are written, found from all of its values together, and what a value becomes.

`1,234` is a thousand in one country and a little more than one in another; `03/04/2026` is a day in March or in April. A file is read
as its other values show: `12,5` or `1.234,56` can only be one of them. What nothing decides stays text, with an apostrophe in
front if a cast would still accept it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from reporting.entity import Property
from reporting.sources.files.parts import value_of
from reporting.sources.google_sheets import cells
from reporting.sources.shapes import text_of

# Locales that write numbers so; how they write dates is not asked of them.
LOCALES = {",": "de_DE", ".": "en_US"}
NUMBER = re.compile(r"\d[\d.,]*\d|[.,]\d+|\d")
PLAIN = re.compile(r"-?\d{1,30}(?:([.,])\d{1,30})?", re.ASCII)
EXPONENT = re.compile(r"[-+]?\d+(?:\.\d+)?[eE][-+]?\d+", re.ASCII)
DAY = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})\.?", re.ASCII)
MOMENT = re.compile(
    r"(\S+?)(?:T|,?[ \u00a0]+)(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)[ \u00a0]*(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
# Blanks and apostrophes between thousands, which are never decimal.
THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f'\u2019](?=\d{3}(?!\d))")
LONGEST = 64
# Signs of what a value shows: the decimal separator, and which of day and month is first.
COMMA, POINT, DAY_FIRST, MONTH_FIRST = ",", ".", "day", "month"


@dataclass(slots=True)
class Ways:
    """What the values of a file show, while they are read; `numbers` and `days` have what is left open besides."""

    columns: Mapping[str, Property]
    shown: set[str] = field(default_factory=set)
    open_numbers: int = 0
    open_days: int = 0

    def look(self, record: Mapping[str, Any]) -> None:
        """Take in one record."""
        for name, each in self.columns.items():
            if each.kind not in ("number", "date", "datetime"):
                continue
            value = value_of(record, name)
            if not isinstance(value, str) or len(value) > LONGEST:
                continue
            if each.kind == "number":
                shown = decimal_in(value)
                self.open_numbers += shown == ""
            else:
                shown = order_in(_day_of(value))
                self.open_days += shown == ""
            if shown:
                self.shown.add(shown)

    @property
    def decimal(self) -> str | None:
        """The decimal separator, if all values that show one agree."""
        return _only(self.shown & {COMMA, POINT})

    @property
    def order(self) -> str | None:
        """Which of day and month is first, if all values that show it agree."""
        return _only(self.shown & {DAY_FIRST, MONTH_FIRST})

    def told(self) -> str:
        """What was found, for the log; empty where nothing was to be."""
        said = []
        if self.decimal:
            said.append(f"decimal {'commas' if self.decimal == COMMA else 'points'}")
        elif {COMMA, POINT} <= self.shown:
            said.append(
                "decimal commas beside decimal points, so that each is read only where its digits show it"
            )
        elif self.open_numbers:
            said.append(
                f"{self.open_numbers} numbers with one separator that may mean either, which stay text"
            )
        if self.order:
            said.append(f"{self.order}s first in dates")
        elif self.open_days:
            said.append(
                f"{self.open_days} dates of which day and month cannot be told apart, which stay text"
            )
        return ", ".join(said)


def _only(found: set[str]) -> str | None:
    return next(iter(found)) if len(found) == 1 else None


def decimal_in(text: str) -> str | None:
    """The decimal separator that a number shows; empty where it has one that may be either, None where it has none."""
    found = NUMBER.search(THOUSANDS.sub("", text))
    digits = found[0] if found else ""
    signs = [each for each in digits if each in ".,"]
    if not signs:
        return None
    last = signs[-1]
    other = COMMA if last == POINT else POINT
    whole, _, fraction = digits.rpartition(last)
    if len(set(signs)) == 2:
        groups = whole.split(other)
        return last if signs.count(last) == 1 and _are_groups(groups) else None
    if len(signs) > 1:
        return other if _are_groups(digits.split(last)) else None
    if len(fraction) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0"):
        return ""
    return last


def _are_groups(parts: list[str]) -> bool:
    """Whether these are thousands, or lakhs."""
    return 1 <= len(parts[0]) <= 3 and len(parts[-1]) == 3 and all(len(each) in (2, 3) for each in parts[1:])


def order_in(text: str) -> str | None:
    """Which of day and month a date shows to be first; empty where it may be either, None where it is no such date."""
    found = DAY.fullmatch(text)
    if not found or len(found[1]) > 2 or len(found[4]) != 4:
        return None
    first, second = int(found[1]), int(found[3])
    if first > 12 >= second:
        return DAY_FIRST
    if second > 12 >= first:
        return MONTH_FIRST
    # With full stops every locale of CLDR has the day first.
    return DAY_FIRST if found[2] == "." or first == second else ""


def text_in(value: Any, kind: str, decimal: str | None, order: str | None, locale: str | None) -> str | None:
    """A value as text that staging casts, or as it stands where it cannot be read; None where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if kind == "number":
        return _number(value, decimal, locale)
    if not isinstance(value, str):
        return text_of(value, kind)
    if kind == "date":
        return _day(value.strip(), order, locale) or text_of(value.strip(), kind)
    if kind == "datetime":
        return _moment(value.strip(), order, locale) or text_of(value.strip(), kind)
    return value if kind == "text" else value.strip()


def _number(value: Any, decimal: str | None, locale: str | None) -> str | None:
    if not isinstance(value, str):
        return (
            cells.as_text(value, "number", "en_US") if isinstance(value, float) else text_of(value, "number")
        )
    if locale is not None:
        return cells.as_text(value, "number", locale)
    text = value.strip()
    own = decimal_in(text) if len(text) <= LONGEST else None
    if (
        EXPONENT.fullmatch(text)
        and len(text) <= LONGEST
        and (own == POINT or decimal == POINT or "." not in text)
    ):
        return text
    separator = decimal if own == "" else own or POINT
    plain = PLAIN.fullmatch(text)
    if plain and plain[1] in (None, separator):
        # What a locale would read just so, and most numbers are.
        return text.replace(",", ".")
    if separator is None:
        return f"'{text}" if cells.CASTABLE.fullmatch(text) else text
    return cells.as_text(THOUSANDS.sub("", text), "number", LOCALES[separator])


def _day(text: str, order: str | None, locale: str | None) -> str | None:
    if len(text) > LONGEST:
        return None
    if text.endswith("T00:00:00"):
        # A day as workbooks have it.
        text = text.removesuffix("T00:00:00")
    if locale is not None:
        found = cells.as_text(text, "date", locale)
        return found if found and _is_iso(found) else None
    if _is_iso(text):
        return text
    parts = DAY.fullmatch(text)
    if not parts:
        return None
    first, second, third = int(parts[1]), int(parts[3]), int(parts[4])
    if len(parts[1]) == 4:
        year, month, day = first, second, third
    elif len(parts[1]) <= 2 and len(parts[4]) == 4:
        own = order_in(text) or order
        if own is None:
            return None
        year, month, day = (third, second, first) if own == DAY_FIRST else (third, first, second)
    else:
        # A year of two digits may be a day.
        return None
    try:
        return date(year, month, day).isoformat() if year in cells.YEARS else None
    except ValueError:
        return None


def _moment(text: str, order: str | None, locale: str | None) -> str | None:
    if len(text) > LONGEST:
        return None
    if _is_iso(text):
        return text
    found = MOMENT.fullmatch(text)
    if not found:
        return _day(text, order, locale)
    if (day := _day(found[1], order, locale)) is None:
        return None
    clock = found[2].replace(",", ".")
    try:
        # With seconds, without which BigQuery takes no time.
        return datetime.fromisoformat(
            f"{day}T{clock.zfill(len(clock) + (clock[1] == ':'))}{found[3] or ''}"
        ).isoformat()
    except ValueError:
        return None


def _day_of(text: str) -> str:
    found = MOMENT.fullmatch(text.strip())
    return found[1] if found else text.strip()


def _is_iso(text: str) -> bool:
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False
