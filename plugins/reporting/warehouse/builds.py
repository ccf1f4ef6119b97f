"""What the marts have taken in: decided from the ledger and the record of builds, and never from an event.

A run that changed a raw table is pending until a build that took it in has succeeded. So a failed build, or an
event that was lost, leaves nothing stale for longer than to the next build.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud import bigquery

from reporting.dbt import project_digest
from reporting.landing import Refresh
from reporting.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What one build is to do. `sources` are dbt's names (`notion.daily_habits`); a full build takes all."""

    build_id: str
    refresh: Refresh
    started_at: datetime
    sources: tuple[str, ...]
    run_ids: tuple[str, ...]

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to build."""
        return self.refresh == "full" or bool(self.run_ids)

    def selection(self, layer: str) -> tuple[str, ...]:
        """What dbt's `--select` takes for one layer (`staging` or `marts`)."""
        if self.refresh == "full":
            return (f"tag:{layer}",)
        return tuple(f"source:{source}+,tag:{layer}" for source in self.sources)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return {
            "build_id": self.build_id,
            "refresh": self.refresh,
            "started_at": self.started_at.isoformat(),
            "sources": list(self.sources),
            "run_ids": list(self.run_ids),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Plan":
        """The plan that `to_json` gave."""
        return cls(
            values["build_id"],
            values["refresh"],
            datetime.fromisoformat(values["started_at"]),
            tuple(values["sources"]),
            tuple(values["run_ids"]),
        )


def plan(client: bigquery.Client, settings: Settings, refresh: Refresh) -> Plan:
    """Plan a build of everything, or of what pending runs feed.

    The first build ever, and the first of another dbt project, is of everything: part of the models cannot be built
    while the others are not there.
    """
    started_at = datetime.now(UTC)
    pending = _pending(client, settings)
    if refresh == "changed" and pending and not _is_built(client, settings):
        refresh = "full"
    return Plan(
        build_id=f"dbt-{refresh}-{started_at:%Y%m%dT%H%M%S%f}",
        refresh=refresh,
        started_at=started_at,
        sources=tuple(sorted({source for source, _ in pending})),
        run_ids=tuple(run_id for _, run_id in pending),
    )


def last_full_build(client: bigquery.Client, settings: Settings) -> datetime | None:
    """When everything was last built; None before the first time."""
    sql = f"SELECT MAX(committed_at) AS at FROM `{settings.dataset('ops')}.dbt_builds` WHERE refresh = 'full'"
    at: datetime | None = next(iter(client.query(sql).result()))["at"]
    return at


def last_starts(client: bigquery.Client, settings: Settings) -> tuple[datetime | None, datetime | None]:
    """When the last successful build of everything began, and the last one of any kind; None before the first time."""
    sql = f"""
        SELECT MAX(IF(refresh = 'full', started_at, NULL)) AS full_at, MAX(started_at) AS any_at
        FROM `{settings.dataset("ops")}.dbt_builds`
    """
    row = next(iter(client.query(sql).result()))
    return row["full_at"], row["any_at"]


def last_build(client: bigquery.Client, settings: Settings) -> datetime | None:
    """When anything was last built; None before the first time."""
    sql = f"SELECT MAX(committed_at) AS at FROM `{settings.dataset('ops')}.dbt_builds`"
    at: datetime | None = next(iter(client.query(sql).result()))["at"]
    return at


def record(client: bigquery.Client, settings: Settings, done: Plan) -> None:
    """Note that the build succeeded, once however often it is called for the same plan."""
    sql = f"""
        MERGE `{settings.dataset("ops")}.dbt_builds` T
        USING (SELECT @build_id AS build_id, CURRENT_TIMESTAMP() AS committed_at) S ON T.build_id = S.build_id
        WHEN NOT MATCHED THEN INSERT (build_id, refresh, started_at, committed_at, run_ids, project_digest)
        VALUES (S.build_id, @refresh, @started_at, S.committed_at, @run_ids, @project_digest)
    """
    parameters = [
        bigquery.ScalarQueryParameter("build_id", "STRING", done.build_id),
        bigquery.ScalarQueryParameter("refresh", "STRING", done.refresh),
        bigquery.ScalarQueryParameter("started_at", "TIMESTAMP", done.started_at),
        bigquery.ArrayQueryParameter("run_ids", "STRING", list(done.run_ids)),
        bigquery.ScalarQueryParameter("project_digest", "STRING", project_digest()),
    ]
    client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()


def _is_built(client: bigquery.Client, settings: Settings) -> bool:
    sql = f"""
        SELECT project_digest FROM `{settings.dataset("ops")}.dbt_builds`
        WHERE refresh = 'full' ORDER BY committed_at DESC LIMIT 1
    """
    return [row["project_digest"] for row in client.query(sql).result()] == [project_digest()]


def _pending(client: bigquery.Client, settings: Settings) -> list[tuple[str, str]]:
    ops = settings.dataset("ops")
    sql = f"""
        SELECT CONCAT(runs.source, '.', runs.entity) AS source, runs.run_id
        FROM `{ops}.sync_runs` runs
        LEFT JOIN (SELECT DISTINCT run_id FROM `{ops}.dbt_builds`, UNNEST(run_ids) AS run_id) built
            ON built.run_id = runs.run_id
        WHERE built.run_id IS NULL AND runs.rows_inserted + runs.rows_updated + runs.rows_tombstoned > 0
        ORDER BY runs.committed_at, runs.run_id
    """
    return [(row["source"], row["run_id"]) for row in client.query(sql).result()]
