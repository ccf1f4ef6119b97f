"""Reads one entity into the landing: from the cursor, or everything with what is gone."""

import hashlib
import logging
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest import drift, states
from reporting.ingest import suppression as purged
from reporting.ingest.checkpoints import Checkpoint, Checkpoints, fingerprint_of
from reporting.ingest.landing import (
    Landing,
    LandingError,
    LandingWriter,
    Manifest,
    Parts,
    Refresh,
    new_run_id,
)
from reporting.ingest.load import TombstoneGuardError, check_tombstone_share, known_ids
from reporting.ingest.progress import Progress
from reporting.settings import Settings
from reporting.sources.base import (
    BinReader,
    Page,
    Reader,
    RejectingReader,
    ResumableReader,
    SourceError,
    SourceUnavailableError,
    SyncReader,
    WindowReader,
)
from reporting.window import Window, WindowError

logger = logging.getLogger(__name__)

# A full refresh of more answers than this is not made daily, but every six days: looked at once a day, so the sixth chance is
# taken. A sync token of Google's ends seven days after the full refresh that it goes back to.
LARGE_PAGE_COUNT = 50
LARGE_FULL_REFRESH_INTERVAL = timedelta(days=5, hours=12)
# An entity without an incremental refresh has a full refresh every hour, or once a day if that costs more requests than this.
LARGE_REQUEST_COUNT = 250
DAILY_FULL_REFRESH_INTERVAL = timedelta(hours=20)
# What happened in the past does not change; a full refresh only finds what a search never showed.
HISTORY_FULL_REFRESH_INTERVAL = timedelta(days=29, hours=12)
SYNC = timedelta(minutes=10)
# How many records of a recycling bin one full refresh asks about: some sources take a request for each.
BIN_LIMIT = 50


def is_refreshed_lately(client: bigquery.Client, settings: Settings, entity: Entity) -> bool:
    """Whether a scheduled full refresh can wait: the entity is large, and was fully refreshed within six days.

    An entity without an incremental refresh waits a day at most, and a history of past events a month.
    """
    full_refresh = states.read(client, settings, entity).full_refresh
    if full_refresh is None:
        return False
    age = datetime.now(UTC) - full_refresh.started_at
    if entity.is_history:
        return age < HISTORY_FULL_REFRESH_INTERVAL
    if entity.has_changed:
        is_large = full_refresh.rows_read > LARGE_PAGE_COUNT * entity.page_size
        return is_large and age < LARGE_FULL_REFRESH_INTERVAL
    return full_refresh.request_count > LARGE_REQUEST_COUNT and age < DAILY_FULL_REFRESH_INTERVAL


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
    """Read `entity` to its end into the landing, and return the folder there, which `load` takes.

    A `changed` read begins at the sync log's cursor, or at the beginning when there is none. The next cursor is
    the source's own clock before its first row was read: a row edited while the read went on is read again. Where the
    source has sync tokens, the sync log's latest is the cursor; one that the source no longer takes makes the read a
    full refresh, which the manifest then says.
    With a `window` a `changed` read is of that instead, and moves the cursor only if it reaches from there to now.
    A read of everything goes on where the last one of the day was cut off, if its reader can.
    People who were purged are left out.
    `tombstone_share` takes the place of the share in the settings.
    Raises the errors of `reporting.sources.base`, `TombstoneGuardError` before it asks about what is gone, and
    `WindowError` where the source knows no windows.
    """
    task = _Task(client, settings, entity, refresh, reader, landing, window)
    start, full_refresh = _start(task)
    suppression = purged.suppression(client, settings, entity)
    with landing.writer(start.folder, start.parts) as writer, _forgetting(start.checkpoints):
        _keep_pages(task, start, full_refresh, suppression, writer)
        is_unchanged = _is_full_refresh(task) and _is_held(task, start.state, full_refresh.digest)
        missing_count = 0
        if _is_full_refresh(task) and not is_unchanged:
            share = settings.tombstone_share if tombstone_share is None else tombstone_share
            missing_count = _keep_what_became_of_the_missing(
                task, start, full_refresh, suppression, writer, share
            )
        manifest = writer.finish(_manifest(task, start, full_refresh, missing_count, is_unchanged))
        if start.checkpoints:
            start.checkpoints.forget()
    suppression.tell()
    _tell(task, start.folder, manifest)
    return start.folder


