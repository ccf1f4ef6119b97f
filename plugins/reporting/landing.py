"""Keeps what was read: gzipped NDJSON and a manifest, under a folder or bucket reached through fsspec.

    {landing}/{source}/{entity}/{run id}/part-00000.ndjson.gz
    {landing}/{source}/{entity}/{run id}/manifest.json

The manifest is written last, so a landing with a manifest is whole, and one without was cut off. A run id is
used once: nothing here is ever overwritten.
"""

import errno
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import IO, Any, Literal

from reporting.files import open_folder, write_whole
from reporting.google_key import GoogleKey
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Tombstone

MANIFEST = "manifest.json"
# Beside the manifest while its counts are not those of the parts.
ERASING = "erasing"
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error)
# Large enough to compress well and small enough to be uploaded in one piece.
LINES_PER_PART = 20_000
# How a run's id ends.
RUN_TIME = "%Y%m%dT%H%M%S%f"
# A disk is full, or what this user may use of it.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Refresh = Literal["full", "changed"]
# What the ledger says of a run: a replay is a load of an earlier run's landing.
Kind = Literal[Refresh, "replay"]


class LandingError(Exception):
    """A landing is not there or is not whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a landing holds. Times are UTC.

    `cursor_at` is where the next `changed` read begins, None where this read leaves that as it is. `window_since` is None
    for a sweep, `window_until` in manifests from before there were windows. `schema` is the
    source's own description of the entity at the time. `missing_count` is how many of the tombstones are for records that
    a sweep did not meet, `rejected_count` how many of the records have no key. `content_digest` stands for all that a
    sweep read, and `is_unchanged` says that the warehouse holds just that already. `sync_token` is where the source says
    that the next `changed` read begins. `caps_met` is how often a query met the source's cap on what one returns, and another
    went on. `schema_digest` stands for the properties in `schema`, and `has_new_schema` says
    that they are not those of the last run.
    """

    run_id: str
    source: str
    entity: str
    refresh: Kind
    started_at: datetime
    extracted_at: datetime
    window_since: datetime | None
    cursor_at: datetime | None
    record_count: int
    tombstone_count: int
    request_count: int
    part_count: int
    is_complete: bool
    window_until: datetime | None = None
    missing_count: int | None = None
    rejected_count: int = 0
    content_digest: str | None = None
    is_unchanged: bool = False
    sync_token: str | None = None
    schema_digest: str | None = None
    caps_met: int = 0
    has_new_schema: bool = False
    schema: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as text."""
        return json.dumps(asdict(self), default=_iso, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """The manifest that `text` holds."""
        fields = json.loads(text)
        times = ("started_at", "extracted_at", "window_since", "window_until", "cursor_at")
        parsed = {name: datetime.fromisoformat(fields[name]) if fields.get(name) else None for name in times}
        return cls(**{**fields, **parsed})


def new_run_id(source: str, entity: str, refresh: Refresh, at: datetime | None = None) -> str:
    """A name for one read: sortable by time, fit for a folder and for a BigQuery job id."""
    return f"{source}-{entity}-{refresh}-{(at or datetime.now(UTC)):{RUN_TIME}}"


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
        return f"{source}/{entity}/{run_id}"

    def run_ids(self, source: str, entity: str) -> list[str]:
        """Every run of an entity that left something, whole or cut off, the oldest first."""
        try:
            found = self._files.ls(f"{self._root}/{source}/{entity}", detail=True)
        except FileNotFoundError:
            return []
        names = [each["name"].rstrip("/").rpartition("/")[2] for each in found if each["type"] == "directory"]
        return sorted(names, key=lambda name: name.rpartition("-")[2])

    def writer(self, folder: str, begun: "Parts | None" = None) -> "LandingWriter":
        """A context manager that keeps pages; without `finish` the landing stays without a manifest.

        With `begun` it goes on after the parts of another landing, of which it takes copies. Raises `LandingError`
        where there is no room.
        """
        writer = LandingWriter(self._files, f"{self._root}/{folder}")
        if begun is not None:
            try:
                writer.copy(f"{self._root}/{begun.folder}", begun)
            except OSError as error:
                raise_if_full(error, f"{self._root}/{folder}")
                raise
        return writer

    def discard(self, before: datetime) -> int:
        """Remove the landings of runs that began before that time, and return how many.

        The newest of each entity stays however old it is, so that `load` can be cleared.
        """
        discarded = 0
        for source in self._folders(self._root):
            for entity in self._folders(source):
                for run in sorted(self._folders(entity), key=_begun_at)[:-1]:
                    if _begun_at(run) < before:
                        self._files.rm(run, recursive=True)
                        discarded += 1
        return discarded

    def entities(self) -> Iterator[tuple[str, str]]:
        """Source and entity of everything that left something."""
        for source in self._folders(self._root):
            for entity in self._folders(source):
                yield source.rpartition("/")[2], entity.rpartition("/")[2]

    def erase(self, folder: str, screen: Callable[[Page], Page]) -> int:
        """Take out of a landing what `screen` takes out of its pages, and return how many lines went.

        A landing that was cut off is removed as a whole when it has such a line or cannot be read. Raises `LandingError`
        when one with a manifest cannot be read.
        """
        path = f"{self._root}/{folder}"
        is_cut_off = not self._files.exists(f"{path}/{MANIFEST}")
        try:
            erased = sum(self._erase_part(folder, part, screen) for part in self._parts(path))
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

    def _erase_part(self, folder: str, part: str, screen: Callable[[Page], Page]) -> int:
        path = f"{self._root}/{folder}/{part}"
        erased = 0
        kept = io.BytesIO()
        with (
            self._files.open(path, "rb") as raw,
            gzip.open(raw, "rt", encoding="utf-8") as lines,
            gzip.open(kept, "wt", compresslevel=6, encoding="utf-8") as out,
        ):
            for line in lines:
                page = screen(_from_line(line))
                if page.records or page.tombstones:
                    out.write(line)
                else:
                    erased += 1
        if erased:
            # Until the manifest has the new counts: whoever goes on after a kill counts again.
            write_whole(self._files, f"{self._root}/{folder}/{ERASING}", b"")
            write_whole(self._files, path, kept.getvalue())
        return erased

    def lines(self, folder: str) -> Iterator[Page]:
        """Every record and tombstone in the parts that are there, one a page, whatever the manifest says.

        Raises `LandingError` where a part cannot be read.
        """
        path = f"{self._root}/{folder}"
        try:
            for part in self._parts(path):
                with (
                    self._files.open(f"{path}/{part}", "rb") as raw,
                    gzip.open(raw, "rt", encoding="utf-8") as lines,
                ):
                    yield from map(_from_line, lines)
        except UNREADABLE as error:
            raise self._unreadable(folder, error) from error

    def _unreadable(self, folder: str, error: Exception) -> LandingError:
        return LandingError(
            f"{self.uri}/{folder} cannot be read ({type(error).__name__}). Remove that folder: what was loaded of it stays in "
            "the warehouse."
        )

    def _recount(self, folder: str) -> None:
        path = f"{self._root}/{folder}"
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
        return sorted(name for name in names if name.startswith("part-") and name.endswith(".ndjson.gz"))

    def _folders(self, path: str) -> list[str]:
        try:
            found = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return [each["name"].rstrip("/") for each in found if each["type"] == "directory"]

    def manifest(self, folder: str) -> Manifest:
        """The manifest of a landing. Raises `LandingError` when there is none."""
        try:
            return Manifest.from_json(self._files.cat_file(f"{self._root}/{folder}/{MANIFEST}").decode())
        except FileNotFoundError as error:
            raise LandingError(
                f"{self.uri}/{folder} has no {MANIFEST}: its extract did not end. Clear the extract task, "
                "which reads the source again."
            ) from error

    def pages(self, folder: str) -> Iterator[Page]:
        """The kept records and tombstones, one page a line, in the order in which they were read.

        Raises `LandingError` when the files and the manifest disagree.
        """
        manifest = self.manifest(folder)
        return self.pages_in(
            Parts(folder, manifest.part_count, manifest.record_count, manifest.tombstone_count)
        )

    def pages_in(self, parts: "Parts") -> Iterator[Page]:
        """The same of parts that have no manifest yet."""
        folder = parts.folder
        records = tombstones = 0
        for part in range(parts.part_count):
            path = f"{self._root}/{folder}/{_part(part)}"
            try:
                with (
                    self._files.open(path, "rb") as raw,
                    gzip.open(raw, "rt", encoding="utf-8") as lines,
                ):
                    for line in lines:
                        page = _from_line(line)
                        records += len(page.records)
                        tombstones += len(page.tombstones)
                        yield page
            except FileNotFoundError as error:
                raise LandingError(
                    f"{self.uri}/{folder} lacks {_part(part)}. Clear the extract task."
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


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a landing that are whole, and what is in them."""

    folder: str
    part_count: int
    record_count: int
    tombstone_count: int


