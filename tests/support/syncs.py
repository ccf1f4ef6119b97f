"""Extract, load and compare: what the tests of every source do with its entities and a warehouse."""

from typing import Any

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import states
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing, Manifest, Refresh
from reporting.ingest.load import load
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import Reader
from reporting.window import Window


class Syncs:
    """Reads entities into a landing and loads them into a warehouse.

    `share` is the part of a table that a full refresh may tombstone, None for what the code allows by itself. The manifest of
    the landing that was read last is `manifest`.
    """

    def __init__(self, client: bigquery.Client, settings: Settings, landing: Landing) -> None:
        self.client, self.settings, self.landing = client, settings, landing
        self.manifest: Manifest

    def extracted(
        self,
        entity: Entity,
        refresh: Refresh,
        reader: Reader,
        share: float | None = 1.0,
        window: Window | None = None,
    ) -> str:
        """Read what `reader` has of an entity, close it, and return the landing's folder."""
        try:
            folder = extract(
                self.client,
                self.settings,
                entity,
                refresh,
                reader,
                self.landing,
                tombstone_share=share,
                window=window,
            )
        finally:
            reader.close()
        self.manifest = self.landing.manifest(folder)
        return folder

    def loaded(self, entity: Entity, folder: str, share: float | None = 1.0) -> Counts:
        return load(self.client, self.settings, entity, self.landing, folder, tombstone_share=share)

    def synced(
        self,
        entity: Entity,
        refresh: Refresh,
        reader: Reader,
        share: float | None = 1.0,
        window: Window | None = None,
    ) -> Counts:
        return self.loaded(entity, self.extracted(entity, refresh, reader, share, window), share)

    def raw(self, entity: Entity, where: str = "TRUE") -> dict[str, Any]:
        """The rows of an entity's raw table by their key, in the order of its keys."""
        table = f"{self.settings.dataset('raw')}.{entity.table}"
        found = self.client.query_and_wait(f"SELECT * FROM {table} WHERE {where} ORDER BY id")
        return {row["id"]: row for row in found}

    def sync_log(self) -> list[dict[str, Any]]:
        """The lines of the sync log, the oldest first."""
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.sync_runs ORDER BY started_at"
        return [dict(row) for row in self.client.query_and_wait(sql)]

    def forget(self, *entities: Entity) -> None:
        """Forget what earlier tests loaded of these, and of every run."""
        raw, ops = self.settings.dataset("raw"), self.settings.dataset("ops")
        tables = [f"{raw}.{entity.table}" for entity in entities]
        for table in (*tables, f"{ops}.sync_runs", f"{ops}.schema_changes"):
            self.client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
        for entity in entities:
            states.forget(self.settings, entity)
