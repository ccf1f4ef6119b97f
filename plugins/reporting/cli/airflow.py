"""Runs Airflow's own command in the environment of this installation.

Under `honcho start`, the api-server's line prepares everything for all lines of the Procfile: the local BigQuery if no warehouse
is configured, the schema, and the metadata database. The other lines wait for it. Production is refused here, since script/start
checks and starts it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from rich.console import Console

from reporting.deploy import configuration, installation, processes, procfile
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import AIRFLOW_PORT, BIGQUERY_PORT
from reporting.local.child import ending_with_parent
from reporting.local.serving import free_port
from reporting.settings import DATABASE_URL, ROOT

MAKER = "api-server"
# Airflow's other processes, which need the prepared environment.
WAITING = ("scheduler", "dag-processor", "triggerer", "celery")
HELP = ("--help", "-h", "version")
# The file (mode 0600) in which the api-server's line leaves its process id and the environment for the others.
MADE = "processes.json"
# A first start on a busy machine takes minutes. If the api-server's line fails, honcho stops the others.
PATIENCE_SECONDS = 1800
# Set by Azure App Service: https://learn.microsoft.com/azure/app-service/reference-app-settings
PLATFORM = "WEBSITE_SITE_NAME"


def main() -> int:
    """Replace this process by Airflow's command; for the api-server, prepare everything and run it as a child process."""
    arguments = sys.argv[1:]
    for name in (DATABASE_URL, PLATFORM):
        if os.environ.get(name):
            raise CommandError(
                f"{name} is set, so this is a production installation. Run script/start instead, which checks and starts it."
            )
    end_on_signals()
    state = installation.default_state("local")
    if arguments[:1] == [MAKER]:
        return _make(state, arguments)
    if arguments[:1] and arguments[0] in WAITING:
        environment = _await(state)
    else:
        environment = _left_by_maker(state) or _present(state, arguments)
    airflow = str(configuration.AIRFLOW_BIN / "airflow")
    return os.execve(airflow, [airflow, *arguments], procfile.patient(environment))  # noqa: S606


def _make(state: Path, arguments: list[str]) -> int:
    console = Console(highlight=False, soft_wrap=True)
    port = _port()
    variables = configuration.read_owner_file(configuration.owner_file())
    with ExitStack() as stack:
        stack.enter_context(configuration.state_folder(state))
        made = state / MADE
        made.unlink(missing_ok=True)
        ready = installation.prepare(
            stack, state, variables, console, port=port, bigquery_port=_bigquery_port()
        )
        me = psutil.Process()
        configuration.write_private(
            made, json.dumps({"pid": me.pid, "began": me.create_time(), "environment": ready.environment})
        )
        login = (
            f"password {ready.prepared.password}"
            if ready.prepared.password
            else "the password that was set before"
        )
        console.print(f"Airflow: http://{processes.LOOPBACK}:{port}  user admin, {login}")
        process = subprocess.Popen(
            ending_with_parent(configuration.AIRFLOW_BIN / "airflow", *arguments), env=ready.environment
        )
        stack.callback(processes.end, process)
        # Before all else on the way out: honcho kills what has not ended within five seconds.
        stack.callback(made.unlink, missing_ok=True)
        return process.wait()


def _port() -> int:
    given = os.environ.get("PORT") or str(AIRFLOW_PORT)
    if not given.isdecimal():
        raise CommandError(f"PORT is '{given}'; it takes a number. Set it with honcho start --port NUMBER.")
    return int(given)


def _bigquery_port() -> int:
    """The usual port, or another free one if it is in use, since a line of the Procfile cannot have an option for it."""
    try:
        processes.check_port(BIGQUERY_PORT, "the local BigQuery", "--bigquery-port")
    except CommandError:
        return free_port()
    return BIGQUERY_PORT


def _await(state: Path) -> dict[str, str]:
    """Wait for the environment that the api-server's line prepares. Raises `CommandError` if that does not happen."""
    pause, until = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := _left_by_maker(state):
            return found
        pause.wait(0.2)
    raise CommandError(
        f"no api-server has prepared the environment within {PATIENCE_SECONDS} s. Run honcho start, which starts all "
        "processes, or script/server."
    )


def _left_by_maker(state: Path) -> dict[str, str] | None:
    """The environment that a running api-server's line has prepared; None if there is none (yet), or if that process is
    dead."""
    try:
        found = json.loads((state / MADE).read_text(encoding="utf-8"))
        is_running = psutil.Process(found["pid"]).create_time() == found["began"]
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return dict(found["environment"]) if is_running else None


def _present(state: Path, arguments: list[str]) -> dict[str, str]:
    """The environment for commands that only inspect an installation, whether it runs or not. Raises `CommandError` if there
    is no installation."""
    if not (state / "airflow.db").exists():
        if set(arguments) & set(HELP):
            return {**os.environ, "AIRFLOW_HOME": str(ROOT)}
        raise CommandError(f"there is no installation in {state} yet. Run script/server, or honcho start.")
    variables = configuration.read_owner_file(configuration.owner_file())
    return configuration.airflow_environment(state, AIRFLOW_PORT, variables)
