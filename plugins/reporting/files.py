"""Files in a folder or a bucket, through fsspec."""

import mimetypes
import secrets
from contextlib import suppress
from typing import Any

# Google's buckets tell a browser what a file is, and fsspec calls everything octets unless told.
WITH_CONTENT_TYPE = "gs"


def write_whole(files: Any, path: str, content: bytes) -> None:
    """Write a file so that a reader sees the whole of it, or what was there before; its folder is made.

    `files` is a file system of fsspec.
    """
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    # Written beside and moved. A name of its own, since two may write the same file at once.
    part = f"{path}.{secrets.token_hex(4)}.part"
    kind, _ = mimetypes.guess_type(path)
    more = {"content_type": kind} if kind and WITH_CONTENT_TYPE in files.protocol else {}
    try:
        files.pipe_file(part, content, **more)
        files.mv(part, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(part)
        raise
