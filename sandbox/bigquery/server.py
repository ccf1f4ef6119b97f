"""Starts and ends a local BigQuery as a process of its own. Standard library only."""

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "sandbox" / "bin" / "python"
SKIP_VARIABLE = "REPORTING_SANDBOX_SKIP_PATCHES"
START_SECONDS = 120


def free_port() -> int:
    """A port that, with the next one, is free now."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@contextmanager
def running(data: Path, port: int | None = None, skip: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the address of a local BigQuery that keeps its data in `data`; it ends with the block.

    `skip` names patches to leave out. Raises `RuntimeError` with the end of its log when it does not come up.
    """
    port = port or free_port()
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    log = data / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [PYTHON, "-m", "sandbox.bigquery", "--port", str(port), "--data", str(data)],
            cwd=ROOT,
            env=os.environ | {SKIP_VARIABLE: ",".join(skip)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(address, process, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 5):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/bigquery/v2/projects/local/datasets", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pause.wait(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the local BigQuery did not come up on {address}:\n{tail}")
