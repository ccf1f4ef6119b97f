"""The demo: sample sources, a local BigQuery, real Airflow, real dbt. Nothing outside the folder is touched."""

import argparse
import os
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from reporting.commands import configuration, installation, looks, processes, rounds
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import AIRFLOW_PORT, BIGQUERY_PORT, Installation
from reporting.entities import ENTITIES
from reporting.naming import DagId
from reporting.reports.site import Site
from sandbox import sql
from sandbox.google import AUTHORIZED_USER, SCOPES, SPREADSHEET_LINK
from sandbox.serving import stand_in

NOTION_PORT = 9060
HUBSPOT_PORT = 9070
GOOGLE_PORT = 9080
PATIENCE_SECONDS = 900
OWN_CONFIGURATION = ("AIRFLOW_", "REPORTING_", "BIGQUERY_", "GOOGLE_", "DBT_")


def main() -> int:
    """Run the sweeps of every source and what they feed, show what was done, and serve until Ctrl-C."""
    parser = argparse.ArgumentParser("script/demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the round instead of serving")
    parser.add_argument(
        "--port", type=int, default=AIRFLOW_PORT, help="Airflow's web interface (%(default)s)"
    )
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument("--notion-port", type=int, default=NOTION_PORT, help="Notion stand-in (%(default)s)")
    parser.add_argument(
        "--hubspot-port", type=int, default=HUBSPOT_PORT, help="HubSpot stand-in (%(default)s)"
    )
    parser.add_argument("--google-port", type=int, default=GOOGLE_PORT, help="Google stand-in (%(default)s)")
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("demo"), help="where it keeps its state"
    )
    options = parser.parse_args()
    end_on_signals()
    _forget_own_configuration()

    console = Console()
    begun = time.monotonic()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(options.data.resolve()))
        notion = _stand_in(stack, console, state, "Notion", options.notion_port)
        hubspot = _stand_in(stack, console, state, "HubSpot", options.hubspot_port)
        google = _stand_in(stack, console, state, "Google", options.google_port)
        demo = stack.enter_context(
            installation.running(
                state,
                _variables(notion, hubspot, google, _database(state)),
                console,
                port=options.port,
                bigquery_port=options.bigquery_port,
                # A demo has nothing to protect from whoever starts it, and nobody notes its password down.
                new_password=True,
            )
        )
        started_at = datetime.now(UTC)
        console.print("The scheduler runs:")
        rounds.run_round(
            demo.api,
            demo.client,
            demo.settings,
            console,
            [str(DagId("raw", entity.source, entity.name, "full")) for entity in ENTITIES],
            full_build=False,
            upkeep=rounds.DAILY,
            seconds=PATIENCE_SECONDS,
            give_up_on_retry=True,
        )
        _show(demo, console, started_at, time.monotonic() - begun)
        if not options.once:
            console.print(
                f"Notion stand-in: {notion}\nHubSpot stand-in: {hubspot}\nGoogle stand-in: {google}\n"
                "Serving until Ctrl-C."
            )
            threading.Event().wait()
    return 0


def _forget_own_configuration() -> None:
    """The demo must not meet the owner's data, whatever the environment holds."""
    for name in [name for name in os.environ if name.startswith(OWN_CONFIGURATION)]:
        del os.environ[name]


def _stand_in(stack: ExitStack, console: Console, state: Path, title: str, port: int) -> str:
    name = title.lower()
    processes.check_port(port, f"the {title} stand-in", f"--{name}-port")
    console.print(f"Starting the {title} stand-in with sample data ...")
    try:
        return stack.enter_context(stand_in(name, state / name, port)).address
    except RuntimeError as error:
        raise CommandError(str(error)) from None


def _database(state: Path) -> str:
    path = state / "sql" / "hours.sqlite"
    sql.create(path, datetime.now(UTC).date())
    return sql.address(path)


def _variables(notion: str, hubspot: str, google: str, database: str) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_NOTION": configuration.token_connection("ntn_sample", notion),
        "AIRFLOW_CONN_HUBSPOT": configuration.token_connection("pat-sample", hubspot),
        "AIRFLOW_CONN_GOOGLE": configuration.google_connection(AUTHORIZED_USER, SCOPES, google),
        "AIRFLOW_CONN_SQL": configuration.token_connection(database),
        "REPORTING_NAME_GOOGLE_SHEETS__LEDGER": SPREADSHEET_LINK,
        # Where those live who wrote the sample's telephone numbers without a country.
        "REPORTING_DEFAULT_REGION": "DE",
        # Only what is asked for runs, so that the table shows what this round did.
        "REPORTING_SCHEDULE_CHANGED": "none",
        "REPORTING_SCHEDULE_FULL": "none",
        # Someone waits for it, and a build costs nothing here.
        "REPORTING_SETTLE_SECONDS": "0",
        # A run that an earlier demo left half-way goes on at once.
        "REPORTING_RETRY_SECONDS": "5",
    }


def _show(demo: Installation, console: Console, started_at: datetime, seconds: float) -> None:
    console.print()
    console.print(rounds.ledger_table(rounds.ledger_lines(demo.client, demo.settings, started_at)))
    console.print()
    for look in (looks.habits, looks.people, looks.matches, looks.relationships, looks.birthdays):
        console.print(look(demo.client, demo.settings))
        console.print()
    console.print(f"Report: {Site.of(demo.settings).first}", soft_wrap=True)
    console.print(
        f"Done in {seconds:.0f} s. Airflow: {demo.address}  user admin  password {demo.prepared.password}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    run("script/demo", main)
