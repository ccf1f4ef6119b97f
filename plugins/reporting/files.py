"""Files in a folder or a bucket, through fsspec."""

import secrets
from contextlib import suppress
from typing import Any


def write_whole(files: Any, path: str, content: bytes) -> None:
    """Write a file so that a reader sees the whole of it, or what was there before; `files` is a file system of fsspec."""
    # Written beside and moved. A name of its own, since two may write the same file at once.
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        files.pipe_file(part, content)
        files.mv(part, path)
    except BaseException:
        with suppress(Exception):
            files.rm_file(part)
        raise
