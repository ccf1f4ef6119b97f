"""Decides what dbt has to build: from the sync log and the record of earlier builds, never from an event.

A load that changed a raw table is pending until a build that includes it has succeeded. So after a failed build or a lost
event, the next build catches up.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.cloud import bigquery

from reporting.ingest.landing import Refresh
from reporting.settings import Settings
from reporting.transform.dbt import project_digest
from reporting.warehouse.client import with_parameters


@dataclass(frozen=True, slots=True)
class Plan:
    """What one build has to do. `sources` are dbt's names (`notion.daily_habits`); a full build includes everything.

    `run_ids` are the loads in the sync log whose changes this build is the first to include.
    """

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
        """The arguments of dbt's `--select` for one layer (`staging` or `marts`)."""
        if self.refresh == "full":
            return (f"tag:{layer}",)
        return tuple(f"source:{source}+,tag:{layer}" for source in self.sources)

    @property
    def excluded(self) -> tuple[str, ...]:
        """The arguments of dbt's `--exclude`: tests that only make sense after a build of everything."""
        return () if self.refresh == "full" else ("tag:full",)

    def to_json(self) -> dict[str, Any]:
        """The plan as values that JSON has, to hand it from one task to the next."""
        return {
            "build_id": self.build_id,
            "refresh": self.refresh,
            "started_at": self.started_at.isoformat(),
            "sources": list(self.sources),
            "run_ids": list(self.run_ids),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Plan":
        """The plan from the values that `to_json` returned."""
        return cls(
            values["build_id"],
            values["refresh"],
            datetime.fromisoformat(values["started_at"]),
            tuple(values["sources"]),
            tuple(values["run_ids"]),
        )


def plan(client: bigquery.Client, settings: Settings, refresh: Refresh) -> Plan:
    """Plan a build of everything, or of the models that depend on sources with pending loads.

    The first build, and the first after the dbt project changed, is always of everything: some models can only be built
    when others exist.
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
    at: datetime | None = next(iter(client.query_and_wait(sql)))["at"]
    return at


def last_starts(client: bigquery.Client, settings: Settings) -> tuple[datetime | None, datetime | None]:
    """When the last successful build of everything began, and the last one of any kind; None before the first time."""
    sql = f"""
        SELECT MAX(IF(refresh = 'full', started_at, NULL)) AS full_at, MAX(started_at) AS any_at
        FROM `{settings.dataset("ops")}.dbt_builds`
    """
    row = next(iter(client.query_and_wait(sql)))
    return row["full_at"], row["any_at"]


def last_build(client: bigquery.Client, settings: Settings) -> datetime | None:
    """When anything was last built; None before the first time."""
    sql = f"SELECT MAX(committed_at) AS at FROM `{settings.dataset('ops')}.dbt_builds`"
    at: datetime | None = next(iter(client.query_and_wait(sql)))["at"]
    return at


def record(client: bigquery.Client, settings: Settings, done: Plan) -> None:
    """Record that the build succeeded. Calling it again for the same plan changes nothing."""
    sql = f"""
        MERGE `{settings.dataset("ops")}.dbt_builds` T
        USING (SELECT @build_id AS build_id, CURRENT_TIMESTAMP() AS committed_at) S ON T.build_id = S.build_id
        WHEN NOT MATCHED THEN INSERT (build_id, refresh, started_at, committed_at, run_ids, project_digest)
        VALUES (S.build_id, @refresh, @started_at, S.committed_at, @run_ids, @project_digest)
    """
    config = with_parameters(
        build_id=done.build_id,
        refresh=done.refresh,
        started_at=done.started_at,
        run_ids=done.run_ids,
        project_digest=project_digest(),
    )
    client.query_and_wait(sql, job_config=config)


def _is_built(client: bigquery.Client, settings: Settings) -> bool:
    sql = f"""
        SELECT project_digest FROM `{settings.dataset("ops")}.dbt_builds`
        WHERE refresh = 'full' ORDER BY committed_at DESC LIMIT 1
    """
    return [row["project_digest"] for row in client.query_and_wait(sql)] == [project_digest()]


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
    return [(row["source"], row["run_id"]) for row in client.query_and_wait(sql)]
