"""The ledger, `ops.sync_runs`: what was loaded, and from where the next read may begin."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.warehouse.client import run_job

# BigQuery keeps a job for six months, the local one until its history is cleared.
JOBS_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one load did, in rows. After a sweep: how many records live in the source, and how many rows in the table."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    tombstoned: int = 0
    in_source: int | None = field(default=None, compare=False)
    in_warehouse: int | None = field(default=None, compare=False)

    @property
    def has_changes(self) -> bool:
        """Whether anything downstream can have become stale."""
        return bool(self.inserted or self.updated or self.tombstoned)


def sources_read(client: bigquery.Client, settings: Settings) -> list[str]:
    """Every source with a complete run, under dbt's name (`notion.daily_habits`)."""
    sql = f"""
        SELECT DISTINCT CONCAT(source, '.', entity) AS name FROM `{settings.dataset("ops")}.sync_runs`
        WHERE is_complete ORDER BY name
    """
    return [row["name"] for row in client.query(sql).result()]


def last_reads(client: bigquery.Client, settings: Settings) -> dict[str, datetime]:
    """When each entity last had a complete run that was no replay, by the name of its raw table."""
    sql = f"""
        SELECT CONCAT(source, '__', entity) AS name, MAX(committed_at) AS read_at
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE is_complete AND cursor_at IS NOT NULL AND refresh != 'replay' GROUP BY name
    """
    return {row["name"]: row["read_at"] for row in client.query(sql).result()}


def activity(client: bigquery.Client, settings: Settings, since: datetime) -> tuple[dict[str, datetime], int]:
    """When each source last had a complete run, and how many rows changed by runs committed from `since` on."""
    sql = f"""
        SELECT
            source,
            MAX(IF(is_complete, committed_at, NULL)) AS read_at,
            SUM(IF(committed_at >= @since, rows_inserted + rows_updated + rows_tombstoned, 0)) AS changed_count
        FROM `{settings.dataset("ops")}.sync_runs` GROUP BY source ORDER BY source
    """
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("since", "TIMESTAMP", since)]
    )
    rows = list(client.query(sql, job_config=config).result())
    return {row["source"]: row["read_at"] for row in rows if row["read_at"]}, sum(
        row["changed_count"] or 0 for row in rows
    )


def counts_of(client: bigquery.Client, settings: Settings, run_id: str) -> Counts | None:
    """What a run did, by its row; None where it has none."""
    sql = f"""
        SELECT rows_read, rows_inserted, rows_updated, rows_tombstoned, rows_in_source, rows_in_warehouse
        FROM `{settings.dataset("ops")}.sync_runs` WHERE run_id = @run_id
    """
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("run_id", "STRING", run_id)]
    )
    row = next(iter(client.query(sql, job_config=config).result()), None)
    return None if row is None else Counts(*row.values())


def append(
    client: bigquery.Client, settings: Settings, manifest: Manifest, counts: Counts, landing_uri: str
) -> None:
    """Write the run's row, once however often it is called for the same run.

    A run of the last day is told apart by its job's id, since a MERGE is billed for the table that it looks into,
    every hour for every entity. Of an older one, loaded again, the server may have forgotten the job.
    """
    values: dict[str, tuple[str, str | int | bool | datetime | None]] = {
        "run_id": ("STRING", manifest.run_id),
        "source": ("STRING", manifest.source),
        "entity": ("STRING", manifest.entity),
        "refresh": ("STRING", manifest.refresh),
        "started_at": ("TIMESTAMP", manifest.started_at),
        "extracted_at": ("TIMESTAMP", manifest.extracted_at),
        "window_since": ("TIMESTAMP", manifest.window_since),
        "window_until": ("TIMESTAMP", manifest.window_until or manifest.cursor_at),
        "cursor_at": ("TIMESTAMP", manifest.cursor_at),
        "rows_read": ("INT64", counts.read),
        "rows_inserted": ("INT64", counts.inserted),
        "rows_updated": ("INT64", counts.updated),
        "rows_tombstoned": ("INT64", counts.tombstoned),
        "rows_rejected": ("INT64", manifest.rejected_count),
        "rows_in_source": ("INT64", counts.in_source),
        "rows_in_warehouse": ("INT64", counts.in_warehouse),
        "content_digest": ("STRING", manifest.content_digest),
        "sync_token": ("STRING", manifest.sync_token),
        "schema_digest": ("STRING", manifest.schema_digest),
        "request_count": ("INT64", manifest.request_count),
        "caps_met": ("INT64", manifest.caps_met),
        "is_complete": ("BOOL", manifest.is_complete),
        "landing_uri": ("STRING", landing_uri),
    }
    selected = ", ".join(f"@{name} AS {name}" for name in values)
    seconds = "TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), @started_at, MILLISECOND) / 1000"
    row = f"SELECT {selected}, CURRENT_TIMESTAMP() AS committed_at, {seconds} AS duration_seconds"
    names = f"{', '.join(values)}, committed_at, duration_seconds"
    table = f"`{settings.dataset('ops')}.sync_runs`"
    parameters = [bigquery.ScalarQueryParameter(name, kind, value) for name, (kind, value) in values.items()]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    if datetime.now(UTC) - manifest.started_at > JOBS_REMEMBERED:
        sql = f"""
            MERGE {table} T USING ({row}) S ON T.run_id = S.run_id
            WHEN NOT MATCHED THEN INSERT ({names})
            VALUES ({", ".join(f"S.{name}" for name in values)}, S.committed_at, S.duration_seconds)
        """
        client.query(sql, job_config=config).result()
        return
    sql = f"INSERT INTO {table} ({names}) {row}"
    run_job(
        client,
        f"{manifest.run_id}-ledger",
        lambda job_id: client.query(sql, job_id=job_id, job_config=config, job_retry=None),
        once=True,
    )
