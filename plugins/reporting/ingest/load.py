"""Loads one landing into its raw table: a load job, one MERGE, one row in the sync log.

It can be killed at any line and run again, run late, run twice at once, or be overtaken by a later read: a
read wins only over an earlier one, and the counts are taken from the table, so a repetition finds the same.
"""

import gzip
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import IO

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import drift, states, sync_log
from reporting.ingest import suppression as purged
from reporting.ingest.landing import COMPRESSION, Landing, LandingError, Manifest
from reporting.ingest.rows import Notes, rows_of
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import CLOCK_TOLERANCE, Page
from reporting.sources.fast_json import as_utf8
from reporting.warehouse.client import WarehouseError, run_job, with_parameters
from reporting.warehouse.tables import MERGED_COLUMNS, describe
from reporting.warehouse.transfer import merged_value, staged_field

logger = logging.getLogger(__name__)

# A stage table that a killed load leaves behind goes away by itself.
STAGE_LIFETIME = timedelta(days=1)
# Only these change when a tombstone arrives; the last content stays.
TOMBSTONE_COLUMNS = ("_deleted_at", "_deleted_reason", "_merged_into_id")
# What a source still has, and can bring back or remove for good.
IN_BIN = ("trashed", "archived")


class TombstoneGuardError(WarehouseError):
    """A full refresh would tombstone more of a table than the settings allow."""


def known_ids(
    client: bigquery.Client, settings: Settings, entity: Entity, read_before: datetime
) -> tuple[set[str], list[str]]:
    """Keys of the rows that were last read before `read_before`: those without a tombstone, and those in a recycling bin, the
    longest there first."""
    sql = f"""
        SELECT id, _deleted_at FROM `{settings.dataset("raw")}.{entity.table}`
        WHERE (_deleted_at IS NULL OR _deleted_reason IN UNNEST(@in_bin)) AND _extracted_at < @read_before
    """
    config = with_parameters(read_before=read_before, in_bin=IN_BIN)
    live: set[str] = set()
    binned: list[tuple[datetime, str]] = []
    for row in client.query_and_wait(sql, job_config=config):
        if row["_deleted_at"] is None:
            live.add(row["id"])
        else:
            binned.append((row["_deleted_at"], row["id"]))
    return live, [record_id for _, record_id in sorted(binned)]


def check_tombstone_share(entity: Entity, missing: int, live: int, share: float) -> None:
    """Raise `TombstoneGuardError` when `missing` of `live` rows are more than `share` allows."""
    if live and missing / live > share:
        raise TombstoneGuardError(
            f"the full refresh of {entity.table} misses {missing} of {live} rows ({missing / live:.0%}), and the guard allows "
            f"{share:.0%}. If they were deleted on purpose, run it again with a higher tombstone share; "
            "if not, check that the right database is configured and shared."
        )


