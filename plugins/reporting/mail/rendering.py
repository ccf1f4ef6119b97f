"""Renders the summary of the week as HTML and as text.

Charts are made of table cells, since mail programs do not show SVG and hide images until the reader allows them, and a library
that draws images would need too much memory on a small instance. Colours are always accompanied by signs and numbers.
https://www.caniemail.com
"""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from reporting.ingest.freshness import STALE_AFTER
from reporting.mail.emails import Email
from reporting.mail.summary import BIRTHDAY_DAYS
from reporting.mail.week import Engagements, Habit, Summary, Week
from reporting.sources.hubspot.entities import TOUCHES
from reporting.sources.registry import SOURCES, title_of

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_PEOPLE = 8
SHOWN_DEALS = 5
SHOWN_CALENDARS = 6
DASH = "\N{EN DASH}"
SIGNS = {"done": "✓", "missed": DASH, "open": "…", "off": "·"}


def email(summary: Summary, base_url: str | None = None) -> Email:
    """The e-mail with `summary`. `base_url` is the address of Airflow's web interface, for links."""
    values: dict[str, Any] = {
        "base_url": base_url,
        "bars": _bars(summary.engagements) if summary.engagements else [],
        "columns": _columns(summary.engagements, summary.week) if summary.engagements else [],
        "birthday_days": BIRTHDAY_DAYS,
        "groups": _groups(summary.habits or ()),
        "headline": headline(summary),
        "read_sources": ", ".join(title_of(each) for each in summary.health.read_at) or "No source",
        "shown_calendars": SHOWN_CALENDARS,
        "shown_deals": SHOWN_DEALS,
        "shown_people": SHOWN_PEOPLE,
        "sources": {name: source.title for name, source in SOURCES.items()},
        "stale_days": STALE_AFTER.days,
        "summary": summary,
        "touches": TOUCHES,
        "week": summary.week,
    }
    html, text = (_templates(name).render(values) for name in ("summary.html", "summary.txt"))
    return Email(f"Your week, {span(summary.week)}: {headline(summary)}", text, html)


def headline(summary: Summary) -> str:
    """The week in one line."""
    parts = []
    if summary.rate is not None:
        parts.append(f"habits {percent(summary.rate)}")
    if summary.cold:
        parts.append(f"{len(summary.cold)} to call")
    if summary.birthdays:
        parts.append(counted(len(summary.birthdays), "birthday"))
    if summary.deals and summary.deals.won:
        parts.append(f"{counted(len(summary.deals.won), 'deal')} won")
    return ", ".join(parts) or "nothing to report"


def span(week: Week) -> str:
    """The days of a week, such as `9-15 November` with an en dash."""
    first, last = week.first_on, week.last_on
    if first.month == last.month:
        return f"{first.day}{DASH}{last.day} {last:%B}"
    return f"{first.day} {first:%B} {DASH} {last.day} {last:%B}"


def percent(rate: float) -> str:
    """A share between 0 and 1 in whole percent."""
    return f"{rate:.0%}".replace("%", " %")


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def amount(value: float | Decimal | None) -> str:
    """A number with at most one decimal, and without decimals from a thousand on."""
    if value is None:
        return DASH
    # Adding zero turns -0.0 into 0.0.
    rounded = round(float(value), 1) + 0.0
    return f"{rounded:,.0f}" if rounded == int(rounded) or abs(rounded) >= 1000 else f"{rounded:,.1f}"


def day(on: date) -> str:
    """A date with its weekday."""
    return f"{on:%a} {on.day} {on:%b}"


def result(habit: Habit) -> str:
    """The result of a habit, such as `5 of 7` or `7,430 a day`."""
    if habit.is_number:
        return amount(habit.average) if habit.due else DASH
    if habit.period == "daily":
        return f"{habit.done} of {habit.due}"
    return {"done": "done", "missed": "missed", "open": "not yet", "off": "not due"}[habit.cells[-1]]


def wanted(habit: Habit) -> str:
    """The target of a habit; empty if it has none."""
    if habit.target is None or (habit.period != "daily" and not habit.is_number):
        return ""
    return amount(habit.target) if habit.is_number else percent(habit.target)


def change(now: tuple[int, int], before: tuple[int, int]) -> str:
    """`up`, `down` or `same`, comparing the shares that were done; empty if there is nothing to compare."""
    if not now[1] or not before[1]:
        return ""
    # Cross-multiplied, so that shares of different numbers of days are compared exactly.
    difference = now[0] * before[1] - before[0] * now[1]
    return "up" if difference > 0 else "down" if difference < 0 else "same"


def _groups(habits: tuple[Habit, ...]) -> list[tuple[str, list[Habit]]]:
    return [
        (period, found)
        for period in ("daily", "weekly", "monthly")
        if (found := [each for each in habits if each.period == period])
    ]


def _bars(engagements: Engagements) -> list[dict[str, Any]]:
    """One bar per type of engagement: its width in percent of the longest bar, and the count of the week before."""
    types = [each for each in TOUCHES if engagements.by_type.get(each) or engagements.before.get(each)]
    types += sorted((engagements.by_type.keys() | engagements.before.keys()) - set(TOUCHES))
    counts = [(each, engagements.by_type.get(each, 0), engagements.before.get(each, 0)) for each in types]
    longest = max((count for _, *both in counts for count in both), default=0)
    return [
        {
            "name": counted(2, TOUCHES.get(each, each))[2:].capitalize(),
            "count": count,
            "before": before,
            # At least 2 percent, so that the bar of a small count is visible.
            "width": max(2, round(100 * count / longest)) if count else 0,
        }
        for each, count, before in counts
    ]


def _columns(engagements: Engagements, week: Week) -> list[dict[str, Any]]:
    """One column per day, with its height in pixels."""
    most = max(engagements.by_day, default=0)
    return [
        {"day": f"{on:%a}", "count": count, "height": max(3, round(48 * count / most)) if count else 0}
        for on, count in zip(week.days, engagements.by_day, strict=True)
    ]


@cache
def _templates(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "amount": amount,
        "counted": counted,
        "day": day,
        "percent": percent,
        "result": result,
        "span": span,
        "wanted": wanted,
    }
    environment.globals |= {"change": change, "counted": counted, "signs": SIGNS}
    return environment.get_template(name)
