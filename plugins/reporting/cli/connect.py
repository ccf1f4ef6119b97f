"""Connects a source or the warehouse: asks for what is needed, checks it, and stores it in a file outside of the repository.

Everything that it asks can be set in the environment instead. A variable there takes precedence.

Examples:

    script/connect notion
    script/connect notion --webhook    so that Notion says when something changes
    script/connect stream mood         makes the token of a stream of your own
    script/connect bigquery
"""

import getpass
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from reporting.cli import enrolment, google_login
from reporting.cli.command import CALLER, LOCAL, Data, Terminal, ask, one_of, print_steps, starting_with
from reporting.deploy import checks, configuration
from reporting.deploy.errors import CommandError
from reporting.settings import Commands, is_timezone, read, read_settings
from reporting.sources.base import Source, SourceError
from reporting.sources.registry import SOURCES

CONNECTED = (*SOURCES, "bigquery")
BIGQUERY_STEPS = """
1. Make a project at https://console.cloud.google.com and note its id.
2. Link a billing account to it: without one, BigQuery refuses INSERT and MERGE. The free tier stays free.
3. Make a service account with the roles BigQuery Data Editor and BigQuery Job User, and a JSON key for it.
"""


def main(
    what: Annotated[
        str,
        typer.Argument(
            parser=one_of(CONNECTED),
            autocompletion=starting_with(CONNECTED),
            metavar="WHAT",
            help=", ".join(CONNECTED),
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="with stream: the stream", show_default=False)
    ] = None,
    webhook: Annotated[
        bool, typer.Option("--webhook", help="take the events that the source sends when something changes")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="with --webhook: take them no more; with stream: revoke tokens")
    ] = False,
    data: Data = LOCAL,
) -> int:
    """Connect one source or the warehouse."""
    console = Console(highlight=False)
    path = configuration.owner_file()
    if what in SOURCES and not SOURCES[what].has_secret:
        return enrolment.stream(console, data, SOURCES[what], name, forget)
    if (webhook and what not in SOURCES) or (forget and not webhook) or name:
        raise CommandError("--webhook is for a source, --forget goes with it, and only a stream has a name.")
    try:
        if forget:
            enrolment.forget(console, data, SOURCES[what])
        elif webhook:
            enrolment.enrol(console, data, SOURCES[what], ask, _ask_token)
        elif what == "bigquery":
            _bigquery(console, path)
        elif SOURCES[what].is_login:
            return google_login.main(source=SOURCES[what].connection)
        else:
            _source(console, path, SOURCES[what])
    except EOFError:
        raise CommandError("the input ended before everything was answered; nothing was stored.") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt("nothing was stored") from None
    except SourceError as error:
        raise CommandError(f"{error} Nothing was stored.") from None
    return 0


def _source(console: Console, path: Path, source: Source) -> None:
    print_steps(console, getattr(source.checks, "STEPS", ""))
    kept = configuration.read_owner_file(path)
    # Only set for a fake API.
    host = read(Commands).hosts.get(source.name)
    token = _ask_token()
    changes = {checks.variable_of(source): configuration.token_connection(token, host)}
    connect = getattr(source.checks, "connect", None)
    if connect:
        changes |= connect(Terminal(console), read_settings(kept | dict(os.environ)), token, host)
    elif wrong := [each for each in checks.check_source(source, kept | changes) if not each.is_well]:
        raise SourceError(" ".join(f"{each.subject}: {each.text}" for each in wrong))
    if "REPORTING_TIMEZONE" not in kept:
        changes["REPORTING_TIMEZONE"] = _timezone(kept)
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. Next: script/server, or script/sync for a single sync.",
        soft_wrap=True,
        markup=False,
    )


def _ask_token() -> str:
    # A token may also come through a pipe, where nobody sees what is typed.
    token = (getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not token:
        raise CommandError("no token was given; nothing was stored.")
    return token


def _timezone(kept: Mapping[str, str]) -> str:
    default = kept.get("REPORTING_TIMEZONE") or _machine_timezone()
    while True:
        answer = ask("Your time zone (days begin and end by it)", default)
        if is_timezone(answer):
            return answer
        default = "UTC"


def _machine_timezone() -> str:
    parts = Path("/etc/localtime").resolve().parts
    return "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else "UTC"


def _bigquery(console: Console, path: Path) -> None:
    print_steps(console, BIGQUERY_STEPS)
    kept = configuration.read_owner_file(path)
    project = ask("Project id", kept.get("REPORTING_BIGQUERY_PROJECT", ""))
    location = ask(
        "Location of the datasets (cannot change later)", kept.get("REPORTING_BIGQUERY_LOCATION", "US")
    )
    key = ask("Path of the service account's key, or none for this machine's own credentials", "none")
    extra: dict[str, Any] = {"project": project}
    if key != "none":
        try:
            extra["keyfile_dict"] = json.dumps(json.loads((CALLER / Path(key).expanduser()).read_text()))
        except (OSError, ValueError) as error:
            raise CommandError(
                f"{key} is not a key file ({type(error).__name__}); nothing was stored."
            ) from None
    changes = {
        "REPORTING_BIGQUERY_PROJECT": project,
        "REPORTING_BIGQUERY_LOCATION": location,
        "AIRFLOW_CONN_BIGQUERY": json.dumps({"conn_type": "gcpbigquery", "extra": extra}),
    }
    wrong = [each for each in checks.check_bigquery(kept | changes) if not each.is_well]
    if wrong:
        said = " ".join(f"{each.subject}: {each.text}" for each in wrong)
        raise CommandError(f"{said} Nothing was stored.")
    configuration.write_owner_file(path, changes)
    console.print(
        f"\nStored in {path}. script/server and script/sync now load into this project.",
        soft_wrap=True,
        markup=False,
    )