def load(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    landing: Landing,
    folder: str,
    *,
    tombstone_share: float | None = None,
    is_replay: bool = False,
) -> Counts:
    """Load the landing in `folder` and return what changed.

    With `is_replay` it is loaded whatever was loaded of it before, as a run of its own in the sync log.
    Raises `LandingError` when it is not whole, `WarehouseError` when the table is not as the code expects, and
    `TombstoneGuardError`; none of them leaves anything half-written.
    """
    manifest = landing.manifest(folder)
    if (manifest.source, manifest.entity) != (entity.source, entity.name):
        raise LandingError(
            f"{folder} is a landing of {manifest.source}.{manifest.entity}, and cannot be loaded into {entity.table}. Clear "
            "the extract task, which makes one of its own."
        )
    if not manifest.is_complete:
        raise LandingError(
            f"the read {manifest.run_id} did not reach the end of {entity.table}; it is not loaded."
        )
    if is_replay:
        manifest = _as_replay(client, settings, entity, manifest)
    else:
        _check_base(client, settings, entity, manifest, folder)
    address = f"{landing.uri}/{folder}"
    read = manifest.record_count + manifest.tombstone_count
    if read == 0 or manifest.is_unchanged:
        counts = Counts(read)
        _commit(client, settings, entity, manifest, counts, address)
        return counts

    raw = _expected_table(client, settings, entity)
    missing = manifest.tombstone_count if manifest.missing_count is None else manifest.missing_count
    if missing:
        live = _live_count(client, raw)
        share = settings.tombstone_share if tombstone_share is None else tombstone_share
        check_tombstone_share(entity, missing, live, share)
    try:
        stage, set_aside = _load_stage(client, settings, entity, landing, folder, manifest, raw)
        manifest = replace(manifest, rejected_count=manifest.rejected_count + set_aside)
        _merge(client, manifest, raw, stage)
        counts = _count(client, entity, manifest, raw, stage, read)
    except NotFound:
        # An attempt that was given up for dead may live on: it came to the end, and took the stage table away.
        done = sync_log.counts_of(client, settings, manifest.run_id)
        if done is None:
            raise
        logger.info("%s: another attempt has loaded %s.", entity.table, manifest.run_id)
        return done
    _commit(client, settings, entity, manifest, counts, address)
    client.delete_table(stage, not_found_ok=True)
    logger.info("%s: %s", entity.table, counts)
    return counts


def _check_base(
    client: bigquery.Client, settings: Settings, entity: Entity, manifest: Manifest, folder: str
) -> None:
    """Raise `LandingError` where the warehouse is no longer the one that was compared with the source: it was restored.

    A read of what changed since would leave a gap behind its cursor, and a full refresh knows nothing of rows that came back.
    """
    base = manifest.base_run_id
    if base is None or base == states.read(client, settings, entity).last_run_id:
        return
    if sync_log.counts_of(client, settings, base) is None:
        raise LandingError(
            f"{folder} was read after the run {base}, which the sync log does not have any more: the warehouse was restored "
            "since. Nothing of it was loaded, as what changed in between would be missed. Clear the extract task, which reads the "
            "source again, or load it with script/replay, which leaves the cursor where it is."
        )


def _as_replay(client: bigquery.Client, settings: Settings, entity: Entity, manifest: Manifest) -> Manifest:
    """A run of its own, so that its changes reach the marts; no full refresh, since the source was not asked.

    It moves the cursor only where no gap is left, which a warehouse that lost its sync log may have.
    """
    joins = states.read(client, settings, entity, longest_age=timedelta(0)).joins(manifest.window_since)
    return replace(
        manifest,
        run_id=f"{manifest.run_id}-replay-{datetime.now(UTC):%Y%m%dT%H%M%S%f}",
        refresh="replay",
        cursor_at=manifest.cursor_at if joins else None,
        content_digest=None,
        is_unchanged=False,
        # Of the source's schema an old landing tells nothing new.
        schema_digest=None,
        has_new_schema=False,
        request_count=0,
    )


def _commit(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    manifest: Manifest,
    counts: Counts,
    address: str,
) -> None:
    if manifest.has_new_schema and not drift.record(client, settings, manifest):
        manifest = replace(manifest, schema_digest=None)
    sync_log.append(client, settings, manifest, counts, address)
    states.forget(settings, entity)


def _expected_table(client: bigquery.Client, settings: Settings, entity: Entity) -> bigquery.Table:
    name = f"{settings.project}.{settings.dataset('raw')}.{entity.table}"
    advice = "Run the DAG ops_warehouse__schema__upgrade, then clear this task."
    try:
        table = client.get_table(name)
    except NotFound as error:
        raise WarehouseError(f"the table {name} does not exist. {advice}") from error
    expected = set(describe().tables[f"raw.{entity.table}"].columns.keys())
    if absent := sorted(expected - {field.name for field in table.schema}):
        raise WarehouseError(f"the table {name} lacks {', '.join(absent)}. {advice}")
    return table


