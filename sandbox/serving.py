"""Starts and ends a server of the sandbox as a process of its own. Standard library only."""

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sandbox.child import ending_with_parent
from sandbox.guard import token_of

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "sandbox" / "bin" / "python"
START_SECONDS = 120
END_SECONDS = 15


class Served(NamedTuple):
    """Where a server answers, and its token."""

    address: str
    token: str

    def __repr__(self) -> str:
        """Without the token, since what is shown of an error shows its arguments."""
        return f"{type(self).__name__}({self.address})"


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    module: str,
    data: Path,
    port: int,
    ready_path: str,
    arguments: tuple[str, ...] = (),
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Served]:
    """Yield `python -m module` as it is served, which keeps its data in `data`; it ends with the block.

    Raises `RuntimeError` with the end of its log when it does not answer on `ready_path`.
    """
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = token_of(data)
    log = data / "server.log"
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        process = subprocess.Popen(
            ending_with_parent(PYTHON, "-m", module, "--port", str(port), "--data", str(data), *arguments),
            cwd=ROOT,
            env={name: value for name, value in environment.items() if name != "PYTHONPATH"},
            stdout=out,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal reaches the caller alone, which then ends this in order.
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(f"{address}{ready_path}", token, module, process, log)
        yield Served(address, token)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def stand_in(name: str, data: Path, port: int | None = None, *arguments: str) -> Iterator[Served]:
    """Yield the stand-in `name` (`notion`, `hubspot`, `google`) that keeps its data in `data`.

    Its API takes any token, and what tests ask for under `/_control` takes its own. `arguments` are those of
    `python -m sandbox.{name}`.
    """
    with serving(f"sandbox.{name}", data, port or free_port(), "/_control/state", arguments) as served:
        yield served


def _await(address: str, token: str, module: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    # No proxy is asked for this machine, and none gets the token.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    for _ in range(START_SECONDS * 5):
        if process.poll() is not None:
            break
        try:
            with opener.open(request, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pause.wait(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{module} did not come up on {address}:\n{tail}")
