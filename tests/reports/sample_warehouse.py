"""A warehouse whose marts and sync log hold what a test puts there, without dbt and without a source."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from sandbox.mart_tables import fill

# Half past five in Berlin.
NOW = datetime(2026, 6, 30, 3, 30, tzinfo=UTC)
TODAY = date(2026, 6, 30)
# A name as the report must not take it for anything else.
EVIL = "</script><script>alert('1')</script> & \"Ünal\" 🎉"


def run(entity: str, at: datetime, **values: Any) -> dict[str, Any]:
    """A row of the sync log; `entity` as in `notion.daily_habits`."""
    source, _, name = entity.partition(".")
    return {
        "run_id": f"{source}-{name}-{at:%Y%m%dT%H%M%S%f}",
        "source": source,
        "entity": name,
        "refresh": "changed",
        "started_at": at,
        "committed_at": at,
        "cursor_at": at,
        "rows_read": 1,
        "rows_inserted": 0,
        "rows_updated": 0,
        "rows_tombstoned": 0,
        "rows_rejected": 0,
        "is_complete": True,
    } | values


def month_of_runs(now: datetime = NOW, days: int = 40) -> Iterator[dict[str, Any]]:
    """A run a day of every entity; the calls have been away for five days, and deals missed two."""
    for number, entity in enumerate(ENTITIES):
        name = f"{entity.source}.{entity.name}"
        for back in range(days):
            if (name == "hubspot.calls" and back < 5) or (name == "hubspot.deals" and back in (7, 8)):
                continue
            at = datetime.combine(now.date() - timedelta(days=back), time(1, number), UTC)
            changes = (back * 7 + number * 3) % 40
            is_full_refresh = back % 6 == 0
            yield run(
                name,
                at,
                refresh="full" if is_full_refresh else "changed",
                rows_read=changes + 5,
                rows_inserted=changes // 3,
                rows_updated=changes,
            )


def note(client: bigquery.Client, settings: Settings, table: str, *rows: dict[str, Any]) -> None:
    """Append to a table of the project's own records."""
    fill(client, settings.dataset("ops"), table, rows)


def built(at: datetime, refresh: str = "full", *run_ids: str) -> dict[str, Any]:
    """A row of the record of builds."""
    return {
        "build_id": f"dbt-{refresh}-{at:%Y%m%dT%H%M%S}",
        "refresh": refresh,
        "started_at": at,
        "committed_at": at,
        "run_ids": list(run_ids),
    }
