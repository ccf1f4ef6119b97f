"""Compares the records that a source has now with the rows of the warehouse, by id and by content."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import states
from reporting.ingest import suppression as purged
from reporting.ingest.landing import Manifest, as_kept
from reporting.ingest.rows import rows_of
from reporting.settings import Settings
from reporting.sources.base import LookupReader, Page, Reader

KINDS = {
    "missing": "in the source, but not in the warehouse",
    "tombstoned": "in the source, but marked as gone in the warehouse",
    "different": "with other content in the warehouse than in the source",
    "extra": "in the warehouse, but gone from the source",
    "other reason": "gone from both, but for another reason in the warehouse",
}


@dataclass(frozen=True, slots=True)
class Held:
    """A record on one side. `reason` says why it is gone (None: it is not); a record that is gone may have no known content."""

    content_hash: str | None
    reason: str | None = None
    merged_into_id: str | None = None
    updated_at: datetime | None = field(default=None, compare=False)

    @property
    def is_telling(self) -> bool:
        """Whether a full refresh can show this: it does not show why a record is missing."""
        return self.reason is None or self.content_hash is not None or self.merged_into_id is not None


@dataclass(frozen=True, slots=True)
class Verification:
    """The result for one entity. Counts are rows that are not deleted; `gone` counts tombstones by reason.

    `differences` are ids by kind of difference. `changed_count` is the number of differences that were ignored because the
    record changed during the comparison. `late_count` is how many records in `differences` were modified in the source after
    the last complete run.
    """

    entity: Entity
    source_count: int
    warehouse_count: int
    gone: Mapping[str, int]
    differences: Mapping[str, tuple[str, ...]]
    changed_count: int
    late_count: int

    @property
    def is_equal(self) -> bool:
        """Whether there is no difference."""
        return not self.differences


def verify(
    client: bigquery.Client, settings: Settings, entity: Entity, open_reader: Callable[[], Reader]
) -> Verification:
    """Read `entity` completely and compare it with its raw table. Nothing is stored.

    Records that differ are read once more on both sides. Only those that differ again, and did not change in the source
    meanwhile, count as differences. `open_reader` is called for each read. Raises the errors of `reporting.sources.base`.
    """
    cursor_at = states.read(client, settings, entity, longest_age=timedelta(0)).cursor_at
    reader = open_reader()
    try:
        description = reader.describe()
        # People who were purged may still be in the source; they are missing in the warehouse on purpose.
        suppression = purged.suppression(client, settings, entity)
        source = _latest(entity, settings, description, suppression.pages(reader.read(None)))
        warehouse = _in_warehouse(client, settings, entity)
        met = {key for key in source.keys() | warehouse.keys() if key in source or reader.would_meet(key)}
        differing = sorted(key for key in met if _difference(source.get(key), warehouse.get(key)))
        again: dict[str, Held] = {}
        if differing:
            again = _look_again(entity, settings, description, reader, open_reader, differing)
            warehouse |= _in_warehouse(client, settings, entity, differing)
    finally:
        reader.close()
    found: dict[str, list[str]] = {}
    late_count = 0
    for key in differing:
        now = again.get(key)
        kind = _difference(now, warehouse.get(key))
        if kind is None or _told(source.get(key)) != _told(now):
            continue
        found.setdefault(kind, []).append(key)
        late_count += bool(now and now.updated_at and cursor_at and now.updated_at >= cursor_at)
    return Verification(
        entity=entity,
        source_count=sum(each.reason is None for each in source.values()),
        warehouse_count=sum(each.reason is None for each in warehouse.values()),
        gone=Counter(each.reason for each in warehouse.values() if each.reason),
        differences={kind: tuple(found[kind]) for kind in KINDS if kind in found},
        changed_count=len(differing) - sum(map(len, found.values())),
        late_count=late_count,
    )


def _difference(source: Held | None, warehouse: Held | None) -> str | None:
    """The kind of difference; None if both sides agree."""
    if source is None or not source.is_telling:
        return "extra" if warehouse and warehouse.reason is None else None
    if warehouse is None:
        return "missing"
    if (source.reason is None) != (warehouse.reason is None):
        return "tombstoned" if source.reason is None else "extra"
    if (source.reason, source.merged_into_id) != (warehouse.reason, warehouse.merged_into_id):
        return "other reason"
    # A source does not tell the last content of a record that was merged into another.
    return "different" if source.content_hash not in (None, warehouse.content_hash) else None


def _told(held: Held | None) -> Held | None:
    return held if held and held.is_telling else None


def _look_again(
    entity: Entity,
    settings: Settings,
    description: dict[str, Any],
    reader: Reader,
    open_reader: Callable[[], Reader],
    ids: list[str],
) -> dict[str, Held]:
    if isinstance(reader, LookupReader):
        return _latest(entity, settings, description, reader.look_up(ids))
    # This source cannot be asked for single records, so the list is read again.
    second = open_reader()
    try:
        return _latest(entity, settings, second.describe(), second.read(None))
    finally:
        second.close()


def _latest(
    entity: Entity, settings: Settings, description: dict[str, Any], pages: Iterable[Page]
) -> dict[str, Held]:
    """The state that the loader would produce from `pages`: the latest version of each id, or within one answer the
    tombstone of a merge."""
    manifest = _manifest(entity, description)
    found: dict[str, tuple[tuple[datetime, bool, bool], Held]] = {}
    for row in rows_of(entity, manifest, _as_kept(pages), settings):
        updated_at = row.get("_source_updated_at")
        held = Held(
            row.get("_content_hash"),
            row.get("_deleted_reason"),
            row.get("_merged_into_id"),
            datetime.fromisoformat(updated_at) if updated_at else None,
        )
        rank = (
            datetime.fromisoformat(row["_extracted_at"]),
            held.merged_into_id is not None,
            "_payload" in row,
        )
        if row["id"] not in found or found[row["id"]][0] <= rank:
            found[row["id"]] = (rank, held)
    return {key: held for key, (_, held) in found.items()}


def _as_kept(pages: Iterable[Page]) -> Iterator[Page]:
    for page in pages:
        yield from as_kept(page)


def _manifest(entity: Entity, description: dict[str, Any]) -> Manifest:
    at = datetime.now(UTC)
    return Manifest(
        run_id="verify",
        source=entity.source,
        entity=entity.name,
        refresh="full",
        started_at=at,
        extracted_at=at,
        window_since=None,
        cursor_at=None,
        record_count=0,
        tombstone_count=0,
        request_count=0,
        part_count=0,
        is_complete=True,
        schema=description,
    )


def _in_warehouse(
    client: bigquery.Client, settings: Settings, entity: Entity, ids: list[str] | None = None
) -> dict[str, Held]:
    """The state in the raw table, of all ids or only some. Reads five columns and no content."""
    table = f"`{settings.project}.{settings.dataset('raw')}.{entity.table}`"
    sql = f"SELECT id, _content_hash, _deleted_at, _deleted_reason, _merged_into_id FROM {table}"
    config = bigquery.QueryJobConfig()
    if ids is not None:
        sql += " WHERE id IN UNNEST(@ids)"
        config.query_parameters = [bigquery.ArrayQueryParameter("ids", "STRING", ids)]
    return {
        row["id"]: Held(
            row["_content_hash"],
            (row["_deleted_reason"] or "unknown") if row["_deleted_at"] else None,
            row["_merged_into_id"],
        )
        for row in client.query_and_wait(sql, job_config=config)
    }
