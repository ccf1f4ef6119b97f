"""Files in a folder or a bucket, through fsspec."""

import mimetypes
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reporting.google_key import GoogleKey
from reporting.settings import BUCKET_SCHEMES, is_bucket


def open_folder(uri: str, google_key: GoogleKey | None = None) -> tuple[Any, str]:
    """The fsspec file system of `uri`, and the path in it. `uri` is a folder, or any address that fsspec knows
    (`gs://bucket/folder`).

    A Google bucket is opened with `google_key`, or else with the machine's own credentials. Raises `ValueError` for an
    address of an unknown kind, and `ImportError` if the client for it is not installed.
    """
    # Imported here, because it is slow to import and many callers of this module never open a folder.
    import fsspec

    options: dict[str, Any] = {}
    if is_bucket(uri):
        # Otherwise gcsfs asks over gRPC what kind of bucket each one is; only the plain kind is used here.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        # Without a cache of listings, files that another process writes are seen; MD5 finds a damaged upload.
        options = {"use_listings_cache": False, "consistency": "md5"}
        options |= {"token": google_key} if google_key else {}
    files, root = fsspec.core.url_to_fs(uri.rstrip("/"), **options)
    return files, str(root)


def is_on_disk(files: Any) -> bool:
    """Whether `files`, a file system of fsspec, is the machine's own disk."""
    return "file" in _protocols(files)


def write_whole(files: Any, path: str, content: bytes) -> None:
    """Write a file atomically: a reader sees either the new content or the old one. Its folder is made if needed.

    `files` is a file system of fsspec.
    """
    kind, _ = mimetypes.guess_type(path)
    # A browser learns the type of a file from the bucket, and fsspec stores all as application/octet-stream by default.
    more = {"content_type": kind} if kind and _is_google(files) else {}
    _appear(files, path, lambda part: files.pipe_file(part, content, **more))


def put_whole(files: Any, file: Path, path: str, mode: int | None = None) -> None:
    """Copy the local `file` to `path` atomically, as `write_whole` does. On a disk it has the given `mode` from the start."""

    def put(part: str) -> None:
        if mode is not None and is_on_disk(files):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        files.put_file(str(file), part)

    _appear(files, path, put)


def settle(files: Any, folder: str) -> None:
    """Have the files in a folder, and the names of the two folders above them, written to the disk itself, so that they outlast a
    loss of power. A bucket does so before it answers."""
    if not is_on_disk(files):
        return
    paths = [*files.ls(folder, detail=False), folder, *map(str, list(Path(folder).parents)[:2])]
    for path in paths:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _appear(files: Any, path: str, write: Callable[[str], None]) -> None:
    if _is_google(files):
        # A bucket shows an object only when the upload is complete.
        write(path)
        return
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    # Written beside it and then moved. The name is random, since two processes may write the same file at once.
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        write(part)
        files.mv(part, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(part)
        raise


def _is_google(files: Any) -> bool:
    return bool(set(BUCKET_SCHEMES) & set(_protocols(files)))


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
