"""The page of habits: every period since the first one, streaks, and the rate of each month compared with its target."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import Page, ShortList, Tile, Tone

PERIODS = ("daily", "weekly", "monthly")
# The unit in which a streak is counted, by the period of the habit.
UNITS = {"daily": "day", "weekly": "week", "monthly": "month"}
TREND_MONTHS = 12
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month of a habit, as in the mart `habit_metrics`. A rate is between 0 and 1."""

    month_on: date
    due: int
    complete: int
    rate: float | None
    average: float | None
    target: float | None
    is_target_met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """A habit with all its periods.

    `marks` has one letter per period from `first_on` on: `c` complete, `m` missed, `o` still open, `n` not due, `e` done
    although not due. `amounts` are the numbers recorded in the same periods; empty if the habit is a checkbox. `months` are
    in order, without months that have no data.
    """

    name: str
    period: str
    is_number: bool
    first_on: date
    marks: str
    amounts: tuple[float | None, ...]
    months: tuple[Month, ...]
    current_streak: int
    longest_streak: int

    def month(self, month_on: date) -> Month | None:
        """The habit in that month; None if there is no data."""
        return next((each for each in reversed(self.months) if each.month_on == month_on), None)

    @property
    def unit(self) -> str:
        """The unit in which its streaks are counted."""
        return UNITS[self.period]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: this month and the last one. `change` is in percentage points."""

    habit: Habit
    this_month: Month | None
    last_month: Month | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Habits:
    """Every habit, by period and name."""

    today: date
    habits: tuple[Habit, ...]

    @property
    def this_month(self) -> date:
        """The first day of this month."""
        return self.today.replace(day=1)

    @property
    def last_month(self) -> date:
        """The first day of last month."""
        return (self.this_month - timedelta(days=1)).replace(day=1)

    def rows(self) -> list[Row]:
        """The table of all habits."""
        found = []
        for habit in self.habits:
            this, last = habit.month(self.this_month), habit.month(self.last_month)
            has_both = this and last and this.rate is not None and last.rate is not None
            change = round(100 * (this.rate - last.rate)) if has_both else None  # type: ignore[union-attr, operator]  # has_both
            found.append(Row(habit, this, last, change))
        return found

    def periods(self) -> list[str]:
        """The periods for which there are habits."""
        return [period for period in PERIODS if any(habit.period == period for habit in self.habits)]

    def rate(self, month_on: date) -> float | None:
        """The share of a month's due periods that are complete; None if none was due."""
        months = [found for habit in self.habits if (found := habit.month(month_on))]
        due = sum(month.due for month in months)
        return sum(month.complete for month in months) / due if due else None

    def tiles(self) -> Sequence[Tile]:
        """The share of habits done, the best streak, and the number of targets met."""
        if not self.habits:
            return (Tile("Habits", "none yet", "They come with the first habits database that is read."),)
        this, last = self.rate(self.this_month), self.rate(self.last_month)
        best = max(self.habits, key=lambda habit: habit.current_streak)
        judged = [
            month for row in self.rows() if (month := row.this_month) and month.is_target_met is not None
        ]
        met = sum(1 for month in judged if month.is_target_met)
        tone: Tone = "plain"
        if this is not None and last is not None:
            tone = "good" if this >= last else "warning"
        trend = tuple(self.rate(month_on) for month_on in months_back(self.this_month, TREND_MONTHS))
        return (
            Tile(
                "Habits done this month",
                formats.percent(this),
                f"{formats.percent(last)} in {self.last_month:%B}",
                tone,
                trend,
            ),
            Tile(
                "Best running streak",
                formats.count(best.current_streak, best.unit),
                best.name if best.current_streak else "No streak is running.",
            ),
            Tile(
                "Targets met this month",
                f"{met} of {len(judged)}" if judged else formats.NOTHING,
                "" if judged else "No habit has a target.",
                "good" if judged and met == len(judged) else "plain",
            ),
        )

    def lists(self) -> Sequence[ShortList]:
        """The longest current streaks, and the habits that are behind their targets."""
        running = sorted(
            (habit for habit in self.habits if habit.current_streak > 1),
            key=lambda habit: (-_days(habit), habit.name),
        )
        lines = tuple(
            (
                habit.name,
                f"{formats.count(habit.current_streak, habit.unit)}"
                + (", the longest yet" if habit.current_streak == habit.longest_streak else ""),
            )
            for habit in running[:LISTED]
        )
        behind = tuple(
            (row.habit.name, _behind(row.habit, month))
            for row in self.rows()
            if (month := row.this_month) and month.is_target_met is False
        )
        return (
            ShortList("Streaks that are running", lines, "No streak is running."),
            ShortList("Behind the target this month", behind[:LISTED], "Every target is met."),
        )

    def payload(self) -> dict[str, Any]:
        """The habits, with one list per value of the months, which begins at `since`."""
        return {
            "today": self.today.isoformat(),
            "habits": [_plain(habit, self.this_month) for habit in self.habits],
        }


