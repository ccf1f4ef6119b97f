"""The page of money: income and expenses by month and category, and the hours worked by week and project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from reporting.reports import formats
from reporting.reports.habits import months_back
from reporting.reports.marts import FIRST_DAY, Marts
from reporting.reports.page import Page, ShortList, Tile

YEAR = 12
# The charts do not show more months than this, so that a mistyped year does not stretch them.
MONTHS = 120
AHEAD = 12
# The weeks for which hours are shown.
WEEKS = 26
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One category in one month. Amounts are in the ledger's currency, and expenses are positive. `balance` is that of all
    categories."""

    month_on: date
    category: str
    income: Decimal
    expense: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The hours of a project in one week; `week_on` is its first day."""

    week_on: date
    project: str
    hours: Decimal
    billable: Decimal


@dataclass(frozen=True, slots=True)
class Category:
    """The totals of a category in a year. `share` is its part of all expenses; None if there were none."""

    name: str
    income: Decimal
    expense: Decimal
    share: float | None


@dataclass(frozen=True, slots=True)
class Money:
    """Every month and category that has entries, and every week and project with hours in the last `WEEKS` weeks; the
    earliest first."""

    today: date
    flows: tuple[Flow, ...]
    works: tuple[Work, ...] = ()

    @property
    def this_month(self) -> date:
        """The first day of this month."""
        return self.today.replace(day=1)

    def months(self) -> list[date]:
        """All months from the first with entries to this month or the last with entries, including months without any.

        They end at most a year from now and begin no earlier than `FIRST_DAY`. Entries outside, such as those with a mistyped
        year, count in the balance only.
        """
        if not self.flows:
            return []
        latest = _place(self.this_month) + AHEAD
        first = min(_place(self.this_month), max(_place(FIRST_DAY), _place(self.flows[0].month_on)))
        last = max(_place(self.this_month), min(_place(self.flows[-1].month_on), latest))
        return months_back(date(last // 12, last % 12 + 1, 1), last - first + 1)

    def balances(self) -> list[Decimal]:
        """The balance at the end of each month."""
        known = {flow.month_on: flow.balance for flow in self.flows}
        months = self.months()
        earlier = [flow.balance for flow in self.flows if flow.month_on < months[0]] if months else []
        balance, found = (earlier or [Decimal(0)])[-1], []
        for month_on in months:
            balance = known.get(month_on, balance)
            found.append(balance)
        return found

    def categories(self) -> list[str]:
        """The categories, the greatest expenses first."""
        sums: dict[str, Decimal] = {}
        for flow in self.flows:
            sums[flow.category] = sums.get(flow.category, Decimal(0)) + flow.expense
        return sorted(sums, key=lambda name: (-sums[name], name))

    def last_year(self) -> list[Category]:
        """The categories in the last twelve complete months, the greatest expenses first."""
        flows = [flow for flow in self.flows if flow.month_on in self._whole_months(YEAR)]
        expenses = sum((flow.expense for flow in flows), Decimal(0))
        found = []
        for name in {flow.category for flow in flows}:
            mine = [flow for flow in flows if flow.category == name]
            expense = sum((flow.expense for flow in mine), Decimal(0))
            income = sum((flow.income for flow in mine), Decimal(0))
            found.append(Category(name, income, expense, float(expense / expenses) if expenses else None))
        return sorted(found, key=lambda each: (-each.expense, each.name))

    def tiles(self) -> Sequence[Tile]:
        """The balance, and the income and expenses of a year."""
        worked = (self._worked(),) if self.works else ()
        if not self.flows:
            return worked or (Tile("Money", "none yet", "It comes from a ledger in Google Sheets."),)
        year, balances = self.last_year(), self.balances()
        income = sum((each.income for each in year), Decimal(0))
        expense = sum((each.expense for each in year), Decimal(0))
        saved = float((income - expense) / income) if income else None
        place = self.months().index(self.this_month)
        trend = tuple(float(each) for each in balances[max(0, place - YEAR) : place + 1])
        return (
            Tile("Balance", formats.compact(balances[place]), "of all entries to this month", trend=trend),
            Tile("Income in 12 months", formats.compact(income), "without this month"),
            Tile("Expenses in 12 months", formats.compact(expense), "without this month"),
            Tile(
                "Kept in 12 months",
                formats.percent(saved),
                f"{formats.number(income - expense)} of {formats.number(income)}",
                "plain" if saved is None else "good" if saved >= 0 else "bad",
            ),
            *worked,
        )

    def weeks(self) -> list[date]:
        """All weeks from the first with hours to the last, including weeks without any."""
        if not self.works:
            return []
        first, last = self.works[0].week_on, self.works[-1].week_on
        return [first + timedelta(days=days) for days in range(0, (last - first).days + 1, 7)]

    def projects(self) -> list[str]:
        """The projects, the one with the most hours first."""
        sums: dict[str, Decimal] = {}
        for work in self.works:
            sums[work.project] = sums.get(work.project, Decimal(0)) + work.hours
        return sorted(sums, key=lambda name: (-sums[name], name))

    def _worked(self) -> Tile:
        recent = [work for work in self.works if work.week_on > self.today - timedelta(days=28)]
        hours = sum((work.hours for work in recent), Decimal(0))
        billable = sum((work.billable for work in recent), Decimal(0))
        return Tile("Hours in 4 weeks", formats.number(hours), f"{formats.number(billable)} of them billable")

    def lists(self) -> Sequence[ShortList]:
        """The largest expenses of a year."""
        lines = tuple(
            (each.name, f"{formats.number(each.expense)} · {formats.percent(each.share)}")
            for each in self.last_year()[:LISTED]
            if each.expense
        )
        return (ShortList("Largest expenses in 12 months", lines, "There were no expenses."),)

    def payload(self) -> dict[str, Any]:
        """The months, the balance at the end of each, and one row per month and category, both given as indexes into lists; and
        the same of weeks, projects and their hours."""
        weeks, projects = self.weeks(), self.projects()
        months, categories = self.months()[-MONTHS:], self.categories()
        places = {month_on: place for place, month_on in enumerate(months)}
        return {
            "months": [f"{month_on:%Y-%m}" for month_on in months],
            "balances": [round(float(each), 2) for each in self.balances()[-MONTHS:]],
            "categories": categories,
            "flows": [
                [
                    places[flow.month_on],
                    categories.index(flow.category),
                    round(float(flow.income), 2),
                    round(float(flow.expense), 2),
                ]
                for flow in self.flows
                if flow.month_on in places
            ],
            "weeks": [week_on.isoformat() for week_on in weeks],
            "projects": projects,
            "works": [
                [
                    weeks.index(work.week_on),
                    projects.index(work.project),
                    round(float(work.hours), 2),
                    round(float(work.billable), 2),
                ]
                for work in self.works
            ],
        }

    def _whole_months(self, length: int) -> set[date]:
        return set(months_back(self.this_month, length + 1)[:-1])


def _place(month_on: date) -> int:
    return month_on.year * 12 + month_on.month - 1


def read(marts: Marts) -> Money:
    """Query the marts `cash_flow` and `worked_hours`."""
    rows = marts.rows(
        f"""
        SELECT month_on, category, income, expense, balance FROM {marts.mart("cash_flow")}
        ORDER BY month_on, category
        """
    )
    works = marts.rows(
        f"""
        SELECT week_on, project, hours, billable_hours FROM {marts.mart("worked_hours")}
        WHERE week_on > {marts.day(marts.today - timedelta(weeks=WEEKS))} AND week_on <= {marts.day(marts.today)}
        ORDER BY week_on, project
        """
    )
    return Money(
        marts.today,
        tuple(
            Flow(
                month_on=row["month_on"],
                category=row["category"],
                income=row["income"],
                expense=row["expense"],
                balance=row["balance"],
            )
            for row in rows
        ),
        tuple(
            Work(
                week_on=row["week_on"],
                project=row["project"],
                hours=row["hours"],
                billable=row["billable_hours"],
            )
            for row in works
        ),
    )


PAGE = Page("money", "Money", read)