@dataclass(frozen=True, slots=True)
class _Task:
    """What is read, from where, and into which landing."""

    client: bigquery.Client
    settings: Settings
    entity: Entity
    refresh: Refresh
    reader: Reader
    landing: Landing
    window: Window | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where a read begins. `begun` is an earlier one of the day that was cut off, and that this one goes on with."""

    run_id: str
    folder: str
    state: states.State
    since: datetime | None
    started_at: datetime
    description: dict[str, Any]
    checkpoints: Checkpoints | None
    begun: Checkpoint | None

    @property
    def parts(self) -> Parts | None:
        """What the earlier read has kept."""
        return self.begun.parts if self.begun else None

    def request_count(self, reader: Reader) -> int:
        """The requests of both reads."""
        return reader.request_count + (self.begun.request_count if self.begun else 0)

    def read_at(self, reader: Reader) -> datetime:
        """The source's clock when the read began; without an answer's clock this machine's own serves."""
        read_at = self.begun.read_at if self.begun else reader.server_started_at or self.started_at
        return read_at.replace(second=0, microsecond=0)


def _start(task: _Task) -> tuple[_Start, "_FullRefresh"]:
    """Where to begin, and what was met before by a read that was cut off."""
    entity, reader = task.entity, task.reader
    now = datetime.now(UTC)
    state = states.read(task.client, task.settings, entity)
    since = None
    if task.refresh == "changed":
        since = task.window.since if task.window else state.cursor_at
    if isinstance(reader, SyncReader):
        reader.resume_at(state.sync_token)
    description = reader.describe()
    run_id = new_run_id(entity.source, entity.name, task.refresh, now)
    checkpoints = None
    if since is None and isinstance(reader, ResumableReader):
        fingerprint = fingerprint_of(task.settings, entity, task.refresh, reader, description)
        checkpoints = Checkpoints(task.landing, entity, task.refresh, fingerprint)
    begun, full_refresh = _begun(task, checkpoints)
    start = _Start(
        run_id=run_id,
        folder=task.landing.folder(entity.source, entity.name, run_id),
        state=state,
        since=since,
        started_at=begun.started_at if begun else now,
        description=description,
        checkpoints=checkpoints,
        begun=begun,
    )
    return start, full_refresh


def _begun(task: _Task, checkpoints: Checkpoints | None) -> tuple[Checkpoint | None, "_FullRefresh"]:
    """Where to go on, and what was met before; neither when the read begins at its beginning."""
    begun = checkpoints.find() if checkpoints else None
    if begun is None:
        return None, _FullRefresh(task.reader)
    full_refresh = _FullRefresh(task.reader, begun.caps_met)
    try:
        for page in task.landing.pages_in(begun.parts):
            full_refresh.meet(page)
    except (LandingError, OSError) as error:
        logger.warning(
            "%s: what is kept of a read that was cut off cannot be read (%s). This one begins anew.",
            task.entity.table,
            type(error).__name__,
        )
        return None, _FullRefresh(task.reader)
    return begun, full_refresh


def _keep_pages(
    task: _Task,
    start: _Start,
    full_refresh: "_FullRefresh",
    suppression: purged.Suppression,
    writer: LandingWriter,
) -> None:
    """Read every page and keep it, with a checkpoint now and then."""
    reader = task.reader
    expected = reader.expected_count if isinstance(reader, ResumableReader) else lambda: None
    progress = Progress(task.entity.table, expected, writer.record_count)
    for page in suppression.pages(_pages(task, start)):
        writer.keep(page)
        full_refresh.meet(page)
        progress.add(page)
        if start.checkpoints:
            start.checkpoints.note(
                writer,
                start.folder,
                page.position,
                started_at=start.started_at,
                read_at=start.read_at(reader),
                request_count=start.request_count(reader),
                caps_met=full_refresh.caps_met,
            )


def _pages(task: _Task, start: _Start) -> Iterator[Page]:
    reader, window = task.reader, task.window
    if start.begun is not None and isinstance(reader, ResumableReader):
        return reader.resume(start.begun.position)
    if window is None:
        return reader.read(start.since)
    if not isinstance(reader, WindowReader):
        raise WindowError(
            f"{task.entity.table} cannot be read by a window: its source does not say what changed when. Run the DAG "
            "without since and until, or its full refresh, which reads everything."
        )
    return reader.read_window(window.since, window.until)


