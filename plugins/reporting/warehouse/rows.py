"""From a record of a source to a row of its raw table, as a load job takes it: JSON columns hold text."""

import json
from collections.abc import Iterator
from typing import Any

from reporting.entities import Entity
from reporting.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Page
from reporting.warehouse.tables import SOURCES

Row = dict[str, Any]


def rows_of(entity: Entity, manifest: Manifest, pages: Iterator[Page], settings: Settings) -> Iterator[Row]:
    """The rows of a stage table: one a record, and one with only key and reason a tombstone.

    A tombstone's `_extracted_at` is the start of the sweep, so that it reaches only rows last read before; only where
    the source says what it was merged into is it the time of that answer. A record without a key has no row; the
    manifest counts it.
    """
    source = SOURCES[entity.source]
    for page in pages:
        for record in page.records:
            if record.id is None:
                continue
            stamps = source.stamps(record, settings)
            if stamps.get("_deleted_reason") and not stamps.get("_deleted_at"):
                stamps["_deleted_at"] = page.requested_at.isoformat()
            yield {
                **source.row(entity, record, manifest, settings),
                **stamps,
                "_payload": json.dumps(record.payload),
                "_extracted_at": page.requested_at.isoformat(),
            }
        for tombstone in page.tombstones:
            known_at = manifest.started_at if tombstone.merged_into_id is None else page.requested_at
            yield {
                "id": tombstone.id,
                "_extracted_at": known_at.isoformat(),
                "_deleted_at": known_at.isoformat(),
                "_deleted_reason": tombstone.reason,
                "_merged_into_id": tombstone.merged_into_id,
            }