def read(marts: Marts) -> Habits:
    """Every habit with its periods and months."""
    months: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in marts.rows(
        f"""
        SELECT habit_id, period, month_on, periods_due, periods_complete, completion_rate, average_amount,
            current_streak, longest_streak, target, is_target_met
        FROM {marts.mart("habit_metrics")} ORDER BY month_on
        """
    ):
        months[row["habit_id"], row["period"]].append(row)
    # The warehouse joins the letters of all periods into one text, so ten years of a habit are one row.
    periods = marts.rows(
        f"""
        SELECT habit_id, habit, period, property_type, MIN(date) AS first_on,
            STRING_AGG(
                CASE
                    WHEN is_due AND is_complete THEN 'c'
                    WHEN is_complete THEN 'e'
                    WHEN NOT is_due THEN 'n'
                    WHEN is_current THEN 'o'
                    ELSE 'm'
                END,
                '' ORDER BY date
            ) AS marks,
            STRING_AGG(
                IF(property_type = 'number' AND amount IS NOT NULL, CAST(amount AS STRING), ''), ',' ORDER BY date
            ) AS amounts
        FROM {marts.mart("habits")} GROUP BY habit_id, habit, period, property_type
        """
    )
    habits = [_habit(row, months[row["habit_id"], row["period"]]) for row in periods]
    habits.sort(key=lambda habit: (PERIODS.index(habit.period), habit.name.casefold(), habit.name))
    return Habits(marts.today, tuple(habits))


def months_back(month_on: date, length: int) -> list[date]:
    """The `length` months that end with `month_on`, the latest last."""
    number = month_on.year * 12 + month_on.month - 1
    return [date(each // 12, each % 12 + 1, 1) for each in range(number - length + 1, number + 1)]


def _habit(row: Any, months: list[Any]) -> Habit:
    is_number = row["property_type"] == "number"
    latest = months[-1] if months else None
    return Habit(
        name=row["habit"],
        period=row["period"],
        is_number=is_number,
        first_on=row["first_on"],
        marks=row["marks"],
        amounts=tuple(_amount(text) for text in row["amounts"].split(",")) if is_number else (),
        months=tuple(
            Month(
                month_on=month["month_on"],
                due=month["periods_due"],
                complete=month["periods_complete"],
                rate=month["completion_rate"],
                average=month["average_amount"],
                target=month["target"],
                is_target_met=month["is_target_met"],
            )
            for month in months
        ),
        current_streak=latest["current_streak"] if latest else 0,
        longest_streak=latest["longest_streak"] if latest else 0,
    )


def _amount(text: str) -> float | None:
    return round(float(text), 2) if text else None


def _behind(habit: Habit, month: Month) -> str:
    if habit.is_number:
        return f"{formats.number(month.average)} of {formats.number(month.target)} a {habit.unit}"
    return f"{formats.percent(month.rate)} of {formats.percent(month.target)}"


def _days(habit: Habit) -> int:
    """The approximate length of a current streak in days, so that habits of different periods can be compared."""
    return habit.current_streak * {"daily": 1, "weekly": 7, "monthly": 30}[habit.period]


def _plain(habit: Habit, this_month: date) -> dict[str, Any]:
    first = habit.months[0].month_on if habit.months else this_month
    by_month = {month.month_on: month for month in habit.months}
    length = (this_month.year - first.year) * 12 + this_month.month - first.month + 1
    span = [by_month.get(month_on) for month_on in months_back(this_month, max(length, 1))]
    plain: dict[str, Any] = {
        "name": habit.name,
        "period": habit.period,
        "first": habit.first_on.isoformat(),
        "marks": habit.marks,
        "since": f"{first:%Y-%m}",
        "rates": [month and _short(month.rate) for month in span],
        "targets": [month and _short(month.target) for month in span],
    }
    if habit.is_number:
        plain["amounts"] = [_whole(amount) for amount in habit.amounts]
        plain["averages"] = [month and _short(month.average) for month in span]
    return plain


def _short(value: float | None) -> float | None:
    return None if value is None else _whole(round(value, 3))


def _whole(value: float | None) -> float | None:
    """8.0 as 8, which saves characters in the page."""
    return int(value) if value is not None and value == int(value) else value


PAGE = Page("habits", "Habits", read)
