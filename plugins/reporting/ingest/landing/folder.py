"""The folder or bucket of all landings: finds them, reads them, erases a person from them and removes the old ones."""

import gzip
import io
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from reporting.google_key import GoogleKey
from reporting.ingest.landing.errors import DAMAGED, DAMAGED_PART, UNREADABLE, LandingError, raise_if_full
from reporting.ingest.landing.lines import COMPRESSION, is_part, page_of, part_name, read_part
from reporting.ingest.landing.manifest import MANIFEST, Manifest, begun_at
from reporting.ingest.landing.writing import LandingWriter, Parts
from reporting.settings import Settings
from reporting.sources.base import Page
from reporting.storage.files import open_folder, settle, write_whole

# A part of a path that leads nowhere else.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
# Beside the manifest while its counts are not those of the parts.
ERASING = "erasing"


class Landing:
    """The landings below `uri`, a folder or bucket as `open_folder` takes it."""

    def __init__(self, uri: str, google_key: GoogleKey | None = None) -> None:
        self.uri = uri.rstrip("/")
        self._files, self._root = open_folder(self.uri, google_key)

    @classmethod
    def of(cls, settings: Settings) -> "Landing":
        """Where these settings keep answers."""
        return cls(settings.landing_uri, settings.google_key)

    def folder(self, source: str, entity: str, run_id: str) -> str:
        """Where one run's landing is, relative to the landing uri."""
        return self._relative(f"{source}/{entity}/{run_id}")

    def _path(self, folder: str) -> str:
        """Where a folder is. Its name comes from other tasks and from parameters: one that leads elsewhere is refused."""
        return f"{self._root}/{self._relative(folder)}"

    def _relative(self, folder: str) -> str:
        if not all(NAME.fullmatch(each) for each in folder.split("/")):
            raise LandingError(
                f"{folder!r} is not the name of a landing. Clear the extract task, which makes one."
            )
        return folder

    def run_ids(self, source: str, entity: str) -> list[str]:
        """Every run of an entity that left something, whole or cut off, the oldest first."""
        names = [each.rpartition("/")[2] for each in self._folders(self._path(f"{source}/{entity}"))]
        return sorted(names, key=lambda name: name.rpartition("-")[2])

    def writer(self, folder: str, begun: Parts | None = None) -> LandingWriter:
        """A context manager that keeps pages; without `finish` the landing stays without a manifest.

        With `begun` it goes on after the parts of another landing, of which it takes copies. Raises `LandingError`
        where there is no room.
        """
        writer = LandingWriter(self._files, self._path(folder))
        if begun is not None:
            try:
                writer.copy(self._path(begun.folder), begun)
            except OSError as error:
                raise_if_full(error, self._path(folder))
                raise
        return writer

    def settle(self, folder: str) -> None:
        """Return when a landing would outlast a loss of power."""
        settle(self._files, self._path(folder))

    def discard(self, before: datetime) -> int:
        """Remove the landings of runs that began before that time, and return how many.

        The newest of each entity stays however old it is, so that `load` can be cleared.
        """
        discarded = 0
        for source in self._folders(self._root):
            for entity in self._folders(source):
                for run in sorted(self._folders(entity), key=begun_at)[:-1]:
                    if begun_at(run) < before:
                        self._files.rm(run, recursive=True)
                        discarded += 1
        return discarded

    def entities(self) -> Iterator[tuple[str, str]]:
        """Source and entity of everything that left something."""
        for source in self._folders(self._root):
            for entity in self._folders(source):
                yield source.rpartition("/")[2], entity.rpartition("/")[2]

    def erase(self, folder: str, suppression: Callable[[Page], Page]) -> int:
        """Take out of a landing what `screen` takes out of its pages, and return how many lines went.

        A landing that was cut off is removed as a whole when it has such a line or cannot be read. Raises `LandingError`
        when one with a manifest cannot be read.
        """
        path = self._path(folder)
        is_cut_off = not self._files.exists(f"{path}/{MANIFEST}")
        try:
            erased = sum(self._erase_part(folder, part, suppression) for part in self._parts(path))
        except UNREADABLE as error:
            if not is_cut_off:
                raise self._unreadable(folder, error) from error
            erased = 1
        if is_cut_off:
            if erased:
                self._files.rm(path, recursive=True)
        elif self._files.exists(f"{path}/{ERASING}"):
            self._recount(folder)
        return erased

    def _erase_part(self, folder: str, part: str, suppression: Callable[[Page], Page]) -> int:
        path = f"{self._path(folder)}/{part}"
        erased = 0
        kept = io.BytesIO()
        with gzip.open(kept, "wb", compresslevel=COMPRESSION) as out:
            for line in read_part(self._files, path):
                page = suppression(page_of(line))
                if page.records or page.tombstones:
                    out.write(line)
                else:
                    erased += 1
        if erased:
            # Until the manifest has the new counts: whoever goes on after a kill counts again.
            write_whole(self._files, f"{self._path(folder)}/{ERASING}", b"")
            write_whole(self._files, path, kept.getvalue())
        return erased

    def lines(self, folder: str) -> Iterator[Page]:
        """Every record and tombstone in the parts that are there, one a page, whatever the manifest says.

        Raises `LandingError` where a part cannot be read.
        """
        path = self._path(folder)
        try:
            for part in self._parts(path):
                yield from map(page_of, read_part(self._files, f"{path}/{part}"))
        except UNREADABLE as error:
            raise self._unreadable(folder, error) from error

    def _unreadable(self, folder: str, error: Exception) -> LandingError:
        return LandingError(
            f"{self.uri}/{folder} cannot be read ({type(error).__name__}). Remove that folder: what was loaded of it stays in "
            "the warehouse."
        )

    def _recount(self, folder: str) -> None:
        path = self._path(folder)
        records = tombstones = 0
        for page in self.lines(folder):
            records += len(page.records)
            tombstones += len(page.tombstones)
        before = self.manifest(folder)
        missing = None if before.missing_count is None else min(before.missing_count, tombstones)
        manifest = replace(
            before,
            record_count=records,
            tombstone_count=tombstones,
            missing_count=missing,
            # It stands for more than is there now.
            content_digest=None,
        )
        write_whole(self._files, f"{path}/{MANIFEST}", manifest.to_json().encode())
        self._files.rm_file(f"{path}/{ERASING}")

    def _parts(self, path: str) -> list[str]:
        names = (each.rpartition("/")[2] for each in self._files.ls(path, detail=False))
        return sorted(filter(is_part, names))

    def _folders(self, path: str) -> list[str]:
        try:
            found = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return [each["name"].rstrip("/") for each in found if each["type"] == "directory"]

    def manifest(self, folder: str) -> Manifest:
        """The manifest of a landing. Raises `LandingError` when there is none."""
        try:
            return Manifest.from_json(self._files.cat_file(f"{self._path(folder)}/{MANIFEST}").decode())
        except FileNotFoundError as error:
            raise LandingError(
                f"{self.uri}/{folder} has no {MANIFEST}: its extract did not end. Clear the extract task, "
                "which reads the source again."
            ) from error
        except DAMAGED as error:
            raise self._unreadable(folder, error) from error

    def pages(self, folder: str) -> Iterator[Page]:
        """The kept records and tombstones, one page per line, in the order in which they were read.

        Raises `LandingError` when the files and the manifest disagree.
        """
        manifest = self.manifest(folder)
        return self.pages_in(
            Parts(folder, manifest.part_count, manifest.record_count, manifest.tombstone_count)
        )

    def pages_in(self, parts: Parts) -> Iterator[Page]:
        """The same of parts that have no manifest yet."""
        folder = parts.folder
        records = tombstones = 0
        for name in map(part_name, range(parts.part_count)):
            try:
                for line in read_part(self._files, f"{self._path(folder)}/{name}"):
                    page = page_of(line)
                    records += len(page.records)
                    tombstones += len(page.tombstones)
                    yield page
            except FileNotFoundError as error:
                raise LandingError(f"{self.uri}/{folder} lacks {name}. Clear the extract task.") from error
            except DAMAGED_PART as error:
                raise LandingError(
                    f"{name} of {self.uri}/{folder} is damaged ({type(error).__name__}). Clear the extract task, which "
                    "reads the source again."
                ) from error
        if (records, tombstones) != (parts.record_count, parts.tombstone_count):
            raise LandingError(
                f"{self.uri}/{folder} should hold {parts.record_count} records and "
                f"{parts.tombstone_count} tombstones, and holds {records} and {tombstones}. "
                "Clear the extract task."
            )

    def note(self, path: str) -> str | None:
        """The text of a small file beside the landings; None when there is none."""
        try:
            return str(self._files.cat_file(f"{self._root}/{path}").decode())
        except FileNotFoundError:
            return None

    def write_note(self, path: str, text: str) -> None:
        """Write a small file beside the landings, whole or not at all."""
        write_whole(self._files, f"{self._root}/{path}", text.encode())

    def remove_note(self, path: str) -> None:
        """Remove a small file beside the landings, if it is there."""
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._root}/{path}")
