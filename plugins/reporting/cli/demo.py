"""Runs everything on sample data: fake APIs, a local BigQuery, real Airflow, real dbt.

It changes nothing outside of its folder.

Examples:

    script/demo
    script/demo --once
"""

import os
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reporting.cli import preview
from reporting.cli.command import BigQueryPort, Port
from reporting.deploy import configuration, installation, processes, syncs
from reporting.deploy.errors import CommandError, FailedError, end_on_signals
from reporting.deploy.installation import AIRFLOW_PORT, BIGQUERY_PORT, Installation
from reporting.deploy.tables import print_table
from reporting.naming import DagId
from reporting.reports.site import Site
from reporting.settings import ROOT
from reporting.sources.registry import ENTITIES
from sandbox import sql
from sandbox.google import AUTHORIZED_USER, SCOPES, SPREADSHEET_LINK
from sandbox.serving import fake_api

NOTION_PORT = 9060
HUBSPOT_PORT = 9070
GOOGLE_PORT = 9080
PATIENCE_SECONDS = 900
OWN_CONFIGURATION = ("AIRFLOW_", "REPORTING_", "BIGQUERY_", "GOOGLE_", "DBT_")


def main(
    once: Annotated[bool, typer.Option("--once", help="stop after the sync instead of serving")] = False,
    port: Port = AIRFLOW_PORT,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    notion_port: Annotated[int, typer.Option(metavar="PORT", help="port of Notion's fake API")] = NOTION_PORT,
    hubspot_port: Annotated[
        int, typer.Option(metavar="PORT", help="port of HubSpot's fake API")
    ] = HUBSPOT_PORT,
    google_port: Annotated[int, typer.Option(metavar="PORT", help="port of Google's fake API")] = GOOGLE_PORT,
    data: Annotated[
        Path, typer.Option(metavar="FOLDER", help="state folder (var/demo)", show_default=False)
    ] = ROOT / "var" / "demo",
) -> int:
    """Fully refresh every source, build the marts and the report, show the results, and serve until Ctrl-C."""
    end_on_signals()
    _forget_own_configuration()

    console = Console()
    begun = time.monotonic()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(data.resolve()))
        notion = _fake_api(stack, console, state, "Notion", notion_port)
        hubspot = _fake_api(stack, console, state, "HubSpot", hubspot_port)
        google = _fake_api(stack, console, state, "Google", google_port)
        demo = stack.enter_context(
            installation.running(
                state,
                _variables(notion, hubspot, google, _database(state)),
                console,
                port=port,
                bigquery_port=bigquery_port,
                # The demo has nothing to protect from its user, and nobody writes its password down.
                new_password=True,
            )
        )
        started_at = datetime.now(UTC)
        console.print("The scheduler runs:")
        failures = syncs.run_sync(
            demo.api,
            demo.client,
            demo.settings,
            console,
            [str(DagId("raw", entity.source, entity.name, entity.first_refresh)) for entity in ENTITIES],
            full_build=False,
            upkeep=syncs.DAILY,
            seconds=PATIENCE_SECONDS,
            give_up_on_retry=True,
        )
        _show(demo, console, started_at, time.monotonic() - begun)
        if failures and not once:
            console.print(syncs.report_of(failures), style="red", markup=False, soft_wrap=True)
        if not once:
            console.print(
                f"Fake Notion: {notion}\nFake HubSpot: {hubspot}\nFake Google: {google}\n"
                "Serving until Ctrl-C."
            )
            threading.Event().wait()
    if failures:
        raise FailedError(syncs.report_of(failures))
    return 0


def _forget_own_configuration() -> None:
    """Remove the owner's settings from the environment, so that the demo cannot touch the owner's data."""
    for name in [name for name in os.environ if name.startswith(OWN_CONFIGURATION)]:
        del os.environ[name]


def _fake_api(stack: ExitStack, console: Console, state: Path, title: str, port: int) -> str:
    name = title.lower()
    processes.check_port(port, f"the fake API of {title}", f"--{name}-port")
    console.print(f"Starting the fake API of {title} with sample data ...")
    try:
        return stack.enter_context(fake_api(name, state / name, port)).address
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
        "AIRFLOW_CONN_GOOGLE_CALENDAR": configuration.google_connection(AUTHORIZED_USER, SCOPES, google),
        "AIRFLOW_CONN_SQL": configuration.token_connection(database),
        "REPORTING_NAME_GOOGLE_SHEETS__LEDGER": SPREADSHEET_LINK,
        **{f"REPORTING_NAME_HUBSPOT__{name.upper()}": name for name in ("tickets", "products", "line_items")},
        **dict.fromkeys(("REPORTING_NAME_HUBSPOT__LISTS", "REPORTING_NAME_HUBSPOT__LIST_MEMBERSHIPS"), "all"),
        # The country of the telephone numbers without a country code in the sample data.
        "REPORTING_DEFAULT_REGION": "DE",
        # Without schedules, so that the table shows only this sync.
        "REPORTING_SCHEDULE_CHANGED": "none",
        "REPORTING_SCHEDULE_FULL": "none",
        # The user waits, and builds cost nothing here.
        "REPORTING_SETTLE_SECONDS": "0",
        # A run that an earlier demo left incomplete is retried soon.
        "REPORTING_RETRY_SECONDS": "5",
    }


def _show(demo: Installation, console: Console, started_at: datetime, seconds: float) -> None:
    console.print()
    print_table(console, syncs.sync_log_table(syncs.sync_log_lines(demo.client, demo.settings, started_at)))
    console.print()
    for look in (preview.habits, preview.people, preview.matches, preview.relationships, preview.birthdays):
        print_table(console, look(demo.client, demo.settings))
        console.print()
    console.print(f"Report: {Site.of(demo.settings).first}", soft_wrap=True)
    console.print(
        f"Done in {seconds:.0f} s. Airflow: {demo.address}  user admin  password {demo.prepared.password}",
        soft_wrap=True,
    )
