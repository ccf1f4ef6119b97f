"""Puts a new export in the place of an earlier one: whole or not at all, and in the place of nothing else.

What is being made is in a folder beside its place, `.NAME.….part`, with a file that its maker keeps locked. The kernel
opens the lock of a maker that was killed, and the next export to the same place removes what it left.
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


@contextmanager
def placed(target: Path, form: Format) -> Iterator[Path]:
    """Where to make the export that is at `target` when the block ends well.

    Raises `ExportError` when something else is there, or when it cannot be written there.
    """
    # A link is followed: what it leads to is replaced, and not the link.
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
            # Of the network, and no matter of the disk.
            raise
        raise ExportError(
            f"{target} cannot be written ({error.strerror}). Make room or mend its permissions, or name another place."
        ) from None


def check(target: Path, form: Format) -> None:
    """Raise `ExportError` unless `target` is free, or is an earlier export."""
    if form.suffix is None:
        if target.is_file():
            raise ExportError(f"{target} is a file, and {form.name} is a folder with a file a mart.")
        if not target.exists() or not any(target.iterdir()):
            return
        _check_folder(target)
    elif target.is_dir():
        raise ExportError(f"{target} is a folder, and {form.name} is one file: {target}/marts{form.suffix}.")
    elif target.exists() and form.manifest(target) is None:
        raise ExportError(
            f"{target} is there, and is no {form.name} export of this project. Name another file."
        )


def _check_folder(target: Path) -> None:
    manifest = FORMATS["csv"].manifest(target)
    if manifest is None:
        raise ExportError(f"{target} is there, and is no export of this project. Name another folder.")
    others = sorted({path.name for path in target.iterdir()} - {MANIFEST, *manifest["files"]})
    if others:
        raise ExportError(
            f"{target} is replaced as a whole, and holds '{others[0]}', which is not of the export. Move it away, or "
            "name another folder."
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
    """Remove what killed exports left; one that is still at it holds its lock."""
    for part in target.parent.glob(f".{_literal(target.name)}.*.part"):
        try:
            lock = os.open(part / LOCK, os.O_RDWR)
        except FileNotFoundError:
            # Its maker has only begun.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            # Two steps where the system has no single one; killed in between, the earlier export is in the part.
            target.rename(made.with_name(f"{made.name}.earlier"))
            made.rename(target)
    else:
        made.replace(target)
    _sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap the names of two folders at once; False where the system or the file system cannot."""
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
