"""Reads one entity into the landing: from the cursor, or everything with what is gone."""

import hashlib
import logging
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from reporting.entities import Entity
from reporting.landing import Landing, LandingWriter, Manifest, Refresh, new_run_id
from reporting.settings import Settings
from reporting.sources.base import Page, Reader
from reporting.warehouse import states
from reporting.warehouse.load import check_tombstone_share, live_ids

logger = logging.getLogger(__name__)

# A sweep of more rows than this costs the API fifty answers or more, and is not made daily.
LARGE_ROW_COUNT = 5000
LARGE_SWEEP_INTERVAL = timedelta(days=6)
# An entity that can only be swept is swept hourly, and daily when it costs more requests than this.
LARGE_REQUEST_COUNT = 250
DAILY_SWEEP_INTERVAL = timedelta(hours=20)
ROUND = timedelta(minutes=10)


def is_swept_lately(client: bigquery.Client, settings: Settings, entity: Entity) -> bool:
    """Whether a scheduled sweep can wait: the entity is large, and was swept within six days.

    One that can only be swept waits a day at most.
    """
    sweep = states.read(client, settings, entity).sweep
    if sweep is None:
        return False
    age = datetime.now(UTC) - sweep.started_at
    if entity.has_changed:
        return sweep.rows_read > LARGE_ROW_COUNT and age < LARGE_SWEEP_INTERVAL
    return sweep.request_count > LARGE_REQUEST_COUNT and age < DAILY_SWEEP_INTERVAL


def extract(
    client: bigquery.Client,
    settings: Settings,
    entity: Entity,
    refresh: Refresh,
    reader: Reader,
    landing: Landing,
    *,
    tombstone_share: float | None = None,
) -> str:
    """Read `entity` to its end and return the landing's folder, which `load` takes.

    A `changed` read begins at the ledger's cursor, or at the beginning when there is none. The next cursor is
    the source's own clock before its first row was read: a row edited while the read went on is read again.
    Raises the errors of `reporting.sources.base`, and `TombstoneGuardError` before it asks about what is gone.
    """
    started_at = datetime.now(UTC)
    since = states.read(client, settings, entity).cursor_at if refresh == "changed" else None
    description = reader.describe()
    run_id = new_run_id(entity.source, entity.name, refresh, started_at)
    folder = landing.folder(entity.source, entity.name, run_id)
    with landing.writer(folder) as writer:
        sweep = _Sweep(reader, writer)
        for page in reader.read(since):
            sweep.keep(page)
        missing_count = 0
        is_unchanged = refresh == "full" and _is_held(client, settings, entity, sweep.digest)
        if refresh == "full" and not is_unchanged:
            live = live_ids(client, settings, entity, started_at)
            missing = sorted(each for each in live - sweep.seen if reader.would_meet(each))
            share = settings.tombstone_share if tombstone_share is None else tombstone_share
            check_tombstone_share(entity, len(missing), len(live), share)
            before = writer.tombstone_count
            for page in reader.ask_about(missing):
                writer.keep(page)
            missing_count = writer.tombstone_count - before
        # Without an answer's clock this machine's own serves.
        cursor_at = (reader.server_started_at or started_at).replace(second=0, microsecond=0)
        manifest = writer.finish(
            Manifest(
                run_id=run_id,
                source=entity.source,
                entity=entity.name,
                refresh=refresh,
                started_at=started_at,
                extracted_at=datetime.now(UTC),
                window_since=since,
                cursor_at=cursor_at,
                record_count=writer.record_count,
                tombstone_count=writer.tombstone_count,
                request_count=reader.request_count,
                part_count=writer.part_count,
                is_complete=True,
                missing_count=missing_count,
                rejected_count=sweep.rejected_count,
                content_digest=sweep.digest if refresh == "full" else None,
                is_unchanged=is_unchanged,
                schema=description,
            )
        )
    if manifest.rejected_count:
        logger.warning(
            "%s: %d records have no id. They are kept in %s/%s and cannot be loaded; everything else is.",
            entity.table,
            manifest.rejected_count,
            landing.uri,
            folder,
        )
    logger.info(
        "%s: %d records and %d tombstones in %d requests, kept in %s/%s%s.",
        entity.table,
        manifest.record_count,
        manifest.tombstone_count,
        manifest.request_count,
        landing.uri,
        folder,
        "; just what the warehouse holds already" if is_unchanged else "",
    )
    return folder


class _Sweep:
    """Keeps pages, and knows afterwards what was met. The digest does not depend on the order."""

    def __init__(self, reader: Reader, writer: LandingWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sum = 0
        self.seen: set[str] = set()
        self.rejected_count = 0

    @property
    def digest(self) -> str:
        """Stands for the ids and contents of everything that was met."""
        return f"{len(self.seen)}-{self._sum:032x}"

    def keep(self, page: Page) -> None:
        """Keep one page."""
        self._writer.keep(page)
        for record in page.records:
            if record.id is None:
                self.rejected_count += 1
            else:
                self._meet(record.id, self._reader.content_hash(record))
        for tombstone in page.tombstones:
            self._meet(tombstone.id, f"{tombstone.reason} {tombstone.merged_into_id}")

    def _meet(self, record_id: str, content: str) -> None:
        if record_id not in self.seen:
            self.seen.add(record_id)
            digest = hashlib.sha256(f"{record_id} {content}".encode()).hexdigest()
            self._sum = (self._sum + int(digest[:32], 16)) % 2**128


def _is_held(client: bigquery.Client, settings: Settings, entity: Entity, digest: str) -> bool:
    # Another machine may have loaded since the states were kept, so a load is spared by those of this round alone.
    return states.read(client, settings, entity).holds(digest) and states.read(
        client, settings, entity, ROUND
    ).holds(digest)
