"""Reads one entity into the landing: from the cursor, or everything with what is gone."""

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from reporting.checkpoints import Checkpoint, Checkpoints, fingerprint_of
from reporting.entities import Entity
from reporting.landing import Landing, LandingError, Manifest, Refresh, new_run_id
from reporting.progress import Progress
from reporting.settings import Settings
from reporting.sources.base import (
    Page,
    Reader,
    ResumableReader,
    SourceError,
    SourceUnavailableError,
    SyncReader,
    WindowReader,
)
from reporting.warehouse import drift, purged, states
from reporting.warehouse.load import TombstoneGuardError, check_tombstone_share, live_ids
from reporting.window import Window, WindowError

logger = logging.getLogger(__name__)

# A sweep of more answers than this is not made daily, but every six days: looked at once a day, so the sixth chance is
# taken. A sync token of Google's ends seven days after the sweep that it goes back to.
LARGE_PAGE_COUNT = 50
LARGE_SWEEP_INTERVAL = timedelta(days=5, hours=12)
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
        return sweep.rows_read > LARGE_PAGE_COUNT * entity.page_size and age < LARGE_SWEEP_INTERVAL
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
    window: Window | None = None,
) -> str:
    """Read `entity` to its end and return the landing's folder, which `load` takes.

    A `changed` read begins at the ledger's cursor, or at the beginning when there is none. The next cursor is
    the source's own clock before its first row was read: a row edited while the read went on is read again. Where the
    source has sync tokens, the ledger's latest is the cursor; one that the source no longer takes makes the read a
    sweep, which the manifest then says.
    With a `window` a `changed` read is of that instead, and moves the cursor only if it reaches from there to now.
    A read of everything goes on where the last one of the day was cut off, if its reader can.
    People who were purged are left out.
    Raises the errors of `reporting.sources.base`, `TombstoneGuardError` before it asks about what is gone, and
    `WindowError` where the source knows no windows.
    """
    now = datetime.now(UTC)
    state = states.read(client, settings, entity)
    since = until = None
    if refresh == "changed":
        since, until = (window.since, window.until) if window else (state.cursor_at, None)
    if isinstance(reader, SyncReader):
        reader.resume_at(state.sync_token)
    description = reader.describe()
    schema_digest = drift.digest(entity.source, description)
    run_id = new_run_id(entity.source, entity.name, refresh, now)
    folder = landing.folder(entity.source, entity.name, run_id)
    checkpoints = None
    if since is None and isinstance(reader, ResumableReader):
        fingerprint = fingerprint_of(settings, entity, refresh, reader, description)
        checkpoints = Checkpoints(landing, entity, refresh, fingerprint)
    begun, sweep = _begun(landing, entity, reader, checkpoints)
    started_at = begun.started_at if begun else now
    screen = purged.screen(client, settings, entity)
    with landing.writer(folder, begun.parts if begun else None) as writer, _forgetting(checkpoints):
        caps_met = begun.caps_met if begun else 0
        progress = Progress(entity.table, _expected_count(reader), writer.record_count)
        for page in screen.pages(_pages(reader, entity, since, window, begun)):
            writer.keep(page)
            sweep.meet(page)
            progress.add(page)
            caps_met += page.is_capped
            if checkpoints:
                checkpoints.note(
                    writer,
                    folder,
                    page.position,
                    started_at=started_at,
                    read_at=_read_at(reader, started_at, begun),
                    request_count=_request_count(reader, begun),
                    caps_met=caps_met,
                )
        missing_count = 0
        is_sweep = reader.is_sweep if isinstance(reader, SyncReader) else refresh == "full"
        is_unchanged = is_sweep and _is_held(client, settings, entity, state, sweep.digest)
        if is_sweep and not is_unchanged:
            live = live_ids(client, settings, entity, started_at)
            missing = sorted(each for each in live - sweep.seen if reader.would_meet(each))
            share = settings.tombstone_share if tombstone_share is None else tombstone_share
            check_tombstone_share(entity, len(missing), len(live), share)
            before = writer.tombstone_count
            for page in screen.pages(reader.ask_about(missing)):
                writer.keep(page)
            missing_count = writer.tombstone_count - before
        read_at = _read_at(reader, started_at, begun)
        manifest = writer.finish(
            Manifest(
                run_id=run_id,
                source=entity.source,
                entity=entity.name,
                refresh="full" if is_sweep else refresh,
                started_at=started_at,
                extracted_at=datetime.now(UTC),
                window_since=None if is_sweep else since,
                window_until=until or read_at,
                cursor_at=read_at if until is None and state.joins(since) else None,
                record_count=writer.record_count,
                tombstone_count=writer.tombstone_count,
                request_count=_request_count(reader, begun),
                caps_met=caps_met,
                part_count=writer.part_count,
                is_complete=True,
                missing_count=missing_count,
                rejected_count=sweep.rejected_count,
                content_digest=sweep.digest if is_sweep else None,
                is_unchanged=is_unchanged,
                sync_token=reader.sync_token if isinstance(reader, SyncReader) else None,
                schema_digest=schema_digest,
                has_new_schema=schema_digest not in (None, state.schema_digest),
                schema=description,
            )
        )
        if checkpoints:
            checkpoints.forget()
    screen.tell()
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