def _live_count(client: bigquery.Client, raw: bigquery.Table) -> int:
    rows = client.query_and_wait(f"SELECT COUNT(*) AS n FROM `{raw.reference}` WHERE _deleted_at IS NULL")
    return int(next(iter(rows))["n"])


def _load_stage(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    landing: Landing,
    folder: str,
    manifest: Manifest,
    raw: bigquery.Table,
) -> tuple[bigquery.TableReference, int]:
    """The stage table with the rows of the landing, and how many records were set aside."""
    name = "stage__" + manifest.run_id.replace("-", "_")
    stage = bigquery.DatasetReference(settings.project, settings.dataset("ops")).table(name)
    config = bigquery.LoadJobConfig(
        schema=[staged_field(field) for field in raw.schema if field.name not in MERGED_COLUMNS],
        source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
    )
    # Made before the job, which goes on when its client is killed and would leave a table for good; and before the list of who
    # was erased is read. A purge takes stage tables away when it has noted whom it erases, and so ends a load by the list of
    # before; the next attempt reads the list anew.
    made = bigquery.Table(stage, schema=config.schema)
    made.expires = datetime.now(UTC) + STAGE_LIFETIME
    client.create_table(made, exists_ok=True)

    def start(job_id: str) -> bigquery.LoadJob:
        file.seek(0)
        return client.load_table_from_file(file, stage, job_id=job_id, job_config=config)

    # On disk and not in memory: a first load has as many rows as the source.
    with tempfile.TemporaryFile() as file:
        # An older landing may hold who was purged since.
        suppression = purged.suppression(client, settings, entity)
        notes = Notes()
        try:
            pages = suppression.pages(_read_by_now(entity, folder, landing.pages(folder)))
            _write_rows(file, settings, entity, pages, manifest, notes)
            suppression.tell()
            notes.tell(entity)
        except Exception:
            # Nothing will be loaded into it.
            client.delete_table(stage, not_found_ok=True)
            raise
        run_job(client, f"{manifest.run_id}-load", start)
    loaded = client.get_table(stage)
    # That a job which writes over a table leaves its end alone is promised nowhere.
    if loaded.expires is None:
        loaded.expires = made.expires
        client.update_table(loaded, ["expires"])
    return stage, len(notes.set_aside)


def _read_by_now(entity: Entity, folder: str, pages: Iterator[Page]) -> Iterator[Page]:
    """The pages, unless a clock that was ahead has stamped one: no later read could win over its rows."""
    latest = datetime.now(UTC) + timedelta(seconds=CLOCK_TOLERANCE)
    for page in pages:
        if page.requested_at > latest:
            raise LandingError(
                f"{folder} says that {entity.table} was read at {page.requested_at:%Y-%m-%d %H:%M} UTC, which is still to "
                "come: a clock is or was wrong. Nothing of it was loaded. Mend the clock, then clear the extract task, "
                "which reads the source again."
            )
        yield page


def _write_rows(
    file: IO[bytes],
    settings: Settings,
    entity: Entity,
    pages: Iterator[Page],
    manifest: Manifest,
    notes: Notes,
) -> None:
    with gzip.open(file, "wb", compresslevel=COMPRESSION) as lines:
        for row in rows_of(entity, manifest, pages, settings, notes):
            text = as_utf8(row) or json.dumps(row, separators=(",", ":"), allow_nan=False).encode()
            lines.write(text + b"\n")


