"""Reads the files of one declared table: all of them, or those that are new or changed.

A file is looked through before anything of it is yielded, so that one which is half-written waits as a whole. The rows of a file that
waits, or that cannot be read any more, stay as they were read last.

An incremental refresh becomes a full one where it could not say which rows are gone: when a file was removed, or has fewer records
than before, or, in a table with a key, when a file was changed. What a full refresh does not meet is held against the share of a
table that may go, so that a disk which is not mounted, or a program that begins its log anew, empties no table.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from reporting.entity import Entity
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Tombstone, digest_of, missing
from reporting.sources.files.content import UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.folder import File, Folder, folder_of
from reporting.sources.files.opening import Looked, WaitingError, look_through, opened, records_of
from reporting.sources.files.rows import ROW_VERSION, content_hash
from reporting.sources.files.states import DIGEST, NAME, STAMP, UNKNOWN_COUNT, Known, States, short

logger = logging.getLogger(__name__)

# A file system may give the same time to two changes that follow one another so soon.
RACY = timedelta(seconds=3)
# How many rejects the log names; all of them are in the raw table.
MOST_NAMED = 10
# After so many files or records a full refresh can go on.
FILES_PER_POSITION, RECORDS_PER_POSITION = 50, 5000


def open_reader(settings: Settings, entity: Entity, token: str, base_url: str | None) -> "FilesReader":
    """A reader of `entity`. `token` is the address of the folder, so `base_url` is not used."""
    if not isinstance(entity, FileTable):
        raise TypeError(f"expected a table of files, got {type(entity).__name__}")
    pattern = settings.names.get(entity.table) or entity.pattern
    return FilesReader(folder_of(settings, token), entity, pattern)


class FilesReader:
    """Reads one table; a `SyncReader` and a `ResumableReader`. Raises the errors of `reporting.sources.base`.

    The payload of a record is `{"id", "file", "line", "record", "ways"}`: what was read, and how numbers and dates are written in
    that file. Of what cannot be read it is `{"id", "file", "line", "rejected"}`, without any of the content.
    """

    def __init__(self, folder: Folder, table: FileTable, pattern: str) -> None:
        self._folder, self._table, self._pattern = folder, table, pattern
        self._declared = digest_of([pattern, repr(table)], ROW_VERSION)[:16]
        self._token: str | None = None
        self._before = self._states = States(self._declared)
        self._files: list[File] = []
        self._listed_at = datetime.now(UTC)
        # The files whose rows stay as they are, though what they hold now was not read.
        self._held: set[str] = set()
        # The files of which everything was yielded, and the keys, where a table has one.
        self._yielded: set[str] = set()
        self._keys: set[str] = set()
        self._has_fewer = self._knows_all = False
        self._is_full_refresh = False
        self._since_position = [0, 0]
        self.server_started_at: datetime | None = None
        self.sync_token: str | None = None
        self.rejected_count = 0

    @property
    def account(self) -> str:
        """Tells the folder from others."""
        return self._folder.account

    @property
    def request_count(self) -> int:
        """How often the folder was listed or a file opened."""
        return self._folder.request_count

    @property
    def is_full_refresh(self) -> bool:
        """Whether all files are read; known when the read is complete."""
        return self._is_full_refresh

    def resume_at(self, sync_token: str | None) -> None:
        """Set the token from which an incremental refresh begins."""
        self._token = sync_token

    def describe(self) -> dict[str, Any]:
        """List the files, and tell what is read."""
        self._listed_at = datetime.now(UTC)
        self._files = self._folder.files(self._pattern)
        if not self._files:
            logger.warning("%s: no file matches %s.", self._table.table, self._pattern)
        return {"id": f"{self._pattern} {self._declared}", "files": len(self._files)}

    def expected_count(self) -> int | None:
        """Nobody says."""
        return None

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield the records of all files, or with `since` those of files that are new or changed."""
        before = self._look_back()
        self._is_full_refresh = since is None or before is None or self._needs_all(before)
        for file in self._in_order(self._files):
            known = self._before.known(file.name)
            if not self._is_full_refresh and known is not None and known.stamp == short(file.stamp, STAMP):
                self._states.note(file.name, known)
            else:
                yield from self._pages(file)
        if self._has_fewer and not self._is_full_refresh:
            logger.info(
                "%s: a file has fewer records than before, so all of them are read.", self._table.table
            )
            self._is_full_refresh = True
            for file in self._files:
                if file.name not in self._yielded | self._held:
                    yield from self._pages(file)
        self._finish()

    def resume(self, position: Mapping[str, Any]) -> Iterator[Page]:
        """Yield what followed the file that the position names; what changed in those before it the next read finds."""
        self._look_back()
        self._is_full_refresh = True
        self._states = States.parse(position["token"], self._declared) or self._states
        self._held = set(position["held"])
        for file in self._files:
            if file.name > position["after"]:
                yield from self._pages(file)
        self._finish()

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record: not one of a file that waits, or that may be removed."""
        name, colon, number = record_id.rpartition(":")
        if self._table.keys and not colon:
            return not self._held and not self._table.keeps_removed
        if name in self._held:
            return False
        # Of what could not be read in a file that is not there any more nothing is worth keeping.
        return (
            not self._table.keeps_removed or number == "0" or any(each.name == name for each in self._files)
        )

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the files have every record that there is."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the record."""
        return content_hash(self._table, record)

    def close(self) -> None:
        """Nothing is kept open."""

    def _look_back(self) -> States | None:
        """What is known from the token; None where it is none, so that the warehouse may hold anything."""
        before = States.parse(self._token, self._declared)
        self._before, self._knows_all = before or self._before, before is not None
        return before

    def _needs_all(self, before: States) -> bool:
        """Whether what is gone, or what a key stands for now, cannot be told from the changed files alone."""
        names = {short(each.name, NAME): each for each in self._files}
        if not self._table.keeps_removed and not before.files.keys() <= names.keys():
            return True
        if not self._table.keys:
            return False
        for each in self._files:
            known = before.known(each.name)
            if each.name <= before.last if known is None else known.stamp != short(each.stamp, STAMP):
                return True
        return False

    def _in_order(self, files: list[File]) -> list[File]:
        """The files by name; the last one first where a key may be in several, since that of the last one counts."""
        return files[::-1] if self._table.keys else files

    def _pages(self, file: File) -> Iterator[Page]:
        """The records of one file, if it is whole. Nothing that is wrong with it stops the others."""
        known = self._before.known(file.name)
        try:
            with opened(self._folder, file) as raw:
                looked = look_through(self._table, file, raw, self._listed_at, self._folder)
                is_same_content = (
                    known is not None
                    and not known.is_refused
                    and known.digest == short(looked.digest, DIGEST)
                )
                if is_same_content and not self._is_full_refresh:
                    self._note(file, looked)
                    return
                try:
                    yield from self._pages_of(file, looked, known)
                except UnreadableError as error:
                    raise WaitingError(f"changed while it was read: it {error}") from None
                if not self._folder.is_same(file, raw):
                    raise WaitingError("was written to while it was read")
        except WaitingError as waiting:
            logger.warning(
                "%s: %s %s, so it waits until it is whole. What was read of it before stays.",
                self._table.table,
                file.name,
                waiting,
            )
            self._hold(file)
        except UnreadableError as error:
            yield from self._refused(file, known, str(error))

    def _pages_of(self, file: File, looked: Looked, known: Known | None) -> Iterator[Page]:
        requested_at = datetime.now(UTC)
        logger.info("%s: %s has %s.", self._table.table, file.name, looked.told())
        # What was yielded of it before something goes wrong counts, too.
        self._note(file, looked)
        here: set[str] = set()
        for some in batched(records_of(self._table, file, looked, here), self._table.page_size, strict=False):
            for each in some:
                self._count(each)
            # Of a key in several files the last one counts, and those are read first.
            kept = tuple(each for each in some if each.id not in self._keys)
            yield Page(requested_at, kept)
        self._keys |= here
        if known is not None:
            self._has_fewer = self._has_fewer or looked.count < known.count
        self._yielded.add(file.name)
        told = (Tombstone(f"{file.name}:0", "missing", is_told=True),) if known and known.is_refused else ()
        yield Page(requested_at, tombstones=told, position=self._position(file, looked.count))

    def _refused(self, file: File, known: Known | None, reason: str) -> Iterator[Page]:
        """The one row of a file that cannot be read as a whole."""
        self._held.add(file.name)
        record = Record({"id": f"{file.name}:0", "file": file.name, "line": None, "rejected": reason})
        self._count(record)
        count = known.count if known else UNKNOWN_COUNT
        self._states.note(file.name, Known(short(file.stamp, STAMP), b"", count, is_refused=True))
        self._yielded.add(file.name)
        yield Page(datetime.now(UTC), (record,), position=self._position(file, 1))

    def _note(self, file: File, looked: Looked) -> None:
        """Remember what was read of a file; one that changed just now is read again."""
        is_settled = file.modified_at is None or file.modified_at < self._listed_at - RACY
        stamp = short(file.stamp, STAMP) if is_settled else b""
        self._states.note(file.name, Known(stamp, short(looked.digest, DIGEST), looked.count))

    def _hold(self, file: File) -> None:
        """Keep what is known of a file, and have it read again."""
        self._held.add(file.name)
        before, now = self._before.known(file.name), self._states.known(file.name)
        counts = [each.count for each in (now, before) if each]
        if counts or not self._knows_all:
            is_refused = before is not None and before.is_refused
            count = max(counts, default=UNKNOWN_COUNT)
            self._states.note(file.name, Known(b"", b"", count, is_refused))

    def _count(self, record: Record) -> None:
        reason = record.payload.get("rejected")
        if reason is None:
            return
        self.rejected_count += 1
        if self.rejected_count <= MOST_NAMED:
            line = record.payload["line"]
            logger.warning(
                "%s: %s%s %s.",
                self._table.table,
                record.payload["file"],
                f", line {line}," if line else "",
                reason,
            )

    def _position(self, file: File, record_count: int) -> dict[str, Any] | None:
        """Where a full refresh can go on after this file; a table with a key has met keys that a position does not hold."""
        self._since_position = [self._since_position[0] + 1, self._since_position[1] + record_count]
        files, records = self._since_position
        if self._table.keys or (files < FILES_PER_POSITION and records < RECORDS_PER_POSITION):
            return None
        token = self._states.token()
        self._since_position = [0, 0]
        return {"after": file.name, "token": token, "held": sorted(self._held)} if token else None

    def _finish(self) -> None:
        # While a file of which nothing is known waits, no key was said to be gone; that is done once it is whole.
        is_owed = bool(self._table.keys) and any(self._states.known(each) is None for each in self._held)
        self.sync_token = None if is_owed else self._states.token()
        if self.rejected_count:
            logger.warning(
                "%s: rejected in all: %d, single lines or whole files. Everything else is loaded. The column reject_reason of the raw "
                "table says why; it goes when the file is mended.",
                self._table.table,
                self.rejected_count,
            )
        if self._held:
            logger.warning(
                "%s: files not read: %d; their rows stay as they were.", self._table.table, len(self._held)
            )
