"""Replaces an earlier export by a new one in one step, and refuses to replace anything that is not an export.

An export is written in a folder `.NAME.….part` beside its target, with a lock file that the writing process holds. If that
process is killed, the kernel releases the lock, and the next export to the same target removes the folder.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reporting.exports.formats import FORMATS, MANIFEST, Format
from reporting.exports.marts import ExportError

# https://man7.org/linux/man-pages/man2/rename.2.html
AT_FDCWD, RENAME_EXCHANGE = -100, 2
LOCK = ".maker.lock"
EARLIER = ".earlier"


@contextmanager
def placed(target: Path, form: Format) -> Iterator[Path]:
    """Yield a temporary path to write the export to. If the block ends without an error, it replaces `target`.

    Raises `ExportError` if something other than an export is at `target`, or if it cannot be written there.
    """
    # If `target` is a link, the file that it points to is replaced, and not the link.
    target = target.resolve()
    check(target, form)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _part(target) as part:
            made = part / target.name
            yield made
            _swap(made, target)
    except OSError as error:
        if error.errno is None:
            # An error of the network, which the message below would not fit.
            raise
        raise ExportError(
            f"{target} cannot be written ({error.strerror}). Free some space, fix its permissions, or name another path."
        ) from None


def check(target: Path, form: Format) -> None:
    """Raise `ExportError` unless `target` does not exist or is an earlier export."""
    if form.suffix is None:
        if target.is_file():
            raise ExportError(
                f"{target} is a file, but {form.name} writes a folder with one file per mart. Name a folder."
            )
        if not target.exists() or not any(target.iterdir()):
            return
        _check_folder(target)
    elif target.is_dir():
        raise ExportError(
            f"{target} is a folder, but {form.name} writes one file. Name a file: {target}/marts{form.suffix}."
        )
    elif target.exists() and form.manifest(target) is None:
        raise ExportError(
            f"{target} exists, and is not a {form.name} export of this project. Name another file."
        )


def _check_folder(target: Path) -> None:
    manifest = FORMATS["csv"].manifest(target)
    if manifest is None:
        raise ExportError(f"{target} exists, and is not an export of this project. Name another folder.")
    others = sorted({path.name for path in target.iterdir()} - {MANIFEST, *manifest["files"]})
    if others:
        raise ExportError(
            f"{target} would be replaced as a whole, but it also holds '{others[0]}', which no export wrote. Move that away, "
            "or name another folder."
        )


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    _remove_left(target)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    lock = os.open(part / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def _remove_left(target: Path) -> None:
    """Remove the folders that killed exports left. An export that is still running holds its lock and is left alone."""
    for part in target.parent.glob(f".{_literal(target.name)}.*.part"):
        try:
            lock = os.open(part / LOCK, os.O_RDWR)
        except FileNotFoundError:
            # The process that writes this export has not made its lock file yet.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            earlier = part / f"{target.name}{EARLIER}"
            if earlier.exists() and not target.exists():
                earlier.rename(target)
            shutil.rmtree(part, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def _literal(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)


def _swap(made: Path, target: Path) -> None:
    if made.is_dir() and target.exists():
        if not _exchange(made, target):
            # Two steps where the system has no single one; killed in between, the next export brings the earlier one back.
            earlier = made.with_name(f"{target.name}{EARLIER}")
            target.rename(earlier)
            try:
                made.rename(target)
            except BaseException:
                earlier.rename(target)
                raise
    else:
        made.replace(target)
    _sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; False if the operating system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