def _keep_what_became_of_the_missing(
    task: _Task,
    start: _Start,
    full_refresh: "_FullRefresh",
    suppression: purged.Suppression,
    writer: LandingWriter,
    share: float,
) -> int:
    """Ask about the live rows that were not met, and about the recycling bin. Return how many of the former are gone.

    Raises `TombstoneGuardError` before it asks when they are more than `share` of the table.
    """
    reader = task.reader
    live, binned = known_ids(task.client, task.settings, task.entity, start.started_at)
    missing = sorted(each for each in live - full_refresh.seen if reader.would_meet(each))
    check_tombstone_share(task.entity, len(missing), len(live), share)
    before = writer.tombstone_count
    for page in suppression.pages(reader.ask_about(missing)):
        writer.keep(page)
    missing_count = writer.tombstone_count - before
    if isinstance(reader, BinReader):
        unseen = [each for each in binned if each not in full_refresh.seen]
        for page in suppression.pages(reader.ask_bin(unseen[:BIN_LIMIT])):
            writer.keep(page)
    return missing_count


def _is_full_refresh(task: _Task) -> bool:
    """Whether everything was read. A source with sync tokens knows it once it has answered."""
    return task.reader.is_full_refresh if isinstance(task.reader, SyncReader) else task.refresh == "full"


def _is_held(task: _Task, state: states.State, digest: str) -> bool:
    """Whether the warehouse holds just what was read."""
    # Since the state was read, or kept, the table may have been loaded, so a load is spared by one of this sync alone.
    return state.holds(digest) and states.read(task.client, task.settings, task.entity, SYNC).holds(digest)


def _manifest(
    task: _Task, start: _Start, full_refresh: "_FullRefresh", missing_count: int, is_unchanged: bool
) -> Manifest:
    """What the landing's manifest says, but for the counts, which are the writer's."""
    reader = task.reader
    is_full = _is_full_refresh(task)
    read_at = start.read_at(reader)
    until = task.window.until if task.window and task.refresh == "changed" else None
    schema_digest = drift.digest(task.entity.source, start.description)
    return Manifest(
        run_id=start.run_id,
        source=task.entity.source,
        entity=task.entity.name,
        refresh="full" if is_full else task.refresh,
        started_at=start.started_at,
        extracted_at=datetime.now(UTC),
        window_since=None if is_full else start.since,
        window_until=until or read_at,
        cursor_at=read_at if until is None and start.state.joins(start.since) else None,
        record_count=0,
        tombstone_count=0,
        request_count=start.request_count(reader),
        caps_met=full_refresh.caps_met,
        part_count=0,
        is_complete=True,
        missing_count=missing_count,
        rejected_count=full_refresh.rejected_count + _rejected_count(reader),
        content_digest=full_refresh.digest if is_full else None,
        is_unchanged=is_unchanged,
        sync_token=reader.sync_token if isinstance(reader, SyncReader) else None,
        schema_digest=schema_digest,
        has_new_schema=schema_digest not in (None, start.state.schema_digest),
        base_run_id=start.state.last_run_id,
        schema=start.description,
    )


def _tell(task: _Task, folder: str, manifest: Manifest) -> None:
    """Say in the log what was read."""
    unkeyed_count = manifest.rejected_count - _rejected_count(task.reader)
    if unkeyed_count:
        logger.warning(
            "%s: %d records have no id. They are kept in %s/%s and cannot be loaded; everything else is.",
            task.entity.table,
            unkeyed_count,
            task.landing.uri,
            folder,
        )
    logger.info(
        "%s: %d records and %d tombstones in %d requests, kept in %s/%s%s.",
        task.entity.table,
        manifest.record_count,
        manifest.tombstone_count,
        manifest.request_count,
        task.landing.uri,
        folder,
        "; just what the warehouse holds already" if manifest.is_unchanged else "",
    )


def _rejected_count(reader: Reader) -> int:
    """How many of the records say only why something cannot be read. The reader has told of them."""
    return reader.rejected_count if isinstance(reader, RejectingReader) else 0


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


class _FullRefresh:
    """Knows what was met. The digest depends on the order only where a record is met twice: its latest content counts."""

    def __init__(self, reader: Reader, caps_met: int = 0) -> None:
        self._reader = reader
        self._sum = 0
        self._digests: dict[str, int] = {}
        self.rejected_count = 0
        self.caps_met = caps_met

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
        self.caps_met += page.is_capped
        for record in page.records:
            if record.id is None:
                self.rejected_count += 1
            else:
                self._meet(record.id, self._reader.content_hash(record))
        for tombstone in page.tombstones:
            self._meet(tombstone.id, f"{tombstone.reason} {tombstone.merged_into_id}")

    def _meet(self, record_id: str, content: str) -> None:
        digest = int.from_bytes(hashlib.sha256(f"{record_id} {content}".encode()).digest()[:16])
        self._sum = (self._sum - self._digests.get(record_id, 0) + digest) % 2**128
        self._digests[record_id] = digest
