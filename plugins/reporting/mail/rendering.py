"""The week as HTML and as text.

Charts are cells of tables and no pictures: mail programs show no SVG, hold pictures back until they are asked, and a
library that draws them would cost a small instance more than the letter is worth. Colours come with signs and numbers.
https://www.caniemail.com
"""

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from reporting.entities import TITLES
from reporting.mail.letters import Letter
from reporting.mail.summary import BIRTHDAY_DAYS, Engagements, Habit, Summary, Week

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_PEOPLE = 8
SHOWN_DEALS = 5
TOUCHES = {
    "calls": "call",
    "emails": "e-mail",
    "meetings": "meeting",
    "communications": "message",
    "tasks": "task",
    "notes": "note",
}
DASH = "\N{EN DASH}"
SIGNS = {"done": "✓", "missed": DASH, "open": "…", "off": "·"}


def letter(summary: Summary, base_url: str | None = None) -> Letter:
    """The letter that tells `summary`; `base_url` is where Airflow's web interface is."""
    values: dict[str, Any] = {
        "base_url": base_url,
        "bars": _bars(summary.engagements) if summary.engagements else [],
        "columns": _columns(summary.engagements, summary.week) if summary.engagements else [],
        "birthday_days": BIRTHDAY_DAYS,
        "groups": _groups(summary.habits or ()),
        "headline": headline(summary),
        "read_sources": ", ".join(TITLES.get(each, each) for each in summary.health.read_at) or "No source",
        "shown_deals": SHOWN_DEALS,
        "shown_people": SHOWN_PEOPLE,
        "sources": TITLES,
        "summary": summary,
        "touches": TOUCHES,
        "week": summary.week,
    }
    html, text = (_templates(name).render(values) for name in ("summary.html", "summary.txt"))
    return Letter(f"Your week, {span(summary.week)}: {headline(summary)}", text, html)


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
    return ", ".join(parts) or "nothing to tell"


def span(week: Week) -> str:
    """The days of a week, such as `9-15 November` with a dash between."""
    first, last = week.first_on, week.last_on
    if first.month == last.month:
        return f"{first.day}{DASH}{last.day} {last:%B}"
    return f"{first.day} {first:%B} {DASH} {last.day} {last:%B}"


def percent(rate: float) -> str:
    """A share of 1 in whole percent."""
    return f"{rate:.0%}".replace("%", " %")


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def amount(value: float | Decimal | None) -> str:
    """A number as people write it: no more than one decimal, and none of thousands."""
    if value is None:
        return DASH
    rounded = round(float(value), 1)
    return f"{rounded:,.0f}" if rounded == int(rounded) or abs(rounded) >= 1000 else f"{rounded:,.1f}"


def day(on: date) -> str:
    """A day with its weekday."""
    return f"{on:%a} {on.day} {on:%b}"


def result(habit: Habit) -> str:
    """What a habit came to, such as `5 of 7` or `7,430 a day`."""
    if habit.is_number:
        return amount(habit.average) if habit.due else DASH
    if habit.period == "daily":
        return f"{habit.done} of {habit.due}"
    return {"done": "done", "missed": "missed", "open": "not yet", "off": "not due"}[habit.cells[-1]]


def wanted(habit: Habit) -> str:
    """The target of a habit, where it has one."""
    if habit.target is None or (habit.period != "daily" and not habit.is_number):
        return ""
    return amount(habit.target) if habit.is_number else percent(habit.target)


def change(now: tuple[int, int], before: tuple[int, int]) -> str:
    """`up`, `down` or `same`, by the share that was done; nothing where there is nothing to compare."""
    if not now[1] or not before[1]:
        return ""
    # Cross-multiplied: shares of different numbers of days are compared exactly.
    difference = now[0] * before[1] - before[0] * now[1]
    return "up" if difference > 0 else "down" if difference < 0 else "same"


def _groups(habits: tuple[Habit, ...]) -> list[tuple[str, list[Habit]]]:
    return [
        (period, found)
        for period in ("daily", "weekly", "monthly")
        if (found := [each for each in habits if each.period == period])
    ]


def _bars(engagements: Engagements) -> list[dict[str, Any]]:
    """A bar a type of engagement: its width in percent of the longest, and the week before beside it."""
    types = [each for each in TOUCHES if engagements.by_type.get(each) or engagements.before.get(each)]
    types += sorted((engagements.by_type.keys() | engagements.before.keys()) - set(TOUCHES))
    counts = [(each, engagements.by_type.get(each, 0), engagements.before.get(each, 0)) for each in types]
    longest = max((count for _, *both in counts for count in both), default=0)
    return [
        {
            "name": counted(2, TOUCHES.get(each, each))[2:].capitalize(),
            "count": count,
            "before": before,
            # A bar of something is seen.
            "width": max(2, round(100 * count / longest)) if count else 0,
        }
        for each, count, before in counts
    ]


def _columns(engagements: Engagements, week: Week) -> list[dict[str, Any]]:
    """A column a day: its height in pixels."""
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