def _begun(
    landing: Landing, entity: Entity, reader: Reader, checkpoints: Checkpoints | None
) -> tuple[Checkpoint | None, "_Sweep"]:
    """Where to go on, and what was met before; neither when the read begins at its beginning."""
    begun = checkpoints.find() if checkpoints else None
    sweep = _Sweep(reader)
    if begun is None:
        return None, sweep
    try:
        for page in landing.pages_in(begun.parts):
            sweep.meet(page)
    except (LandingError, OSError, EOFError, ValueError, zlib.error) as error:
        logger.warning(
            "%s: what is kept of a read that was cut off cannot be read (%s). This one begins anew.",
            entity.table,
            type(error).__name__,
        )
        return None, _Sweep(reader)
    return begun, sweep


def _pages(
    reader: Reader,
    entity: Entity,
    since: datetime | None,
    window: Window | None,
    begun: Checkpoint | None,
) -> Iterator[Page]:
    if begun is not None and isinstance(reader, ResumableReader):
        return reader.resume(begun.position)
    return reader.read(since) if window is None else _in_window(reader, entity, window)


def _read_at(reader: Reader, started_at: datetime, begun: Checkpoint | None) -> datetime:
    """The source's clock when the read began; without an answer's clock this machine's own serves."""
    read_at = begun.read_at if begun else reader.server_started_at or started_at
    return read_at.replace(second=0, microsecond=0)


def _request_count(reader: Reader, begun: Checkpoint | None) -> int:
    return reader.request_count + (begun.request_count if begun else 0)


def _expected_count(reader: Reader) -> Callable[[], int | None]:
    return reader.expected_count if isinstance(reader, ResumableReader) else lambda: None


@contextmanager
def _forgetting(checkpoints: Checkpoints | None) -> Iterator[None]:
    """What does not pass by itself must not be met again by going on: the next read begins anew."""
    try:
        yield
    except SourceUnavailableError:
        raise
    except (SourceError, TombstoneGuardError):
        if checkpoints:
            checkpoints.forget()
        raise


def _in_window(reader: Reader, entity: Entity, window: Window) -> Iterator[Page]:
    if not isinstance(reader, WindowReader):
        raise WindowError(
            f"{entity.table} cannot be read by a window: its source does not say what changed when. Run the DAG "
            "without since and until, or its sweep, which reads everything."
        )
    return reader.read_window(window.since, window.until)


class _Sweep:
    """Knows what was met. The digest depends on the order only where a record is met twice: its latest content counts."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._sum = 0
        self._digests: dict[str, int] = {}
        self.rejected_count = 0

    @property
    def seen(self) -> Set[str]:
        """The ids that were met."""
        return self._digests.keys()

    @property
    def digest(self) -> str:
        """Stands for the ids and contents of everything that was met."""
        return f"{len(self._digests)}-{self._sum:032x}"

    def meet(self, page: Page) -> None:
        """Take in one page."""
        for record in page.records:
            if record.id is None:
                self.rejected_count += 1
            else:
                self._meet(record.id, self._reader.content_hash(record))
        for tombstone in page.tombstones:
            self._meet(tombstone.id, f"{tombstone.reason} {tombstone.merged_into_id}")

    def _meet(self, record_id: str, content: str) -> None:
        digest = int(hashlib.sha256(f"{record_id} {content}".encode()).hexdigest()[:32], 16)
        self._sum = (self._sum - self._digests.get(record_id, 0) + digest) % 2**128
        self._digests[record_id] = digest


def _is_held(
    client: bigquery.Client, settings: Settings, entity: Entity, state: states.State, digest: str
) -> bool:
    # Since the state was read, or kept, the table may have been loaded, so a load is spared by one of this round alone.
    return state.holds(digest) and states.read(client, settings, entity, ROUND).holds(digest)
