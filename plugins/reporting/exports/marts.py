"""Every mart that is exported. A test compares this with dbt's models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


class ExportError(Exception):
    """Something cannot be exported; the message says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Time:
    """The column that a window is asked of: one that does not move, so that windows side by side share no row."""

    column: str
    type: Literal["DATE", "TIMESTAMP"]


@dataclass(frozen=True, slots=True)
class Mart:
    """A mart, the key that its rows are ordered by, and its time; None where a row is a state and has none.

    A table of another `dataset` is read in the same way.
    `is_mailed` says whether letters with every mart have it: what the project notes of itself grows whatever the owner does.
    """

    name: str
    key: tuple[str, ...]
    time: Time | None = None
    dataset: str = "marts"
    is_mailed: bool = True


MARTS = (
    Mart("habits", ("habit_id", "period", "date"), Time("date", "DATE")),
    Mart("habit_metrics", ("habit_id", "month_on"), Time("month_on", "DATE")),
    Mart("contacts", ("contact_id",), Time("created_at", "TIMESTAMP")),
    Mart("companies", ("company_id",), Time("created_at", "TIMESTAMP")),
    Mart("deals", ("deal_id",), Time("created_at", "TIMESTAMP")),
    Mart("engagements", ("engagement_id",), Time("occurred_at", "TIMESTAMP")),
    Mart("cash_flow", ("month_on", "category"), Time("month_on", "DATE")),
    Mart("people", ("person_id",)),
    Mart("people_matches", ("record_id", "other_record_id", "evidence", "value")),
    Mart("relationships", ("person_id",)),
    Mart("ops_sync_health", ("source", "entity")),
    Mart("ops_runs", ("dag_id", "run_id"), Time("due_at", "TIMESTAMP"), is_mailed=False),
    Mart(
        "ops_dbt_results",
        ("invocation_id", "node_id"),
        Time("started_at", "TIMESTAMP"),
        is_mailed=False,
    ),
    Mart(
        "ops_table_profiles",
        ("table_name", "column_name", "profiled_at"),
        Time("profiled_at", "TIMESTAMP"),
        is_mailed=False,
    ),
)


def marts_named(names: Iterable[str]) -> tuple[Mart, ...]:
    """The marts of these names, all of them without a name. Raises `ExportError` for one that is none."""
    wanted = set(names)
    known = {mart.name for mart in MARTS}
    if unknown := sorted(wanted - known):
        raise ExportError(f"'{unknown[0]}' is no mart; the marts are {', '.join(sorted(known))}.")
    return tuple(mart for mart in MARTS if mart.name in wanted or not wanted)
