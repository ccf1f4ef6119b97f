"""Tells when each entity was last read completely, and whether that is recent enough. All Python code uses this module for it.

dbt has the same rules in dbt/macros/freshness.sql and in the variables of dbt/dbt_project.yml; a test compares them.
"""

from datetime import datetime, timedelta
from typing import Literal

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.settings import Settings

Status = Literal["fresh", "late", "stale", "never read"]

# A SQL condition on rows of ops.sync_runs. Runs over a window of the past set no cursor, and replays do not ask the source, so
# neither counts.
COMPLETE_RUN = "is_complete AND cursor_at IS NOT NULL AND refresh != 'replay'"
LATE_AFTER = timedelta(days=1)
# An entity without incremental refreshes may be read only once a day.
LATE_AFTER_FULL = 2 * LATE_AFTER
STALE_AFTER = timedelta(days=3)


def last_reads(client: bigquery.Client, settings: Settings) -> dict[str, datetime]:
    """The time of each entity's last complete run, by dbt's name (`notion.daily_habits`), without entities that had none."""
    sql = f"""
        SELECT CONCAT(source, '.', entity) AS name, MAX(committed_at) AS read_at
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE {COMPLETE_RUN} GROUP BY name ORDER BY name
    """
    return {row["name"]: row["read_at"] for row in client.query_and_wait(sql)}


def status(entity: Entity, age: timedelta | None) -> Status:
    """The status for the age of an entity's last complete run; `age` is None if there was none."""
    if age is None:
        return "never read"
    if age > STALE_AFTER:
        return "stale"
    return "late" if age > (LATE_AFTER if entity.has_changed else LATE_AFTER_FULL) else "fresh"
