"""Production as the platform runs it: `script/start` with nothing but its own environment."""

import base64
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

from reporting.deploy import production
from reporting.local.bigquery import LocalBigQuery
from reporting.local.child import ending_with_parent
from reporting.local.serving import free_port
from reporting.settings import ROOT

ADMIN_PASSWORD = "a long admin password 1"
FERNET_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
JWT_SECRET = "jwt-" + "abcdefghijklmnopqrstuvwxyz0123456789" * 2
SECRET_KEY = "session-" + "abcdefghijklmnopqrstuvwxyz0123456789"
# Against what never comes up, also where the machine has much else to do.
START_SECONDS = 900
# As a reverse proxy on the same private network sends them; the last address is the one that it has seen itself.
FRONT_END = {
    "Host": "reporting.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.7:41234",
}
# What a browser adds to a form that it sends.
FROM_FORM = {"Referer": "https://reporting.example/auth/login/"}


def environment(database_url: str, state: Path, bigquery: LocalBigQuery, port: int) -> dict[str, str]:
    """A complete configuration of production."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "PORT": str(port),
        "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
        "AIRFLOW__API_AUTH__JWT_SECRET": JWT_SECRET,
        "AIRFLOW__API__SECRET_KEY": SECRET_KEY,
        "AIRFLOW__API__BASE_URL": "https://reporting.example",
        **bigquery.variables,
        "REPORTING_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "REPORTING_ALERT_EMAIL": "none",
        "REPORTING_ALERT_WEBHOOK": "none",
        "REPORTING_DATABASE_URL": database_url,
        "REPORTING_DATASET_PREFIX": "production_",
        "REPORTING_PING_URL": "none",
        "REPORTING_SCHEDULE_CHANGED": "none",
        "REPORTING_SCHEDULE_FULL": "none",
        "REPORTING_STATE": str(state),
    }


class Production:
    """One installation; `start` and `kill` as often as wanted."""

    def __init__(self, database_url: str, folder: Path, bigquery: LocalBigQuery, **variables: str) -> None:
        self.port = free_port()
        self.host = "127.0.0.1"
        self.root = ROOT
        self.folder = folder
        self.folder.mkdir(exist_ok=True)
        self.environment = environment(database_url, folder / "state", bigquery, self.port) | variables
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "start.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, *options: str) -> subprocess.Popen[bytes]:
        """Start, and do not wait."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                ending_with_parent("bash", self.root / "script" / "start", "--host", self.host, *options),
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process

    def start(self) -> None:
        """Start, and wait until every part is healthy."""
        self.launch()
        self.await_health()

    def await_health(self, seconds: float = START_SECONDS) -> None:
        """Wait until every part is healthy. Raises `AssertionError` with the end of the log."""
        pause = threading.Event()
        for _ in range(int(seconds * 2)):
            if not self.is_running():
                break
            if self.health() == {"healthy"}:
                return
            pause.wait(0.5)
        raise AssertionError(self.said()[-4000:])

    def health(self) -> set[str]:
        """The states of the parts; empty while nothing answers."""
        try:
            body: dict[str, Any] = httpx.get(f"{self.address}/api/v2/monitor/health", timeout=5).json()
        except (httpx.TransportError, ValueError):
            return set()
        return {body[name]["status"] for name in ("metadatabase", "scheduler", "dag_processor")}

    def is_running(self) -> bool:
        """Whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def family(self) -> list[psutil.Process]:
        """Every process of it; none before its start."""
        if self._process is None:
            return []
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def member(self, *words: str) -> psutil.Process:
        """The first process whose command line, or title, holds all of `words`."""
        for process in self.family():
            line = " ".join(process.cmdline())
            if all(word in line for word in words):
                return process
        raise AssertionError([process.cmdline() for process in self.family()])

    def kill(self) -> None:
        """End everything at once, as a machine that goes away does."""
        family = self.family()
        for process in family:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=600)
        if self._process is not None:
            self._process.wait(600)

    def said(self) -> str:
        """Everything that it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def token(self, username: str = "admin", password: str = ADMIN_PASSWORD) -> str:
        """A token for the API."""
        login = {"username": username, "password": password}
        # The first request after a start loads much.
        answer = httpx.post(f"{self.address}/auth/token", json=login, timeout=120)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def airflow_environment(self) -> dict[str, str]:
        """The environment that its processes have."""
        return production.environment(self.environment, production.check(self.environment), self.host)

    def secrets(self) -> Mapping[str, str]:
        """Every secret of this installation, by name."""
        names = ("FERNET_KEY", "JWT_SECRET", "SECRET_KEY", "PASSWORD")
        return {name: value for name, value in self.environment.items() if name.endswith(names)}
