"""Loads an earlier read again from the landing, without asking the source."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest.landing import Landing, LandingError, Manifest
from reporting.ingest.load import load
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings


@dataclass(frozen=True, slots=True)
class KeptRun:
    """The landing of a run. An interrupted run has no manifest."""

    run_id: str
    manifest: Manifest | None

    @property
    def row_count(self) -> int:
        """The number of records and tombstones that can be loaded; 0 for an interrupted run."""
        return self.manifest.record_count + self.manifest.tombstone_count if self.manifest else 0


def kept_runs(landing: Landing, entity: Entity) -> Iterator[KeptRun]:
    """The runs of `entity` in the landing, the latest first. Each costs one read of a manifest."""
    for run_id in reversed(landing.run_ids(entity.source, entity.name)):
        yield kept_run(landing, entity, run_id)


def kept_run(landing: Landing, entity: Entity, run_id: str) -> KeptRun:
    """The run `run_id`. It has no manifest if it was interrupted, or if there is no such run."""
    try:
        return KeptRun(run_id, landing.manifest(landing.folder(entity.source, entity.name, run_id)))
    except LandingError:
        return KeptRun(run_id, None)


def replay(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    landing: Landing,
    run: KeptRun,
    *,
    tombstone_share: float | None = None,
) -> Counts:
    """Load a run again and return what changed. Rows from the same or a later read stay as they are.

    A run without records is not loaded. Raises the errors of `load`.
    """
    if run.manifest is not None and not run.row_count:
        return Counts()
    folder = landing.folder(entity.source, entity.name, run.run_id)
    return load(client, settings, entity, landing, folder, tombstone_share=tombstone_share, is_replay=True)
