"""Starts what a command needs as processes of its own, and leaves none behind."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from reporting.commands.configuration import AIRFLOW_BIN
from reporting.commands.errors import CommandError
from reporting.settings import ROOT
from sandbox.child import ending_with_parent

LOOPBACK = "127.0.0.1"
START_SECONDS = 240
# Longer than honcho's own patience with its processes.
END_SECONDS = 20


def check_port(port: int, what: str, option: str) -> None:
    """Raise `CommandError` when `port` is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandError(
                f"port {port}, for {what}, cannot be used ({reason}). End what uses it, or choose another with {option}."
            ) from None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A token for Airflow's API, and the admin's password if one was made."""

    token: str
    password: str | None


def prepare(environment: Mapping[str, str], log: Path, new_password: bool = False) -> Prepared:
    """Make the metadata database ready. Raises `CommandError` with where to look."""
    answer = json.loads(_prepare(environment, log, *(["--new-password"] if new_password else [])))
    return Prepared(answer["token"], answer["password"])


def prepare_production(environment: Mapping[str, str], log: Path) -> None:
    """Make production's metadata database ready. Raises `CommandError` with where to look."""
    _prepare(environment, log, "--production")


def _prepare(environment: Mapping[str, str], log: Path, *options: str) -> bytes:
    with log.open("wb") as out:
        done = subprocess.run(
            ending_with_parent(AIRFLOW_BIN / "python", "-m", "reporting.orchestration.prepare", *options),
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT / "plugins")},
            stdout=subprocess.PIPE,
            stderr=out,
            check=False,
        )
    if done.returncode != 0:
        raise CommandError(f"Airflow's metadata database could not be made ready: see {log}.{tail(log)}")
    return done.stdout


@contextmanager
def airflow_running(environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Airflow's processes under honcho, ready for use; they end with the block.

    Raises `CommandError` with the end of their log when they don't come up.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            # An env file would override the environment, so none is read.
            ending_with_parent(AIRFLOW_BIN / "honcho", "-d", ROOT, "-e", os.devnull, "start"),
            cwd=ROOT,
            env=dict(environment),
            stdout=out,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches this program alone, which then ends them in order.
            start_new_session=True,
        )
    try:
        _await_health(f"http://{LOOPBACK}:{environment['PORT']}", process, log)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    for member in alive:
        member.kill()
    psutil.wait_procs(alive, timeout=5)


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, to be shown below a message."""
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n\n" + "\n".join(f"  {line}" for line in text) if text else ""


def _await_health(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    with httpx.Client(timeout=5) as client:
        for _ in range(START_SECONDS * 2):
            if process.poll() is not None:
                raise CommandError(f"Airflow ended while it started: see {log}.{tail(log)}")
            if _is_healthy(client, address):
                return
            pause.wait(0.5)
    raise CommandError(f"Airflow did not come up in {START_SECONDS} s: see {log}.{tail(log)}")


def _is_healthy(client: httpx.Client, address: str) -> bool:
    """The endpoint always answers 200: what it says is in the body."""
    try:
        body = client.get(f"{address}/api/v2/monitor/health").json()
    except (httpx.TransportError, ValueError):
        return False
    return all(
        (body.get(name) or {}).get("status") == "healthy"
        for name in ("metadatabase", "scheduler", "dag_processor")
    )
