"""Limits the size of a log file that another process writes. Uses the standard library only."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

MOST_BYTES = 5_000_000
LOOK_SECONDS = 10.0


@contextmanager
def bounded_log(
    path: Path, most_bytes: int = MOST_BYTES, look_seconds: float = LOOK_SECONDS
) -> Iterator[IO[bytes]]:
    """Yield a new, empty file that only this user can read, for another process to write its log to.

    During the block, whenever the file is larger than `most_bytes`, its end is moved to `NAME.1` beside it, which is replaced.
    The process writes to the file and not to a pipe, so that it never has to wait for this process and can outlive it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(look_seconds):
            # An error such as a full disk must not stop the process that writes the log.
            with suppress(OSError):
                shorten(path, most_bytes)

    watcher = threading.Thread(target=look, daemon=True)
    with open(os.open(path, flags, 0o600), "wb") as out:
        watcher.start()
        try:
            yield out
        finally:
            ended.set()
            watcher.join()


def shorten(path: Path, most_bytes: int) -> bool:
    """If a log is larger than `most_bytes`, move its end to `NAME.1`, empty it, and return True.

    A process that appends to it continues at the new end. Lines that it writes meanwhile, one or two, are lost.
    """
    size = path.stat().st_size
    if size <= most_bytes:
        return False
    with path.open("rb") as log:
        log.seek(size - most_bytes)
        # The log may have grown since its size was read.
        end = log.read()[-most_bytes:]
    kept = path.with_name(f"{path.name}.1")
    with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(end)
    os.truncate(path, 0)
    return True
