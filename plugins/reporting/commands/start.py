"""Starts production from its environment alone: checks it, makes everything ready, and becomes honcho, which runs the Procfile.

Each step can be repeated, so that a restart at any moment does no harm: the platform ends the processes and starts
this again.
"""

import argparse
import os
from pathlib import Path

from sqlalchemy import URL

from reporting import redaction
from reporting.commands import configuration, database, installation, processes, production
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.settings import ROOT, read_settings


def main() -> int:
    """Make everything ready, then run the Procfile in this process's place."""
    parser = argparse.ArgumentParser("script/start", description=__doc__)
    parser.add_argument("--host", default=processes.LOOPBACK, help="the address to listen on (%(default)s)")
    parser.add_argument(
        "--worker",
        action="store_true",
        help="run a Celery worker of an installation that is started elsewhere",
    )
    parser.add_argument("--prepare", action="store_true", help="make everything ready and end")
    parser.add_argument("--check", action="store_true", help="check the configuration and end")
    options = parser.parse_args()
    end_on_signals()
    url = production.check(os.environ)
    if options.check:
        _say("The configuration is complete.")
        return 0
    environment = production.environment(os.environ, url, options.host)
    environment |= installation.without_local_bigquery(environment)
    try:
        if options.worker:
            _make_folder(environment)
            database.await_answer(url, say=_say)
        else:
            _make_ready(environment, url)
    except CommandError as error:
        raise CommandError(redaction.scrub(str(error))) from None
    if options.prepare:
        _say("Everything is ready.")
        return 0
    if options.worker:
        _say("Starting a worker ...")
    else:
        _say(f"Starting Airflow on {options.host}:{environment['PORT']} ...")
    procfile = "Procfile.worker" if options.worker else "Procfile"
    python = str(configuration.AIRFLOW_BIN / "python")
    # In this process's place: what the preparation has imported is not kept in memory for years.
    os.chdir(ROOT)
    paths = {"PYTHONPATH": str(ROOT / "plugins")}
    return os.execve(python, [python, "-m", "reporting.commands.procfile", procfile], environment | paths)  # noqa: S606


def _make_folder(environment: dict[str, str]) -> Path:
    state = Path(environment["REPORTING_STATE"])
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CommandError(
            f"{state} cannot be made ({error.strerror}). Set REPORTING_STATE to a folder."
        ) from None
    return state


def _make_ready(environment: dict[str, str], url: URL) -> None:
    state = _make_folder(environment)
    database.await_answer(url, say=_say)
    _say("Preparing Airflow's metadata database ...")
    first = {name: os.environ[name] for name in (production.ADMIN_PASSWORD,) if os.environ.get(name)}
    processes.prepare_production(environment | first, state / "prepare.log")
    _say("Bringing the warehouse's schema to its newest revision ...")
    installation.upgraded_warehouse(read_settings(environment), environment)


def _say(text: str) -> None:
    # The platform's log is a pipe, which Python would keep back until it is full.
    print(text, flush=True)


if __name__ == "__main__":
    run("script/start", main)
