"""The ledger, `ops.sync_runs`: what was loaded, and from where the next read may begin."""

from dataclasses import dataclass
from datetime import datetime

from google.cloud import bigquery

from reporting.entities import Entity
from reporting.landing import Manifest
from reporting.settings import Settings


@dataclass(frozen=True, slots=True)
class Counts:
    """What one load did, in rows."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    tombstoned: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether anything downstream can have become stale."""
        return bool(self.inserted or self.updated or self.tombstoned)


def cursor(client: bigquery.Client, settings: Settings, entity: Entity) -> datetime | None:
    """Where a `changed` read begins; None while no complete run is committed."""
    sql = f"""
        SELECT MAX(cursor_at) AS cursor_at FROM `{settings.dataset("ops")}.sync_runs`
        WHERE source = @source AND entity = @entity AND is_complete
    """
    config = bigquery.QueryJobConfig(query_parameters=_key_of(entity))
    rows = list(client.query(sql, job_config=config).result())
    value: datetime | None = rows[0]["cursor_at"]
    return value


@dataclass(frozen=True, slots=True)
class Sweep:
    """A complete `full` run."""

    started_at: datetime
    rows_read: int


def last_sweep(client: bigquery.Client, settings: Settings, entity: Entity) -> Sweep | None:
    """The latest complete sweep of `entity`."""
    sql = f"""
        SELECT started_at, rows_read FROM `{settings.dataset("ops")}.sync_runs`
        WHERE source = @source AND entity = @entity AND refresh = 'full' AND is_complete
        ORDER BY started_at DESC LIMIT 1
    """
    config = bigquery.QueryJobConfig(query_parameters=_key_of(entity))
    for row in client.query(sql, job_config=config).result():
        return Sweep(row["started_at"], row["rows_read"])
    return None


def sources_read(client: bigquery.Client, settings: Settings) -> list[str]:
    """Every source with a complete run, under dbt's name (`notion.daily_habits`)."""
    sql = f"""
        SELECT DISTINCT CONCAT(source, '.', entity) AS name FROM `{settings.dataset("ops")}.sync_runs`
        WHERE is_complete ORDER BY name
    """
    return [row["name"] for row in client.query(sql).result()]


def append(
    client: bigquery.Client, settings: Settings, manifest: Manifest, counts: Counts, landing_uri: str
) -> None:
    """Write the run's row, once however often it is called for the same run."""
    values: dict[str, tuple[str, str | int | bool | datetime | None]] = {
        "run_id": ("STRING", manifest.run_id),
        "source": ("STRING", manifest.source),
        "entity": ("STRING", manifest.entity),
        "refresh": ("STRING", manifest.refresh),
        "started_at": ("TIMESTAMP", manifest.started_at),
        "extracted_at": ("TIMESTAMP", manifest.extracted_at),
        "window_since": ("TIMESTAMP", manifest.window_since),
        "window_until": ("TIMESTAMP", manifest.cursor_at),
        "cursor_at": ("TIMESTAMP", manifest.cursor_at),
        "rows_read": ("INT64", counts.read),
        "rows_inserted": ("INT64", counts.inserted),
        "rows_updated": ("INT64", counts.updated),
        "rows_tombstoned": ("INT64", counts.tombstoned),
        "request_count": ("INT64", manifest.request_count),
        "is_complete": ("BOOL", manifest.is_complete),
        "landing_uri": ("STRING", landing_uri),
    }
    selected = ", ".join(f"@{name} AS {name}" for name in values)
    seconds = "TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), @started_at, MILLISECOND) / 1000"
    sql = f"""
        MERGE `{settings.dataset("ops")}.sync_runs` T
        USING (SELECT {selected}, CURRENT_TIMESTAMP() AS committed_at, {seconds} AS duration_seconds) S
        ON T.run_id = S.run_id
        WHEN NOT MATCHED THEN INSERT ({", ".join(values)}, committed_at, duration_seconds)
        VALUES ({", ".join(f"S.{name}" for name in values)}, S.committed_at, S.duration_seconds)
    """
    parameters = [bigquery.ScalarQueryParameter(name, kind, value) for name, (kind, value) in values.items()]
    client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()


def _key_of(entity: Entity) -> list[bigquery.ScalarQueryParameter]:
    return [
        bigquery.ScalarQueryParameter("source", "STRING", entity.source),
        bigquery.ScalarQueryParameter("entity", "STRING", entity.name),
    ]
