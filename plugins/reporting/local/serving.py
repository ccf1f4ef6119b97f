"""Starts and stops a server on loopback as a separate process. Uses the standard library only."""

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from reporting.local.bounded import bounded_log
from reporting.local.child import ending_with_parent
from reporting.local.tokens import kept_token, token_of

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".venv" / "sandbox" / "bin" / "python"
START_SECONDS = 120
END_SECONDS = 15
# Where a running server writes its port and the id of its process, for `served_in`.
RUNNING_FILE = "running"
LOOK_SECONDS = 5


class Served(NamedTuple):
    """The address of a running server, and its token."""

    address: str
    token: str

    def __repr__(self) -> str:
        """Leave the token out, since tracebacks and reports of failed tests show arguments."""
        return f"{type(self).__name__}({self.address})"


def free_port() -> int:
    """A port that is free at this moment."""
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
    """Run the server `python -m module`, which keeps its data in `data`, until the block ends.

    Raises `RuntimeError` with the end of its log if it does not answer on `ready_path`.
    """
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = token_of(data)
    running = data / RUNNING_FILE
    # One that was killed has left it.
    running.unlink(missing_ok=True)
    log = data / "server.log"
    with bounded_log(log) as out:
        process = subprocess.Popen(
            ending_with_parent(PYTHON, "-m", module, "--port", str(port), "--data", str(data), *arguments),
            cwd=ROOT,
            env={name: value for name, value in environment.items() if name != "PYTHONPATH"},
            stdout=out,
            stderr=subprocess.STDOUT,
            # A session of its own, so that Ctrl-C only reaches the caller, which then stops the server properly.
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _await(f"{address}{ready_path}", token, module, process, log)
            running.write_text(f"{port} {process.pid}", encoding="ascii")
            yield Served(address, token)
        finally:
            running.unlink(missing_ok=True)
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def served_in(data: Path, ready_path: str) -> Served | None:
    """The server that another command has started on `data`, while it answers; None when there is none.

    Its process must still be there before it gets the token: the port of one that was killed may be another's by now.
    """
    try:
        port, process = map(int, (data / RUNNING_FILE).read_text(encoding="ascii").split())
        if process <= 0 or not 0 < port < 65536:
            return None
        os.kill(process, 0)
        token = kept_token(data)
    except (OSError, ValueError, OverflowError):
        return None
    if not token:
        return None
    address = f"http://127.0.0.1:{port}"
    try:
        with _ask(f"{address}{ready_path}", token):
            return Served(address, token)
    except OSError:
        return None


def _ask(address: str, token: str) -> AbstractContextManager[object]:
    # Without a proxy: it could not reach this machine's loopback, and would see the token.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    return opener.open(request, timeout=LOOK_SECONDS)  # type: ignore[no-any-return]


def _await(address: str, token: str, module: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 5):
        if process.poll() is not None:
            break
        try:
            with _ask(address, token):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pause.wait(0.2)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{module} did not come up on {address}:\n{tail}")
