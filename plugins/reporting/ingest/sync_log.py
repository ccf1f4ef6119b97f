"""The sync log, the table `ops.sync_runs`: what was loaded, and the cursor from which the next read begins."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from reporting.ingest.landing import Manifest
from reporting.settings import Settings
from reporting.warehouse.client import run_job, with_parameters

# BigQuery remembers a job for six months, but the local BigQuery only until its history is cleared.
JOBS_REMEMBERED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """The result of one load in rows. After a full refresh it also has the number of records in the source and of rows in the
    table, both without deleted ones."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    tombstoned: int = 0
    in_source: int | None = field(default=None, compare=False)
    in_warehouse: int | None = field(default=None, compare=False)

    @property
    def has_changes(self) -> bool:
        """Whether the load changed the table, so that models which depend on it must be built."""
        return bool(self.inserted or self.updated or self.tombstoned)


def changed_count(client: bigquery.Client, settings: Settings, since: datetime) -> int:
    """The number of rows changed by runs that were committed at or after `since`."""
    sql = f"""
        SELECT SUM(rows_inserted + rows_updated + rows_tombstoned) AS changed_count
        FROM `{settings.dataset("ops")}.sync_runs` WHERE committed_at >= @since
    """
    config = with_parameters(since=since)
    return next(iter(client.query_and_wait(sql, job_config=config)))["changed_count"] or 0


def counts_of(client: bigquery.Client, settings: Settings, run_id: str) -> Counts | None:
    """The result of a run from its row in the sync log; None if it has no row."""
    sql = f"""
        SELECT rows_read, rows_inserted, rows_updated, rows_tombstoned, rows_in_source, rows_in_warehouse
        FROM `{settings.dataset("ops")}.sync_runs` WHERE run_id = @run_id
    """
    config = with_parameters(run_id=run_id)
    row = next(iter(client.query_and_wait(sql, job_config=config)), None)
    return None if row is None else Counts(*row.values())


def append(
    client: bigquery.Client, settings: Settings, manifest: Manifest, counts: Counts, landing_uri: str
) -> None:
    """Write the row of a run. Repeating it for the same run changes nothing.

    A run of the last day is told apart by its job's id, since a MERGE is billed for the table that it looks into,
    every hour for every entity. Of an older one, loaded again, the server may have forgotten the job, and a restore may have
    taken the row of one that it remembers.
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
    if datetime.now(UTC) - manifest.started_at <= JOBS_REMEMBERED:
        sql = f"INSERT INTO {table} ({names}) {row}"
        begun: list[str] = []

        def start(job_id: str) -> bigquery.QueryJob:
            job = client.query(sql, job_id=job_id, job_config=config, job_retry=None)
            begun.append(job_id)
            return job

        run_job(client, f"{manifest.run_id}-ledger", start, once=True)
        # The job of an earlier attempt wrote the row, unless a restore took it back since.
        if begun or counts_of(client, settings, manifest.run_id) is not None:
            return
    sql = f"""
        MERGE {table} T USING ({row}) S ON T.run_id = S.run_id
        WHEN NOT MATCHED THEN INSERT ({names})
        VALUES ({", ".join(f"S.{name}" for name in values)}, S.committed_at, S.duration_seconds)
    """
    client.query_and_wait(sql, job_config=config)
