"""Loads from the landing what was read before, without asking the source."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.cloud import bigquery

from reporting.entities import Entity
from reporting.landing import Landing, LandingError, Manifest
from reporting.settings import Settings
from reporting.warehouse.ledger import Counts
from reporting.warehouse.load import load


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run's landing; one that was cut off has no manifest."""

    run_id: str
    manifest: Manifest | None

    @property
    def row_count(self) -> int:
        """Records and tombstones that can be loaded; 0 for one that was cut off."""
        return self.manifest.record_count + self.manifest.tombstone_count if self.manifest else 0


def kept_runs(landing: Landing, entity: Entity) -> Iterator[KeptRun]:
    """What the landing holds of `entity`, the latest first. Each costs one read."""
    for run_id in reversed(landing.run_ids(entity.source, entity.name)):
        yield kept_run(landing, entity, run_id)


def kept_run(landing: Landing, entity: Entity, run_id: str) -> KeptRun:
    """One of them; without a manifest when there is none of that name, too."""
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
    """Load a run again and return what changed; rows that were read as late or later stay as they are.

    A run that read nothing is not loaded. Raises what `load` raises.
    """
    if run.manifest is not None and not run.row_count:
        return Counts()
    folder = landing.folder(entity.source, entity.name, run.run_id)
    return load(client, settings, entity, landing, folder, tombstone_share=tombstone_share, is_replay=True)
