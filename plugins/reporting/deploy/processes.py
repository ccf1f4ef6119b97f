"""Starts the processes that a command needs, and makes sure that none is left behind."""

import json
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

from reporting import redaction
from reporting.deploy.configuration import AIRFLOW_BIN
from reporting.deploy.errors import CommandError
from reporting.local.bounded import bounded_log
from reporting.local.child import ending_with_parent
from reporting.settings import ROOT

LOOPBACK = "127.0.0.1"
START_SECONDS = 240
# Longer than the time that honcho gives its own processes to end.
END_SECONDS = 20


def check_port(port: int, what: str, option: str) -> None:
    """Raise `CommandError` if `port` is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandError(
                f"port {port}, for {what}, cannot be used ({reason}). Stop the program that uses it, or choose another port "
                f"with {option}."
            ) from None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The result of the preparation: a token for Airflow's API, and the admin's password if it was set just now."""

    token: str
    password: str | None


def prepare(environment: Mapping[str, str], log: Path, new_password: bool = False) -> Prepared:
    """Prepare the metadata database. Raises `CommandError`, which names the log."""
    answer = json.loads(_prepare(environment, log, *(["--new-password"] if new_password else [])))
    return Prepared(answer["token"], answer["password"])


def prepare_production(environment: Mapping[str, str], log: Path) -> None:
    """Prepare production's metadata database. Raises `CommandError`, which names the log."""
    _prepare(environment, log, "--production")


def _prepare(environment: Mapping[str, str], log: Path, *options: str) -> bytes:
    done = subprocess.run(
        ending_with_parent(AIRFLOW_BIN / "python", "-m", "reporting.orchestration.prepare", *options),
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        check=False,
    )
    log.write_text(redaction.scrub(done.stderr.decode(errors="replace"), environment))
    if done.returncode != 0:
        raise CommandError(f"Airflow's metadata database could not be prepared: see {log}.{tail(log)}")
    return done.stdout


@contextmanager
def airflow_running(
    environment: Mapping[str, str], log: Path, procfile: str = "Procfile"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Airflow's processes under honcho until the block ends. It begins when they are ready. Their log has no secrets.

    Raises `CommandError` with the end of their log if they do not start.
    """
    with bounded_log(log) as out:
        process = subprocess.Popen(
            # As in production, through the program that hides secrets in every line.
            ending_with_parent(AIRFLOW_BIN / "python", "-m", "reporting.deploy.procfile", procfile),
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT / "plugins")},
            stdout=out,
            stderr=subprocess.STDOUT,
            # A session of its own, so that Ctrl-C only reaches this program, which then stops the processes properly.
            start_new_session=True,
        )
        try:
            _await_health(f"http://{LOOPBACK}:{environment['PORT']}", process, log)
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and all its child processes."""
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
    """The last lines of a log, to show below a message."""
    text = log.read_text(errors="replace").splitlines()[-lines:]
    return "\n\n" + "\n".join(f"  {line}" for line in text) if text else ""


def _await_health(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    with httpx.Client(timeout=5) as client:
        for _ in range(START_SECONDS * 2):
            if process.poll() is not None:
                raise CommandError(f"Airflow ended during its start: see {log}.{tail(log)}")
            if _is_healthy(client, address):
                return
            pause.wait(0.5)
    raise CommandError(f"Airflow did not start within {START_SECONDS} s: see {log}.{tail(log)}")


def _is_healthy(client: httpx.Client, address: str) -> bool:
    """Whether all parts are healthy. The endpoint always answers 200, so the body must be read."""
    try:
        body = client.get(f"{address}/api/v2/monitor/health").json()
    except (httpx.TransportError, ValueError):
        return False
    return all(
        (body.get(name) or {}).get("status") == "healthy"
        for name in ("metadatabase", "scheduler", "dag_processor")
    )