class LandingWriter:
    """Writes one landing; memory does not grow with the number of pages. Raises `LandingError` when the disk is full."""

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root
        self._stack = ExitStack()
        self._out: IO[str] | None = None
        self._lines_in_part = 0
        self.part_count = 0
        self.record_count = 0
        self.tombstone_count = 0

    def __enter__(self) -> "LandingWriter":
        if self._files.exists(f"{self._root}/{MANIFEST}"):
            raise LandingError(f"{self._root} is already whole; a run id is used once.")
        self._files.makedirs(self._root, exist_ok=True)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            self._stack.close()
        except OSError as unwritten:
            # What is left in memory meets the full disk once more.
            raise_if_full(unwritten, self._root)
            raise
        finally:
            if isinstance(error, OSError):
                raise_if_full(error, self._root)

    def keep(self, page: Page) -> None:
        """Append one page."""
        for line in _lines(page):
            self._write(line)
        self.record_count += len(page.records)
        self.tombstone_count += len(page.tombstones)

    def finish(self, manifest: Manifest) -> Manifest:
        """Close the parts and write the manifest, whose counts are taken from what was kept."""
        self._stack.close()
        counted = replace(
            manifest,
            part_count=self.part_count,
            record_count=self.record_count,
            tombstone_count=self.tombstone_count,
        )
        write_whole(self._files, f"{self._root}/{MANIFEST}", counted.to_json().encode())
        return counted

    def copy(self, root: str, begun: Parts) -> None:
        """Begin with copies of another landing's parts. Whoever wrote those may still be at it, and does no harm."""
        self._files.makedirs(self._root, exist_ok=True)
        for part in range(begun.part_count):
            self._files.cp_file(f"{root}/{_part(part)}", f"{self._root}/{_part(part)}")
        self.part_count = begun.part_count
        self.record_count, self.tombstone_count = begun.record_count, begun.tombstone_count

    def cut(self) -> None:
        """End the current part, which is whole then; what is kept next begins another one."""
        self._stack.close()
        self._out = None

    def _write(self, line: str) -> None:
        if self._out is None or self._lines_in_part >= LINES_PER_PART:
            self._stack.close()
            raw = self._stack.enter_context(self._files.open(f"{self._root}/{_part(self.part_count)}", "wb"))
            self._out = self._stack.enter_context(gzip.open(raw, "wt", compresslevel=6, encoding="utf-8"))  # noqa: SIM115 (the stack closes it)
            self.part_count += 1
            self._lines_in_part = 0
        self._out.write(line + "\n")
        self._lines_in_part += 1


