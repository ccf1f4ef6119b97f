"""Lists and opens the files of a folder or a bucket. Nothing outside of it is ever opened, whatever a name or a link says.

The address may hold a password, so no message shows it; names of files are shown.
"""

import glob
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from reporting.google_key import GoogleKey
from reporting.settings import Settings, is_bucket
from reporting.sources.base import NotFoundError, SourceError, SourceUnavailableError
from reporting.sources.files.content import LARGEST_FILE, UnreadableError
from reporting.storage.files import is_on_disk, open_folder

# What fsspec's clients of buckets call the time of the last change, and what stands for a content.
TIMES = ("mtime", "updated", "LastModified", "last_modified", "server_modified", "modified", "created")
CONTENTS = ("etag", "ETag", "md5Hash", "crc32c", "content_hash", "generation")
# Files that Excel and others put beside an open one.
TEMPORARY = ("~$", ".")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class File:
    """A file below the folder. `stamp` differs whenever size, time or, where the bucket tells it, content do.

    `problem` says why it is not opened at all.
    """

    name: str
    size: int
    modified_at: datetime | None
    stamp: str
    problem: str | None = None


class Folder:
    """The folder at `address`. Raises `SourceError` for an address that cannot be used."""

    def __init__(self, address: str, google_key: GoogleKey | None = None) -> None:
        scheme = address.partition("://")[0] if "://" in address else ""
        if not scheme and not Path(address).expanduser().is_absolute():
            raise SourceError(
                "the connection 'files' does not hold the address of a folder: it begins with / or with a scheme such as gs://. "
                "Run script/connect files."
            )
        try:
            self._files, self._root = open_folder(
                address if scheme else str(Path(address).expanduser()),
                google_key,
            )
        except ImportError:
            raise SourceError(
                f"a folder at {scheme}:// needs a package that is not installed. Install fsspec's own for it (s3fs for s3://, "
                "dropboxdrivefs for dropbox://, gcsfs for gs://) in .venv/airflow, and run it again."
            ) from None
        except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
            raise SourceError(
                f"the address in the connection 'files' cannot be used ({type(error).__name__}). Run script/connect files."
            ) from None
        self._is_here = is_on_disk(self._files)
        if self._is_here:
            self._root = os.path.realpath(self._root)
        self.request_count = 0
        self.account = hashlib.sha256(address.encode()).hexdigest()[:12]

    def files(self, pattern: str) -> list[File]:
        """The files that match `pattern`, in the order of their names.

        Raises `NotFoundError` where the folder itself is not there, so that a disk which is not mounted is no empty folder.
        """
        matches = re.compile(glob.translate(pattern, recursive=True, include_hidden=True, seps="/")).match
        self.request_count += 1
        found = []
        # Only below what the pattern says without a star.
        fixed = re.split(r"[*?\[]", pattern)[0].rpartition("/")[0]
        # And only as deep as it goes.
        depth = None if "**" in pattern else pattern.removeprefix(fixed).strip("/").count("/") + 1
        for each in self._here(fixed, depth) if self._is_here else self._there(fixed, depth):
            parts = each.name.split("/")
            if matches(each.name) and not any(part.startswith(TEMPORARY) and part != ".." for part in parts):
                found.append(each)
            if len(found) > MOST_FILES:
                raise SourceError(
                    f"more than {MOST_FILES} files match {pattern}. Join them into fewer, or narrow the pattern."
                )
        return sorted(found, key=lambda each: each.name)

    @contextmanager
    def open(self, file: File) -> Iterator[IO[bytes]]:
        """The file, open for reading; one in a bucket as a copy on disk, which goes away with the block.

        Raises `FileNotFoundError`, `UnreadableError`, and `SourceUnavailableError` where the bucket does not answer.
        """
        self.request_count += 1
        if self._is_here:
            with self._open_here(file) as opened:
                yield opened
            return
        if file.size > LARGEST_FILE:
            raise UnreadableError(
                f"has more than {LARGEST_FILE // 2**30} GiB, which is the most that is read"
            )
        with tempfile.TemporaryFile() as copy:
            try:
                with self._files.open(f"{self._root}/{file.name}", "rb") as source:
                    while chunk := source.read(2**20):
                        copy.write(chunk)
            except FileNotFoundError:
                raise
            except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
                raise self._unavailable(error) from None
            yield copy

    def is_same(self, file: File, opened: IO[bytes]) -> bool:
        """Whether a file on disk still is as it was listed; in a bucket a file is replaced as a whole."""
        return not self._is_here or _stamp(os.fstat(opened.fileno())) == file.stamp

    @contextmanager
    def _open_here(self, file: File) -> Iterator[IO[bytes]]:
        try:
            # Neither through a link, nor waiting for whoever writes into a pipe.
            number = os.open(
                f"{self._root}/{file.name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            )
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadableError(f"cannot be opened ({error.strerror})") from None
        with os.fdopen(number, "rb") as opened:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise UnreadableError("is no plain file")
            if not self._is_within(os.path.dirname(f"{self._root}/{file.name}")):
                raise UnreadableError("lies behind a symbolic link, which is not followed")
            yield opened

    def _is_within(self, folder: str) -> bool:
        """Whether no part of the path of a folder below the root is a link."""
        return os.path.realpath(folder) == os.path.normpath(folder)

    def _here(self, fixed: str, depth: int | None) -> Iterator[File]:
        if not os.path.isdir(self._root):
            raise NotFoundError(
                "the folder of the connection 'files' is not there, or its disk is not mounted. Nothing was loaded, and the rows "
                "stay as they were read last. script/connect files takes another one."
            )
        below = os.path.join(self._root, fixed) if fixed else self._root
        if os.path.isdir(below) and self._is_within(below):
            yield from self._below(f"{fixed}/" if fixed else "", depth)

    def _below(self, folder: str, depth: int | None) -> Iterator[File]:
        try:
            entries = sorted(os.scandir(f"{self._root}/{folder}"), key=lambda each: each.name)
        except OSError as error:
            # What cannot be looked into may hold what was read before.
            raise SourceUnavailableError(
                f"the folder '{_shown(folder)}' of files cannot be looked into ({error.strerror}). Nothing was loaded."
            ) from None
        for entry in entries:
            name = f"{folder}{entry.name}"
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth != 1 and not entry.name.startswith(TEMPORARY):
                        yield from self._below(f"{name}/", depth - 1 if depth else None)
                    continue
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            problem = _problem_of(name)
            if stat.S_ISLNK(found.st_mode):
                problem = "is a symbolic link, which is not followed; put the file itself into the folder"
            elif not stat.S_ISREG(found.st_mode):
                problem = "is no plain file"
            modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
            yield File(_shown(name), found.st_size, modified_at, _stamp(found), problem)

    def _there(self, fixed: str, depth: int | None) -> Iterator[File]:
        try:
            if not self._files.exists(self._root):
                raise NotFoundError(
                    "the folder of the connection 'files' is not there, or is empty. Nothing was loaded, and the rows stay as "
                    "they were read last. script/connect files takes another one."
                )
            found = self._files.find(
                f"{self._root}/{fixed}" if fixed else self._root, maxdepth=depth, detail=True
            )
        except SourceError:
            raise
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 (the clients of buckets raise errors of no common kind)
            raise self._unavailable(error) from None
        for path, info in found.items():
            name = str(path).removeprefix(str(self._root)).lstrip("/")
            told = [str(info[each]) for each in (*TIMES, *CONTENTS) if info.get(each) is not None]
            stamp = hashlib.sha256(repr([info.get("size"), told]).encode()).hexdigest()
            yield File(_shown(name), int(info.get("size") or 0), _time_in(info), stamp, _problem_of(name))

    def _unavailable(self, error: Exception) -> SourceUnavailableError:
        # Without the text of the error, which may quote the address.
        return SourceUnavailableError(
            f"the folder of the connection 'files' does not answer ({type(error).__name__}). Nothing was loaded. If it stays so, run "
            "script/doctor."
        )


def folder_of(settings: Settings, address: str) -> Folder:
    """The folder at `address`; a bucket of Google's is opened with the warehouse's key. Raises `SourceError`, and `SettingError` for
    a key that cannot be read."""
    return Folder(address, settings.google_key if is_bucket(address) else None)


def _problem_of(name: str) -> str | None:
    if {"", ".", ".."} & set(name.split("/")):
        return "has a name that leads elsewhere"
    if UNPRINTABLE.search(name):
        return "has a name with characters that cannot be shown"
    return None


def _shown(name: str) -> str:
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", name)


def _stamp(found: os.stat_result) -> str:
    return f"{found.st_size} {found.st_mtime_ns}"


def _time_in(info: dict[str, Any]) -> datetime | None:
    for name in TIMES:
        value = info.get(name)
        try:
            if isinstance(value, int | float):
                return datetime.fromtimestamp(value, UTC)
            if isinstance(value, str):
                value = datetime.fromisoformat(value)
        except (ValueError, OverflowError, OSError):
            continue
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
    return None
