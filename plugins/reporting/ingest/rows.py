"""Converts records of a source to rows of its raw table for a load job. JSON columns hold text."""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.ingest.fitting import Fitting, repaired_record
from reporting.ingest.landing import Manifest
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Rows, SourceError
from reporting.sources.registry import SOURCES
from reporting.warehouse.tables import raw_table

logger = logging.getLogger(__name__)

Row = dict[str, Any]


# A load job accepts rows of up to 100 MB: https://cloud.google.com/bigquery/quotas#load_jobs. This leaves some room.
LARGEST_ROW = 95_000_000
# Lists within lists go no deeper in a JSON column: https://cloud.google.com/bigquery/docs/json-data#limitations
DEEPEST = 500
# How many records may be set aside before the fault is ours, or the source's as a whole.
MOST_SET_ASIDE = 10
SHARE_SET_ASIDE = 0.1


class SetAsideError(Exception):
    """Too many records of a read cannot be converted to rows."""


class Notes:
    """Problems with the records of one read: values that became null, by column, and records that were set aside, by key."""

    def __init__(self) -> None:
        self.misfits: Counter[str] = Counter()
        self.set_aside: dict[str, str] = {}
        self.row_count = 0

    def tell(self, entity: Entity) -> None:
        """Log the problems with names of columns and keys, but without values. Raises `SetAsideError`."""
        for name, count in sorted(self.misfits.items()):
            logger.warning(
                "%s: %d values do not fit the column %s, and were loaded as null. The column _payload has them as they came.",
                entity.table,
                count,
                name,
            )
        for key, why in list(self.set_aside.items())[:MOST_SET_ASIDE]:
            logger.error(
                "%s: the record %s was set aside (%s). Its row stays as it was loaded last, the landing keeps the record, and all "
                "other records are loaded.",
                entity.table,
                key,
                why,
            )
        count = len(self.set_aside)
        if count > MOST_SET_ASIDE and count > SHARE_SET_ASIDE * (count + self.row_count):
            raise SetAsideError(
                f"{count} of {count + self.row_count} records of {entity.table} cannot be converted to rows, so nothing was "
                "loaded. The log names the first ones. Report it with the names of the errors, or install the version before."
            )


def rows_of(
    entity: Entity,
    manifest: Manifest,
    pages: Iterator[Page],
    settings: Settings,
    notes: Notes | None = None,
) -> Iterator[Row]:
    """The rows of a stage table: one per record, and one per tombstone, with only a key and a reason.

    The `_extracted_at` of a tombstone is the start of the full refresh, so that it only affects rows that were last read before
    it. If the source answered about the record itself, it is the time of that answer. A record without a key gets no row; the
    manifest counts it. A record that cannot be converted is left out, and `notes` has its key.
    """
    notes = notes or Notes()
    source = SOURCES[entity.source].rows
    fitting = Fitting(raw_table(entity, sa.MetaData()).columns)
    notes.misfits = fitting.misfits
    for page in pages:
        for record in page.records:
            if record.id is None:
                continue
            try:
                whole, payload = repaired_record(record)
                row = fitting.fit(
                    _row(source, entity, whole, manifest, page, settings) | {"_payload": payload}
                )
            except SourceError:
                raise
            except Exception as error:  # noqa: BLE001 (an error in one record must not stop the others)
                notes.set_aside[record.id] = type(error).__name__
                continue
            if len(row["_payload"]) > LARGEST_ROW // 4 and (size := len(json.dumps(row))) > LARGEST_ROW:
                notes.set_aside[record.id] = (
                    f"its row has {size} bytes, but BigQuery accepts at most {LARGEST_ROW}"
                )
                continue
            if (
                payload.count("[") + payload.count("{") > DEEPEST
                and (depth := _depth(whole.payload)) > DEEPEST
            ):
                notes.set_aside[record.id] = f"it is nested {depth} deep, and BigQuery takes {DEEPEST}"
                continue
            notes.row_count += 1
            yield row
        for tombstone in page.tombstones:
            is_answer = tombstone.is_told or tombstone.merged_into_id is not None
            known_at = page.requested_at if is_answer else manifest.started_at
            yield {
                "id": tombstone.id,
                "_extracted_at": known_at.isoformat(),
                "_deleted_at": known_at.isoformat(),
                "_deleted_reason": tombstone.reason,
                "_merged_into_id": tombstone.merged_into_id,
            }


def _depth(value: Any) -> int:
    """How deep lists and objects are within each other: 0 for a plain value, 1 for a list of these."""
    depth, level = 0, [value]
    while found := [each for each in level if isinstance(each, Mapping | list | tuple)]:
        level = [inner for each in found for inner in (each.values() if isinstance(each, Mapping) else each)]
        depth += 1
    return depth


def _row(
    source: Rows, entity: Entity, record: Record, manifest: Manifest, page: Page, settings: Settings
) -> Row:
    stamps = source.stamps(entity, record, settings)
    if stamps.get("_deleted_reason") and not stamps.get("_deleted_at"):
        stamps["_deleted_at"] = page.requested_at.isoformat()
    return {
        **source.row(entity, record, manifest.schema, settings),
        **stamps,
        "_extracted_at": page.requested_at.isoformat(),
    }
