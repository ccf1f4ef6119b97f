"""The list of marts that are exported. A test compares it with dbt's models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reporting.naming import nearest


class ExportError(Exception):
    """Something cannot be exported. The message says what, and what to do next."""


@dataclass(frozen=True, slots=True)
class Time:
    """The column by which a window selects rows. Its values do not change, so adjacent windows never share a row."""

    column: str
    type: Literal["DATE", "TIMESTAMP"]


@dataclass(frozen=True, slots=True)
class Mart:
    """A mart, the key by which its rows are ordered, and its time (None if its rows show the state of now).

    `dataset` is `marts` unless a table of another dataset is exported in the same way.
    `is_mailed` says whether the e-mail with the marts includes it. The project's records about itself are left out, because
    they grow even if the owner's data does not.
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
    Mart("deal_stage_history", ("deal_id", "stay_number"), Time("entered_at", "TIMESTAMP")),
    Mart("contact_stage_history", ("contact_id", "stay_number"), Time("entered_at", "TIMESTAMP")),
    Mart("engagements", ("engagement_id",), Time("occurred_at", "TIMESTAMP")),
    Mart("cash_flow", ("month_on", "category"), Time("month_on", "DATE")),
    Mart("worked_hours", ("week_on", "project"), Time("week_on", "DATE")),
    Mart("calendar_days", ("calendar_id", "date"), Time("date", "DATE")),
    Mart("busy_days", ("date",), Time("date", "DATE")),
    Mart("meetings", ("meeting_id",), Time("start_at", "TIMESTAMP")),
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
    """The marts with these names, or all of them if there are none. Raises `ExportError` for an unknown name."""
    wanted = set(names)
    known = {mart.name for mart in MARTS}
    if unknown := sorted(wanted - known):
        hint = nearest(unknown[0], known) or f" Use one of {', '.join(sorted(known))}."
        raise ExportError(f"'{unknown[0]}' is not a mart.{hint}")
    return tuple(mart for mart in MARTS if mart.name in wanted or not wanted)
