"""The page of pipeline health: the outcome of every run of the last thirty days, and how long runs and dbt's nodes take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup

from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import MOST_ROWS, Page, ShortList, Tile, Tone

DAYS = 30
# So many of dbt's nodes are shown: those with the longest total time.
MOST_NODES = 40
SHORT = 5
GOOD = ("success", "recovered", "skipped")
OUTCOMES: dict[str, Tone] = {
    "success": "good",
    "recovered": "warning",
    "skipped": "plain",
    "failed": "bad",
    "missing": "bad",
    "running": "plain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The runs of a DAG in the last `DAYS` days. Times are in seconds, and those of runs that did something and succeeded.

    `usual_seconds` is their median; None if there are fewer than five.
    """

    dag_id: str
    layer: str
    counts: Mapping[str, int]
    mean_seconds: float | None
    usual_seconds: float | None
    slowest_seconds: float | None
    outlier_count: int
    last_good_at: datetime | None

    @property
    def run_count(self) -> int:
        """The number of runs that started; missing runs do not count."""
        return sum(self.counts.values()) - self.counts["missing"]

    @property
    def status(self) -> str:
        """The worst outcome of its runs."""
        return next((each for each in ("failed", "missing", "recovered") if self.counts[each]), "success")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notable:
    """A run that failed, is missing, recovered or was slow. `what` says which."""

    dag_id: str
    what: str
    due_at: datetime
    duration_seconds: float | None
    usual_seconds: float | None
    failed_tasks: str | None

    @property
    def tone(self) -> Tone:
        """The colour of `what`."""
        return OUTCOMES.get(self.what, "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of dbt in the last `DAYS` days. Times are in seconds; `bytes_billed` is None if the warehouse does not report
    it."""

    name: str
    kind: str
    start_count: int
    failed_count: int
    warning_count: int
    mean_seconds: float | None
    slowest_seconds: float | None
    bytes_billed: int | None


@dataclass(frozen=True, slots=True)
class Pipelines:
    """Every DAG by its name. `days` are [day, outcome, runs]; `notable` are the latest of `notable_count`."""

    today: date
    pipelines: tuple[Pipeline, ...]
    days: tuple[tuple[date, str, int], ...]
    notable: tuple[Notable, ...]
    notable_count: int
    nodes: tuple[Node, ...]

    def count(self, outcome: str) -> int:
        """How many runs of all DAGs had this outcome."""
        return sum(each.counts[outcome] for each in self.pipelines)

    def layers(self) -> list[str]:
        """The layers of the DAGs: the first words of their ids."""
        return sorted({each.layer for each in self.pipelines})

    def tiles(self) -> Sequence[Tile]:
        """How many runs there were, and how many failed, are missing or recovered."""
        if not self.pipelines:
            return (Tile("Runs", "none yet", "No run is in the warehouse yet."),)
        good = sum(self.count(each) for each in GOOD)
        ended = good + self.count("failed") + self.count("missing")
        return (
            Tile(
                "Good runs",
                formats.percent(good / ended if ended else None),
                f"of {formats.count(ended, 'run')} in {DAYS} days",
                "good" if good == ended else "warning",
                self._trend(),
            ),
            self._bad("failed", "Failed", "No run failed."),
            self._bad("missing", "Missing", "Every run that was due started."),
            Tile(
                "Recovered",
                formats.number(self.count("recovered")),
                "A try failed, and a later one succeeded.",
            ),
        )

    def _bad(self, outcome: str, label: str, none: str) -> Tile:
        dags = [each.dag_id for each in self.pipelines if each.counts[outcome]]
        detail = f"of {formats.count(len(dags), 'DAG')}" if dags else none
        return Tile(label, formats.number(self.count(outcome)), detail, "bad" if dags else "good")

    def _trend(self) -> tuple[float | None, ...]:
        first = self.today - timedelta(days=DAYS - 1)
        shares: list[float | None] = []
        for number in range(DAYS):
            counts = {
                outcome: runs for day, outcome, runs in self.days if day == first + timedelta(days=number)
            }
            good = sum(counts.get(each, 0) for each in GOOD)
            ended = good + counts.get("failed", 0) + counts.get("missing", 0)
            shares.append(good / ended if ended else None)
        return tuple(shares)

    def lists(self) -> Sequence[ShortList]:
        """The latest runs that failed or did not start."""
        lines = tuple(
            (each.dag_id, Markup("{}, {}").format(each.what, formats.ago(each.due_at)))
            for each in self.notable
            if each.what in ("failed", "missing")
        )
        empty = f"None in {DAYS} days." if self.pipelines else "No run is in the warehouse yet."
        return (ShortList("Failed or missing runs", lines[:SHORT], empty),)

    def payload(self) -> dict[str, Any]:
        """The number of runs per day and outcome."""
        first = self.today - timedelta(days=DAYS - 1)
        names = list(OUTCOMES)
        return {
            "days": [(first + timedelta(days=number)).isoformat() for number in range(DAYS)],
            "outcomes": names,
            "runs": [
                [(day - first).days, names.index(outcome), runs]
                for day, outcome, runs in self.days
                if first <= day <= self.today
            ],
        }


def read(marts: Marts) -> Pipelines:
    """Query the marts of runs and of dbt's results."""
    first = marts.today - timedelta(days=DAYS - 1)
    runs, recent = marts.mart("ops_runs"), f"DATE(due_at, {marts.zone}) >= {marts.day(first)}"
    counts = ", ".join(f"COUNTIF(outcome = '{each}') AS {each}" for each in OUTCOMES)
    worked = "IF(outcome IN ('success', 'recovered'), duration_seconds, NULL)"
    good = ", ".join(f"'{each}'" for each in GOOD)
    dags = marts.rows(
        f"""
        SELECT dag_id, MIN(layer) AS layer, {counts}, AVG({worked}) AS mean_seconds,
            MAX({worked}) AS slowest_seconds, MAX(usual_seconds) AS usual_seconds,
            COUNTIF(is_outlier) AS outlier_count, MAX(IF(outcome IN ({good}), ended_at, NULL)) AS last_good_at
        FROM {runs} WHERE {recent} GROUP BY dag_id ORDER BY dag_id
        """
    )
    days = marts.rows(
        f"""
        SELECT DATE(due_at, {marts.zone}) AS day_on, outcome, COUNT(*) AS run_count
        FROM {runs} WHERE {recent} GROUP BY day_on, outcome ORDER BY day_on, outcome
        """
    )
    notable = marts.rows(
        f"""
        SELECT dag_id, IF(outcome IN ('failed', 'missing', 'recovered'), outcome, 'slow') AS what, due_at,
            duration_seconds, usual_seconds, failed_tasks, COUNT(*) OVER () AS row_count
        FROM {runs} WHERE {recent} AND (outcome IN ('failed', 'missing', 'recovered') OR is_outlier)
        ORDER BY due_at DESC, dag_id LIMIT {MOST_ROWS}
        """
    )
    nodes = marts.rows(
        f"""
        SELECT name, kind, COUNT(*) AS start_count, COUNTIF(outcome = 'failed') AS failed_count,
            COUNTIF(outcome = 'warning') AS warning_count, AVG(duration_seconds) AS mean_seconds,
            MAX(duration_seconds) AS slowest_seconds, SUM(bytes_billed) AS bytes_billed
        FROM {marts.mart("ops_dbt_results")}
        WHERE DATE(started_at, {marts.zone}) >= {marts.day(first)} AND outcome != 'skipped'
        GROUP BY name, kind ORDER BY SUM(duration_seconds) DESC, name LIMIT {MOST_NODES}
        """
    )
    return Pipelines(
        today=marts.today,
        pipelines=tuple(_pipeline(row) for row in dags),
        days=tuple((row["day_on"], row["outcome"], row["run_count"]) for row in days),
        notable=tuple(
            Notable(**{name: value for name, value in row.items() if name != "row_count"}) for row in notable
        ),
        notable_count=notable[0]["row_count"] if notable else 0,
        nodes=tuple(Node(**dict(row)) for row in nodes),
    )


def _pipeline(row: Any) -> Pipeline:
    return Pipeline(
        dag_id=row["dag_id"],
        layer=row["layer"],
        counts={each: row[each] for each in OUTCOMES},
        mean_seconds=row["mean_seconds"],
        usual_seconds=row["usual_seconds"],
        slowest_seconds=row["slowest_seconds"],
        outlier_count=row["outlier_count"],
        last_good_at=row["last_good_at"],
    )


PAGE = Page("pipelines", "Pipeline health", read)