def _merge(
    client: bigquery.Client, manifest: Manifest, raw: bigquery.Table, stage: bigquery.TableReference
) -> None:
    """One MERGE, atomic by itself; the stage is deduplicated, since matching a row twice is an error.

    What has no payload is a tombstone: it changes no content. Of a record that is not known it is a row of its own, so that
    an earlier read which is loaded later does not bring the record back. A record may come deleted, too, with its last
    content.
    """
    fields = [field for field in raw.schema if field.name not in MERGED_COLUMNS]
    staged = [field.name for field in fields]
    content = [name for name in staged if name != "id"]
    stamped = "_loaded_at = CURRENT_TIMESTAMP(), _run_id = @run_id"
    in_bin = ", ".join(f"'{each}'" for each in IN_BIN)
    is_newer = "S._extracted_at > T._extracted_at"
    sql = f"""
        MERGE `{raw.reference}` T
        USING (SELECT {", ".join(map(merged_value, fields))} FROM ({_latest(stage)})) S
        ON T.id = S.id
        WHEN MATCHED AND {is_newer} AND S._payload IS NULL AND (
            T._deleted_at IS NULL
            OR (S._merged_into_id IS NOT NULL AND S._merged_into_id IS DISTINCT FROM T._merged_into_id)
            OR (S._deleted_reason = 'purged' AND T._deleted_reason IN ({in_bin}))
        ) THEN
            UPDATE SET {", ".join(f"{name} = S.{name}" for name in TOMBSTONE_COLUMNS)},
                _extracted_at = S._extracted_at, {stamped}
        WHEN MATCHED AND {is_newer} AND S._payload IS NOT NULL AND (
            S._content_hash IS DISTINCT FROM T._content_hash
            OR S._deleted_reason IS DISTINCT FROM T._deleted_reason
        ) THEN
            UPDATE SET {", ".join(f"{name} = S.{name}" for name in content)}, {stamped}
        WHEN MATCHED AND {is_newer} THEN
            UPDATE SET _extracted_at = S._extracted_at
        WHEN NOT MATCHED BY TARGET THEN
            INSERT ({", ".join(staged)}, _first_seen_at, _loaded_at, _run_id)
            VALUES ({", ".join(f"S.{name}" for name in staged)}, CURRENT_TIMESTAMP(), CURRENT_TIMESTAMP(), @run_id)
    """
    config = with_parameters(run_id=manifest.run_id)
    run_job(
        client,
        f"{manifest.run_id}-merge",
        lambda job_id: client.query(sql, job_id=job_id, job_config=config, job_retry=None),
    )


def _latest(stage: bigquery.TableReference) -> str:
    """The query that takes each record of the stage table once, as it was read last."""
    return f"""
        SELECT * FROM `{stage}`
        WHERE TRUE
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY id
            ORDER BY _extracted_at DESC, IF(_merged_into_id IS NULL, 0, 1) DESC, _payload IS NULL
        ) = 1
    """


def _count(
    client: bigquery.Client,
    entity: Entity,
    manifest: Manifest,
    raw: bigquery.Table,
    stage: bigquery.TableReference,
    read: int,
) -> Counts:
    """Counted in the table rather than by the MERGE, whose own answer a killed client never saw."""
    # Where rows stay that the source shows no longer, a table has more rows than its source.
    is_full_refresh = manifest.refresh == "full" and not (entity.keeps_days or entity.is_history)
    in_source = (
        f"(SELECT COUNTIF(_deleted_at IS NULL) FROM ({_latest(stage)}))" if is_full_refresh else "NULL"
    )
    sql = f"""
        SELECT
            COUNTIF(
                _run_id = @run_id AND _first_seen_at = _loaded_at
                AND (_payload IS NOT NULL OR _merged_into_id IS NOT NULL)
            ) AS inserted,
            COUNTIF(_run_id = @run_id AND _deleted_at IS NULL AND _first_seen_at < _loaded_at) AS updated,
            COUNTIF(_run_id = @run_id AND _deleted_at IS NOT NULL AND _first_seen_at < _loaded_at) AS tombstoned,
            COUNTIF(_deleted_at IS NULL) AS in_warehouse,
            {in_source} AS in_source
        FROM `{raw.reference}`
    """
    config = with_parameters(run_id=manifest.run_id)
    row = next(iter(client.query_and_wait(sql, job_config=config)))
    return Counts(
        read,
        row["inserted"],
        row["updated"],
        row["tombstoned"],
        row["in_source"],
        row["in_warehouse"] if is_full_refresh else None,
    )
