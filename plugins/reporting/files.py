"""Files in a folder or a bucket, through fsspec."""

import mimetypes
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reporting.google_key import GoogleKey

GOOGLE = ("gs", "gcs")


def is_bucket(uri: str) -> bool:
    """Whether that is the address of a bucket of Google's."""
    return uri.partition("://")[0] in GOOGLE


def open_folder(uri: str, google_key: GoogleKey | None = None) -> tuple[Any, str]:
    """fsspec's files and the path in them of `uri`: a folder, or any address that fsspec knows (`gs://bucket/folder`).

    A bucket of Google's is opened with `google_key`, else with the machine's own credentials. Raises `ValueError` for an
    address of an unknown kind, and `ImportError` for one whose client is not installed.
    """
    # Heavy, and not for the settings.
    import fsspec

    options: dict[str, Any] = {}
    if is_bucket(uri):
        # It would ask by gRPC what kind of bucket each is, of which only the plainest is of use here.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        # What another process wrote is seen, and what came to the bucket is what was sent.
        options = {"use_listings_cache": False, "consistency": "md5"}
        options |= {"token": google_key} if google_key else {}
    files, root = fsspec.core.url_to_fs(uri.rstrip("/"), **options)
    return files, str(root)


def is_on_disk(files: Any) -> bool:
    """Whether these files of fsspec's are the machine's own."""
    return "file" in _protocols(files)


def write_whole(files: Any, path: str, content: bytes) -> None:
    """Write a file so that a reader sees the whole of it, or what was there before; its folder is made.

    `files` is a file system of fsspec.
    """
    kind, _ = mimetypes.guess_type(path)
    # Google's buckets tell a browser what a file is, and fsspec calls everything octets unless told.
    more = {"content_type": kind} if kind and _is_google(files) else {}
    _appear(files, path, lambda part: files.pipe_file(part, content, **more))


def put_whole(files: Any, file: Path, path: str, mode: int | None = None) -> None:
    """Put the local `file` at `path` as `write_whole` does; on a disk it has that `mode` from its first byte."""

    def put(part: str) -> None:
        if mode is not None and is_on_disk(files):
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        files.put_file(str(file), part)

    _appear(files, path, put)


def _appear(files: Any, path: str, write: Callable[[str], None]) -> None:
    if _is_google(files):
        # An object is there when all of it is.
        write(path)
        return
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    # Written beside and moved. A name of its own, since two may write the same file at once.
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        write(part)
        files.mv(part, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(part)
        raise


def _is_google(files: Any) -> bool:
    return bool(set(GOOGLE) & set(_protocols(files)))


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
