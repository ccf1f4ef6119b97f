"""A Redis of a test's own, on loopback. It ends with the test."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reporting.local.child import ending_with_parent
from reporting.local.serving import free_port

PASSWORD = "password-of-the-broker"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of an empty broker; skips where Redis is not installed."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    port = free_port()
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        ending_with_parent(
            server,
            *(
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--requirepass",
                PASSWORD,
                "--save",
                "",
                "--dir",
                folder,
            ),
        ),
        stdout=subprocess.DEVNULL,
    )
    try:
        _await(process, port)
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    pause = threading.Event()
    for _ in range(300):
        assert process.poll() is None, "Redis ended while it started"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.1)
    raise AssertionError("Redis did not come up in half a minute")
