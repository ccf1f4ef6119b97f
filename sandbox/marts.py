"""Invented rows for marts of any size, without dbt, the same for the same seed: for tests of what reads marts, and its speed."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from google.cloud import bigquery

from sandbox.hubspot.sample import FIRST_NAMES, LAST_NAMES, TRADES
from sandbox.mart_calendars import calendar_rows
from sandbox.mart_tables import Row, fill

OWNERS = ("Robin Sample", "Kim Sample", "Lou Former")
# Name, period, and for a number its target.
HABITS: tuple[tuple[str, str, float | None], ...] = (
    ("Meditate", "daily", None),
    ("Exercise", "daily", None),
    ("Read", "daily", None),
    ("Journal", "daily", None),
    ("No sugar", "daily", None),
    ("Früh aufstehen", "daily", None),
    ("Water", "daily", 8),
    ("Steps", "daily", 8000),
    ("Call family", "weekly", None),
    ("Runs", "weekly", 2),
    ("Budget", "monthly", None),
    ("Books", "monthly", 2),
)
ENGAGEMENT_TYPES = {"emails": 45, "calls": 20, "meetings": 15, "communications": 8, "notes": 7, "tasks": 5}
# The least and the most a month.
EXPENSES = {
    "Housing": (1050, 1080),
    "Groceries": (320, 520),
    "Insurance": (212, 213),
    "Eating out": (40, 260),
    "Travel": (0, 400),
    "Leisure": (20, 150),
}
# Project, and whether somebody pays for it.
PROJECTS = {"Website": True, "Audit": True, "Office": False}
STAGES = (
    ("Appointment scheduled", False, False),
    ("Qualified to buy", False, False),
    ("Contract sent", False, False),
    ("Closed won", True, True),
    ("Closed lost", True, False),
)
# Seconds that a run of a DAG usually takes.
PIPELINES = {
    "mart_personal__models__full": 140.0,
    "ops_warehouse__backup__daily": 35.0,
    "raw_google__contacts__full": 20.0,
    "raw_hubspot__contacts__full": 90.0,
    "raw_notion__daily_habits__full": 12.0,
    "report_personal__dashboard__daily": 18.0,
}
RUN_OUTCOMES = {"success": 80, "recovered": 6, "skipped": 5, "failed": 4, "missing": 5}
NODES = (("model", "habits"), ("model", "people"), ("test", "people_is_valid"), ("snapshot", "person_keys"))
# Rows of a raw table at its first profile; its columns with the share that is empty.
PROFILED = {
    "google__contacts": 300,
    "hubspot__contacts": 900,
    "hubspot__deals": 80,
    "notion__daily_habits": 700,
}
PROFILED_COLUMNS = (
    ("id", "text", 0.0),
    ("archived", "boolean", 0.0),
    ("email", "text", 0.2),
    ("fax", "text", 1.0),
    ("phones", "list", 0.4),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of every mart that the report reads, as they are on `today`."""

    today: date
    years: int = 2
    people: int = 80
    engagements: int = 2_000
    seed: int = 1

    def fill(self, client: bigquery.Client, dataset: str) -> None:
        """Put all of it in `dataset`, where the tables are."""
        habits = list(self.habits())
        fill(client, dataset, "habits", habits)
        fill(client, dataset, "habit_metrics", metrics(habits))
        for name, rows in (
            ("relationships", self.relationships()),
            ("companies", self.companies()),
            ("deals", self.deals()),
            ("engagements", self.engaged()),
            ("ops_runs", self.runs()),
            ("ops_dbt_results", self.dbt_results()),
            ("ops_table_profiles", self.profiles()),
            ("cash_flow", self.cash_flow()),
            ("worked_hours", self.worked_hours()),
            *calendar_rows(self.today, self.seed).items(),
        ):
            fill(client, dataset, name, rows)

    def habits(self) -> Iterator[Row]:
        """One row per habit and period."""
        first = date(self.today.year - self.years, self.today.month, 1)
        for number, (name, period, target) in enumerate(HABITS):
            dice = random.Random(f"{self.seed}:{name}")
            likely = 0.55 + 0.35 * dice.random()
            for on in _starts(period, first, self.today):
                following = next(iter(_starts(period, on + timedelta(days=1), on + timedelta(days=40))))
                is_current = following > self.today
                is_recorded = dice.random() > 0.06
                # It goes better and worse over the months.
                done = dice.random() < likely + 0.15 * ((on.month + number) % 5 - 2) / 2
                amount = None
                if target and is_recorded:
                    amount = round(target * (1 + dice.random() / 2 if done else dice.random()), 0)
                yield {
                    "habit_id": f"h{number}",
                    "data_source_id": "d",
                    "property_id": f"p{number}",
                    "property_type": "number" if target else "checkbox",
                    "habit": name,
                    "period": period,
                    "date": on,
                    "is_complete": bool(amount is not None and target and amount >= target)
                    if target
                    else is_recorded and done,
                    "amount": amount,
                    "target": target or (0.7 if number % 3 == 0 else None),
                    "is_recorded": is_recorded,
                    "is_due": True,
                    "is_current": is_current,
                }

    def relationships(self) -> Iterator[Row]:
        """One row per person."""
        for number in range(self.people):
            dice = random.Random(f"{self.seed}:person {number}")
            cadence = round(min(dice.lognormvariate(3, 0.8), 73), 1) if dice.random() < 0.6 else None
            days = int((cadence or 60) * dice.lognormvariate(-0.2, 0.9)) if dice.random() < 0.9 else None
            is_planned = dice.random() < 0.15
            born = date(1950 + dice.randrange(50), 1 + dice.randrange(12), 1 + dice.randrange(28))
            birthday = _next_birthday(born, self.today) if dice.random() < 0.5 else None
            last = (
                datetime.combine(self.today - timedelta(days=days), time(10), UTC)
                if days is not None
                else None
            )
            soon = datetime.combine(self.today + timedelta(days=1 + dice.randrange(20)), time(9), UTC)
            yield {
                "person_id": f"p{number}",
                "full_name": f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}",
                "email": f"person{number}@example.com",
                "company_name": f"{dice.choice(LAST_NAMES)} {dice.choice(TRADES)}"
                if dice.random() < 0.8
                else None,
                "owner": dice.choice(OWNERS) if dice.random() < 0.9 else None,
                "sources": ["hubspot"],
                "last_touch_at": last,
                "last_touch_type": dice.choice(("calls", "emails", "meetings")) if last else None,
                "next_touch_at": soon if is_planned else None,
                "next_touch_type": dice.choice(("meetings", "tasks")) if is_planned else None,
                "touches_30_days": int(days is not None and days < 30),
                "touches_90_days": int(days is not None and days < 90) * 3,
                "touches_365_days": round(365 / cadence) if cadence else int(days is not None and days < 365),
                "cadence_days": cadence if days is not None else None,
                "days_since_last_touch": days,
                "is_going_cold": days > max(2 * cadence, 30) if cadence and days is not None else None,
                "next_birthday_on": birthday,
                "days_to_birthday": (birthday - self.today).days if birthday else None,
                "age_at_birthday": birthday.year - born.year if birthday and dice.random() < 0.7 else None,
            }

    def companies(self) -> Iterator[Row]:
        """One row per company, one for every four people."""
        for number in range(max(1, self.people // 4)):
            dice = random.Random(f"{self.seed}:company {number}")
            last = datetime.combine(self.today - timedelta(days=dice.randrange(300)), time(11), UTC)
            yield {
                "company_id": f"c{number}",
                "company_name": f"{LAST_NAMES[number % len(LAST_NAMES)]} {dice.choice(TRADES)}",
                "industry": dice.choice(("FOOD", "DESIGN", "LOGISTICS")),
                "owner": dice.choice(OWNERS),
                "contacts_count": dice.randrange(9),
                "deals_count": dice.randrange(5),
                "open_deals_amount": str(dice.choice((0, dice.randrange(1, 60) * 500))),
                "won_amount": str(dice.choice((0, dice.randrange(1, 90) * 500))),
                "last_engagement_at": last,
            }

    def deals(self) -> Iterator[Row]:
        """One row per deal, as many as people."""
        for number in range(self.people):
            dice = random.Random(f"{self.seed}:deal {number}")
            order = dice.choices(range(len(STAGES)), (3, 3, 2, 6, 4))[0]
            stage, is_closed, is_won = STAGES[order]
            away = -dice.randrange(1, 365 * min(self.years, 3)) if is_closed else dice.randrange(-20, 200)
            yield {
                "deal_id": f"d{number}",
                "deal_name": f"{dice.choice(('Website', 'Retainer', 'Audit', 'Workshop'))} {number}",
                "pipeline_id": "default",
                "pipeline": "Sales Pipeline" if number % 5 else "Renewals",
                "stage_id": stage,
                "stage": stage,
                "stage_order": order,
                "is_closed": is_closed,
                "is_won": is_won,
                "amount": str(dice.randrange(4, 80) * 500) if dice.random() < 0.95 else None,
                "close_on": self.today + timedelta(days=away),
                "owner": dice.choice(OWNERS),
                "company_id": f"c{dice.randrange(max(1, self.people // 4))}",
                "is_stage_since_known": dice.random() < 0.7,
                "days_in_stage": dice.randrange(80),
            }

    def engaged(self) -> Iterator[Row]:
        """A row an engagement: more in later years, at most in office hours."""
        dice = random.Random(f"{self.seed}:engagements")
        span = 365 * self.years
        kinds, weights = list(ENGAGEMENT_TYPES), list(ENGAGEMENT_TYPES.values())
        for number in range(self.engagements):
            on = self.today - timedelta(days=int(span * dice.random() ** 1.25))
            if on.weekday() >= 5 and dice.random() < 0.85:
                on -= timedelta(days=2)
            kind = dice.choices(kinds, weights)[0]
            hour = min(23, max(0, round(dice.gauss(13, 3))))
            yield {
                "engagement_id": f"{kind}:{number}",
                "type": kind,
                "occurred_at": datetime.combine(on, time(hour, dice.randrange(60)), UTC),
                "is_touch": kind not in ("notes", "tasks") and dice.random() < 0.9,
                "owner": dice.choices(OWNERS, (5, 3, 1))[0],
                "unknown_association_count": 0,
            }

    def runs(self) -> Iterator[Row]:
        """One row per run of the last 40 days: most of them good, some not."""
        for dag_id, usual in PIPELINES.items():
            dice = random.Random(f"{self.seed}:{dag_id}")
            for back in range(40):
                due = datetime.combine(self.today - timedelta(days=back), time(3, 17), UTC)
                outcome = dice.choices(tuple(RUN_OUTCOMES), tuple(RUN_OUTCOMES.values()))[0]
                is_slow = dice.random() < 0.03
                seconds = round(usual * (8 if is_slow else 0.8 + 0.4 * dice.random()) + 60 * is_slow, 1)
                began = due + timedelta(seconds=dice.randrange(1, 9))
                is_there = outcome != "missing"
                is_bad = outcome in ("recovered", "failed")
                yield {
                    "dag_id": dag_id,
                    "run_id": f"scheduled__{due.isoformat()}",
                    "layer": dag_id.partition("_")[0],
                    "run_type": "scheduled",
                    "outcome": outcome,
                    "due_at": due,
                    "started_at": began if is_there else None,
                    "ended_at": began + timedelta(seconds=seconds) if is_there else None,
                    "wait_seconds": (began - due).total_seconds() if is_there else None,
                    "duration_seconds": seconds if is_there else None,
                    "usual_seconds": usual,
                    "is_outlier": is_slow and outcome in ("success", "recovered"),
                    "tasks_count": 2 * is_there,
                    "tries_count": (2 + is_bad) * is_there,
                    "failed_tries_count": int(is_bad),
                    "failed_tasks": "extract" if is_bad else None,
                }

    def dbt_results(self) -> Iterator[Row]:
        """One row per node of the build of each of the last 30 days."""
        for back in range(30):
            at = datetime.combine(self.today - timedelta(days=back), time(0, 41), UTC)
            for number, (kind, name) in enumerate(NODES):
                dice = random.Random(f"{self.seed}:{back}:{name}")
                usual = 1.0 + number
                yield {
                    "invocation_id": f"i{back}",
                    "node_id": f"{kind}.reporting.{name}",
                    "build_id": f"dbt-full-{at:%Y%m%dT%H%M%S%f}",
                    "refresh": "full",
                    "layer": "marts",
                    "kind": kind,
                    "name": name,
                    "outcome": "failed" if kind == "test" and dice.random() < 0.05 else "success",
                    "started_at": at,
                    "duration_seconds": round(usual * (0.8 + 0.4 * dice.random()), 2),
                    "usual_seconds": usual,
                    "bytes_billed": 10 * 2**20 * (number + 1),
                }

    def profiles(self) -> Iterator[Row]:
        """One row per column of a profile every third day of two months."""
        for table, first in PROFILED.items():
            rows, before = first, None
            for number in range(20):
                dice = random.Random(f"{self.seed}:{table} {number}")
                at = datetime.combine(self.today - timedelta(days=3 * (19 - number)), time(3, 7), UTC)
                rows = round(rows * (0.7 if dice.random() < 0.03 else 1 + 0.04 * dice.random()))
                for name, kind, share in PROFILED_COLUMNS:
                    yield {
                        "table_name": table,
                        "column_name": name,
                        "profiled_at": at,
                        "kind": kind,
                        "row_count": rows,
                        "row_count_before": before,
                        "deleted_count": rows // 30,
                        "null_count": round(rows * share),
                        "null_share": share,
                        "null_share_before": share if before else None,
                        "distinct_count": None if kind == "list" else round(rows * (1 - share)),
                        "minimum": None if share == 1 else "1",
                        "maximum": None if share == 1 else "40",
                        "finding": "fewer rows" if before and rows <= 0.8 * before else None,
                        "is_latest": number == 19,
                    }
                before = rows

    def cash_flow(self) -> Iterator[Row]:
        """One row per month and category."""
        dice = random.Random(f"{self.seed}:money")
        balance = 0
        for on in _starts("monthly", date(self.today.year - self.years, self.today.month, 1), self.today):
            month = {name: dice.randrange(least, most) for name, (least, most) in EXPENSES.items()}
            income = 3200 + dice.choice((0, 0, 0, 900))
            balance += income - sum(month.values())
            for name, expense in {**month, "Salary": 0}.items():
                earned = income if name == "Salary" else 0
                yield {
                    "month_on": on,
                    "category": name,
                    "income": str(earned),
                    "expense": str(expense),
                    "net": str(earned - expense),
                    "entries_count": 1 + expense // 60,
                    "balance": str(balance),
                }

    def worked_hours(self) -> Iterator[Row]:
        """One row per week and project of half a year."""
        monday = self.today - timedelta(days=self.today.weekday())
        for back in range(26):
            for name, is_billable in PROJECTS.items():
                hours = random.Random(f"{self.seed}:{back}:{name}").randrange(2, 16)
                yield {
                    "week_on": monday - timedelta(weeks=back),
                    "project": name,
                    "hours": str(hours),
                    "billable_hours": str(hours if is_billable else 0),
                    "entries_count": hours,
                }


def metrics(habits: Iterable[Row]) -> Iterator[Row]:
    """What the mart `habit_metrics` says of rows of `habits`, which come by habit and date."""
    months: dict[tuple[str, date], Row] = {}
    streaks: dict[str, tuple[int, int]] = {}
    for row in habits:
        key = row["habit_id"]
        streak, longest = streaks.get(key, (0, 0))
        is_hit = row["is_due"] and row["is_complete"]
        is_miss = row["is_due"] and not row["is_complete"] and not row["is_current"]
        streak = streak + 1 if is_hit else 0 if is_miss else streak
        streaks[key] = streak, max(streak, longest)
        month_on = row["date"].replace(day=1)
        month = months.setdefault(
            (key, month_on),
            {name: row[name] for name in ("habit_id", "habit", "period", "property_type")}
            | {"month_on": month_on, "periods_due": 0, "periods_complete": 0, "amount": 0.0},
        )
        month["periods_due"] += int(is_hit or is_miss)
        month["periods_complete"] += int(is_hit)
        month["amount"] += row["amount"] or 0.0 if is_hit or is_miss else 0.0
        month["target"] = row["target"]
        month["current_streak"], month["longest_streak"] = streaks[key]
    for month in months.values():
        due, amount, is_number = month["periods_due"], month.pop("amount"), month["property_type"] == "number"
        rate = month["periods_complete"] / due if due else None
        average = amount / due if due and is_number else None
        value = average if is_number else rate
        is_met = value >= month["target"] if value is not None and month["target"] is not None else None
        yield month | {"completion_rate": rate, "average_amount": average, "is_target_met": is_met}


def _starts(period: str, first: date, last: date) -> Iterator[date]:
    if period == "weekly":
        first += timedelta(days=-first.weekday() % 7)
    if period == "monthly" and first.day > 1:
        first = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    while first <= last:
        yield first
        step = {"daily": 1, "weekly": 7}.get(period)
        first = first + timedelta(days=step) if step else (first + timedelta(days=32)).replace(day=1)


def _next_birthday(born: date, today: date) -> date:
    this_year = born.replace(year=today.year)
    return this_year if this_year >= today else born.replace(year=today.year + 1)
