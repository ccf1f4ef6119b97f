"""Starts production, configured by environment variables only: checks them, prepares everything, and runs the Procfile.

Each step can be repeated, so the platform may stop the processes at any moment and start this again.

Examples:

    script/start --host 0.0.0.0
    script/start --check
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import URL

from reporting import redaction
from reporting.deploy import configuration, database, installation, processes, production
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.settings import ADMIN_PASSWORD, ROOT, read_settings, unknown


def main(
    host: Annotated[str, typer.Option(help="the address to listen on")] = processes.LOOPBACK,
    worker: Annotated[
        bool,
        typer.Option("--worker", help="run a Celery worker for an installation that is started elsewhere"),
    ] = False,
    prepare: Annotated[bool, typer.Option("--prepare", help="prepare everything and exit")] = False,
    check: Annotated[bool, typer.Option("--check", help="check the configuration and exit")] = False,
) -> int:
    """Prepare everything, and then replace this process by one that runs the Procfile."""
    end_on_signals()
    for each in unknown(os.environ):
        print(f"script/start: {each}", file=sys.stderr, flush=True)
    url = production.check(os.environ)
    if check:
        _say("The configuration is complete.")
        return 0
    environment = production.environment(os.environ, url, host)
    installation.require_warehouse(environment)
    try:
        if worker:
            _make_folder(environment)
            database.await_answer(url, say=_say)
        else:
            _make_ready(environment, url)
    except CommandError as error:
        raise CommandError(redaction.scrub(str(error))) from None
    if prepare:
        _say("Everything is ready.")
        return 0
    if worker:
        _say("Starting a worker ...")
    else:
        _say(f"Starting Airflow on {host}:{environment['PORT']} ...")
    procfile = "Procfile.worker" if worker else "Procfile"
    python = str(configuration.AIRFLOW_BIN / "python")
    # This process is replaced, so that modules that only the preparation needs do not stay in memory.
    os.chdir(ROOT)
    paths = {"PYTHONPATH": str(ROOT / "plugins")}
    return os.execve(python, [python, "-m", "reporting.deploy.procfile", procfile], environment | paths)  # noqa: S606


def _make_folder(environment: dict[str, str]) -> Path:
    state = Path(environment["REPORTING_STATE"])
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CommandError(
            f"{state} cannot be created ({error.strerror}). Set REPORTING_STATE to a folder that can be written."
        ) from None
    return state


def _make_ready(environment: dict[str, str], url: URL) -> None:
    state = _make_folder(environment)
    database.await_answer(url, say=_say)
    _say("Preparing Airflow's metadata database ...")
    first = {name: os.environ[name] for name in (ADMIN_PASSWORD,) if os.environ.get(name)}
    processes.prepare_production(environment | first, state / "prepare.log")
    _say("Upgrading the warehouse's schema to its newest revision ...")
    installation.upgraded_warehouse(read_settings(environment), environment)


def _say(text: str) -> None:
    # Flushed, because Python buffers output to a pipe, such as the platform's log.
    print(text, flush=True)
