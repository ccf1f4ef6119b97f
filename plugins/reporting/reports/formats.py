"""Formats numbers, dates and durations for people."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from markupsafe import Markup, escape

NOTHING = "\N{EN DASH}"
# `compact` shortens numbers from this one on.
SHORTENED = 10_000
UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def percent(share: float | None) -> str:
    """0.713 as `71%`."""
    return NOTHING if share is None else f"{share:.0%}"


def number(value: float | Decimal | None) -> str:
    """1234.5 as `1,234.5`: without decimals from a hundred on, otherwise with one decimal if it is not zero."""
    if value is None:
        return NOTHING
    # Rounded before the decision, so that 99.96 becomes 100 and -0.01 becomes 0 instead of -0.
    known = float(value)
    known = round(known, 0 if abs(known) >= 100 else 1) + 0.0
    return f"{known:,.0f}" if known.is_integer() else f"{known:,.1f}"


def compact(value: float | Decimal | None) -> str:
    """1234567 as `1.23M`, for where there is little room."""
    if value is None:
        return NOTHING
    if abs(float(value)) < SHORTENED:
        return number(value)
    # Rounded before the letter is chosen, so that 999,999 becomes 1M and not 1000K.
    rounded = float(f"{value:.3g}")
    unit, letter = next(each for each in UNITS if abs(rounded) >= each[0])
    shown = rounded / unit
    return f"{f'{shown:.3g}' if abs(shown) < 1000 else f'{shown:,.0f}'}{letter}"


def day(value: date | datetime | None) -> str:
    """`21 Nov 2026`."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def month(value: date | None) -> str:
    """`Nov 2026`."""
    return NOTHING if value is None else f"{value:%b %Y}"


def count(value: int, one: str, many: str | None = None) -> str:
    """`1 day`, `2 days`; `many` is the plural if it is not `one` with an s."""
    return f"{value:,} {one if value == 1 else many or f'{one}s'}"


def span(value: timedelta | None) -> str:
    """A duration in its largest unit: `less than a minute`, `40 minutes`, `5 hours`, `3 days`."""
    if value is None:
        return NOTHING
    minutes = int(value.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 120:
        return count(minutes, "minute")
    if minutes < 48 * 60:
        return count(minutes // 60, "hour")
    return count(minutes // (24 * 60), "day")


def duration(seconds: float | None) -> str:
    """`0.4 s`, `45 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def age(at: datetime | None) -> Markup:
    """How long ago `at` was, as an element that says it by the reader's clock: `3 hours`. Without JavaScript it is the time."""
    return _relative(at, "age")


def ago(at: datetime | None) -> Markup:
    """The same with a word more: `3 hours ago`."""
    return _relative(at, "ago")


def ahead(on: date) -> Markup:
    """How far ahead a day is, as an element that says it by the reader's clock and the owner's time zone: `today`, `in 5 days`.

    Without JavaScript it is the day."""
    return Markup('<time datetime="{}" data-relative="ahead">{}</time>').format(on.isoformat(), day(on))


def breakable(name: str) -> Markup:
    """A name such as a DAG id, which may go on in another line after each `__`."""
    return Markup("__<wbr>").join(name.split("__"))


def _relative(at: datetime | None, kind: str) -> Markup:
    if at is None:
        return escape(NOTHING)
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" data-relative="{}">{}, {:%H:%M} UTC</time>').format(
        utc.isoformat(timespec="seconds"), kind, day(utc), utc
    )
