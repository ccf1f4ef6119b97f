"""Writes a landing: parts of compressed lines first, the manifest last."""

import gzip
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import IO, Any

from reporting.ingest.landing.errors import LandingError, raise_if_full
from reporting.ingest.landing.lines import COMPRESSION, lines_of, part_name
from reporting.ingest.landing.manifest import MANIFEST, Manifest
from reporting.sources.base import Page
from reporting.storage.files import write_whole

# Large enough to compress well and small enough to be uploaded in one piece.
LINES_PER_PART = 20_000


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
        self._out: IO[bytes] | None = None
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
        for line in lines_of(page):
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
            self._files.cp_file(f"{root}/{part_name(part)}", f"{self._root}/{part_name(part)}")
        self.part_count = begun.part_count
        self.record_count, self.tombstone_count = begun.record_count, begun.tombstone_count

    def cut(self) -> None:
        """End the current part, which is whole then; what is kept next begins another one."""
        self._stack.close()
        self._out = None

    def _write(self, line: bytes) -> None:
        if self._out is None or self._lines_in_part >= LINES_PER_PART:
            self._stack.close()
            raw = self._stack.enter_context(
                self._files.open(f"{self._root}/{part_name(self.part_count)}", "wb")
            )
            self._out = self._stack.enter_context(gzip.open(raw, "wb", compresslevel=COMPRESSION))  # noqa: SIM115 (the stack closes it)
            self.part_count += 1
            self._lines_in_part = 0
        self._out.write(line + b"\n")
        self._lines_in_part += 1
