"""The page of data quality: the latest profile of each raw table, and what changed since the profile before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup

from reporting.reports import formats
from reporting.reports.marts import Marts
from reporting.reports.page import MOST_ROWS, Page, ShortList, Tile

DAYS = 90
FINDING_DAYS = 30
SHORT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column in the latest profile of its table. Shares are between 0 and 1; None if the table has no rows.

    `minimum` and `maximum` are values of numbers, dates, times and booleans, but lengths of texts and lists.
    """

    table_name: str
    column_name: str
    kind: str
    null_share: float | None
    null_share_before: float | None
    distinct_count: int | None
    minimum: str | None
    maximum: str | None
    finding: str | None

    @property
    def state(self) -> str:
        """How far it is filled, for the filter."""
        if self.null_share is None:
            return "no rows"
        return "empty" if self.null_share == 1 else "in part" if self.null_share else "filled"

    @property
    def range(self) -> str:
        """The minimum and the maximum as text."""
        if self.minimum is None:
            return formats.NOTHING
        both = self.minimum if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"
        return f"length {both}" if self.kind in ("text", "list") else both


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The latest profile of a raw table, and the number of its rows in each profile of the last `DAYS` days."""

    name: str
    profiled_at: datetime
    row_count: int
    row_count_before: int | None
    deleted_count: int
    column_count: int
    empty_count: int
    rows: tuple[tuple[date, int], ...]

    @property
    def more(self) -> int | None:
        """How many rows more than in the profile before; negative if there are fewer."""
        return None if self.row_count_before is None else self.row_count - self.row_count_before

    @property
    def trend(self) -> tuple[float | None, ...]:
        """The number of rows in each profile, for a small chart."""
        return tuple(float(rows) for _, rows in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A difference between a profile and the one before. `column_name` is None if it concerns the whole table."""

    table_name: str
    column_name: str | None
    finding: str
    profiled_at: datetime

    @property
    def name(self) -> str:
        """The table, or its column."""
        return f"{self.table_name}.{self.column_name}" if self.column_name else self.table_name


@dataclass(frozen=True, slots=True)
class Quality:
    """The tables ordered by name, their columns ordered by name, and the findings of the last `FINDING_DAYS` days."""

    tables: tuple[Table, ...]
    columns: tuple[Column, ...]
    findings: tuple[Finding, ...]

    def names(self) -> list[str]:
        """The tables, for the filter."""
        return [each.name for each in self.tables]

    def tiles(self) -> Sequence[Tile]:
        """The number of rows, the share of values that are filled, and the number of findings."""
        if not self.tables:
            return (Tile("Raw tables", "none yet", "No table was profiled yet."),)
        rows = sum(each.row_count for each in self.tables)
        empty = [each for each in self.columns if each.state == "empty"]
        return (
            Tile(
                "Rows",
                formats.compact(rows),
                f"not deleted, in {formats.count(len(self.tables), 'raw table')}",
            ),
            Tile(
                "Empty columns",
                formats.number(len(empty)),
                f"of {formats.count(len(self.columns), 'column')}",
            ),
            Tile(
                f"Findings in {FINDING_DAYS} days",
                formats.number(len(self.findings)),
                "fewer rows, or more empty values" if self.findings else "No table lost rows or values.",
                "warning" if self.findings else "good",
            ),
        )

    def lists(self) -> Sequence[ShortList]:
        """The latest findings."""
        lines = tuple(
            (each.name, Markup("{}, {}").format(each.finding, formats.ago(each.profiled_at)))
            for each in self.findings[:SHORT]
        )
        empty = f"None in {FINDING_DAYS} days." if self.tables else "No table was profiled yet."
        return (ShortList("Findings", lines, empty),)

    def payload(self) -> dict[str, Any]:
        """The rows of each table by day."""
        return {
            "tables": [
                {"name": each.name, "rows": [[day.isoformat(), rows] for day, rows in each.rows]}
                for each in self.tables
            ]
        }


def read(marts: Marts) -> Quality:
    """Query the mart of profiles."""
    profiles, day = marts.mart("ops_table_profiles"), f"DATE(profiled_at, {marts.zone})"
    latest = marts.rows(
        f"""
        SELECT table_name, column_name, profiled_at, kind, row_count, row_count_before, deleted_count, null_share,
            null_share_before, distinct_count, minimum, maximum, finding
        FROM {profiles} WHERE is_latest ORDER BY table_name, column_name
        """
    )
    days = marts.rows(
        f"""
        SELECT table_name, {day} AS day_on, MAX(row_count) AS row_count
        FROM {profiles} WHERE {day} > {marts.day(marts.today - timedelta(days=DAYS))}
        GROUP BY table_name, day_on ORDER BY table_name, day_on
        """
    )
    # "fewer rows" concerns the table, but the mart repeats it at each of its columns.
    findings = marts.rows(
        f"""
        SELECT DISTINCT table_name, IF(finding = 'fewer rows', NULL, column_name) AS column_name, finding, profiled_at
        FROM {profiles}
        WHERE finding IS NOT NULL AND {day} > {marts.day(marts.today - timedelta(days=FINDING_DAYS))}
        ORDER BY profiled_at DESC, table_name, column_name LIMIT {MOST_ROWS}
        """
    )
    columns = tuple(Column(**{name: row[name] for name in Column.__dataclass_fields__}) for row in latest)
    by_day: dict[str, list[tuple[date, int]]] = {}
    for row in days:
        by_day.setdefault(row["table_name"], []).append((row["day_on"], row["row_count"]))
    first = {row["table_name"]: row for row in reversed(latest)}
    return Quality(
        tables=tuple(_table(first[name], columns, by_day.get(name, ())) for name in sorted(first)),
        columns=columns,
        findings=tuple(Finding(**dict(row)) for row in findings),
    )


def _table(row: Any, columns: Sequence[Column], rows: Sequence[tuple[date, int]]) -> Table:
    own = [each for each in columns if each.table_name == row["table_name"]]
    return Table(
        name=row["table_name"],
        profiled_at=row["profiled_at"],
        row_count=row["row_count"],
        row_count_before=row["row_count_before"],
        deleted_count=row["deleted_count"],
        column_count=len(own),
        empty_count=sum(1 for each in own if each.state == "empty"),
        rows=tuple(rows),
    )


PAGE = Page("quality", "Data quality", read)