def raise_if_full(error: OSError, where: str) -> None:
    """Raise `LandingError` in place of an error that says no more than that a disk is full."""
    if error.errno in FULL:
        raise LandingError(
            f"there is no room for what is read: {where} could not be written ({error.strerror}). Nothing was lost and "
            "nothing was loaded. Free some space, keep landings for fewer days (REPORTING_LANDING_DAYS) or elsewhere "
            "(REPORTING_LANDING_URI), and clear the extract task."
        ) from error


def _begun_at(folder: str) -> datetime:
    """When the run of a landing began, by its id. What is no run's began now: it is nothing of ours to remove."""
    try:
        return datetime.strptime(f"{folder.rsplit('-', 1)[-1]}+0000", f"{RUN_TIME}%z")
    except ValueError:
        return datetime.now(UTC)


def _part(number: int) -> str:
    return f"part-{number:05d}.ndjson.gz"


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not kept in a landing")


def _storable(digits: str) -> int | float:
    """A whole number as a JSON column can hold it: beyond 64 bits only the nearest FLOAT64."""
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def as_kept(page: Page) -> Iterator[Page]:
    """What a landing that kept `page` gives back: JSON changes numbers that a JSON column cannot hold."""
    return map(_from_line, _lines(page))


def _lines(page: Page) -> Iterator[str]:
    for record in page.records:
        values = {"values": record.values} if record.values else {}
        yield _line({"requested_at": page.requested_at, "payload": record.payload, **values})
    for tombstone in page.tombstones:
        yield _line({"requested_at": page.requested_at, "tombstone": asdict(tombstone)})


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), default=_iso)


def _from_line(text: str) -> Page:
    line = json.loads(text, parse_int=_storable)
    requested_at = datetime.fromisoformat(line["requested_at"])
    if "tombstone" in line:
        return Page(requested_at, tombstones=(Tombstone(**line["tombstone"]),))
    return Page(requested_at, (Record(line["payload"], line.get("values", {})),))
