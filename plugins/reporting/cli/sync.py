"""Reads and loads what is due once, then builds with dbt, makes the report once a day, and ends: for cron.

What is due the sync log says. No server is left behind. Cursors live in the warehouse, so a sync may start with an empty state
folder each time; the landing is then best in a bucket (REPORTING_LANDING_URI). It ends with 1 when something failed.

Examples:

    script/sync
    script/sync --full
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from google.cloud import bigquery
from rich.console import Console

from reporting import redaction
from reporting.cli.command import LOCAL, BigQueryPort, Data
from reporting.deploy import configuration, installation, metadata, syncs
from reporting.deploy.errors import CommandError, FailedError, end_on_signals
from reporting.deploy.installation import AIRFLOW_PORT, BIGQUERY_PORT
from reporting.deploy.tables import print_table
from reporting.entity import Entity
from reporting.ingest import states
from reporting.ingest.extract import is_refreshed_lately
from reporting.monitoring.runs import DAG as RUNS
from reporting.naming import DagId
from reporting.reports.site import FIRST, Site
from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.registry import ENTITIES, SOURCES
from reporting.transform import builds

FULL_REFRESH_INTERVAL = timedelta(hours=20)
# Only what is due runs, and somebody waits for it.
VARIABLES = {
    "REPORTING_SCHEDULE_CHANGED": "none",
    "REPORTING_SCHEDULE_FULL": "none",
    "REPORTING_RETRY_SECONDS": "60",
    "REPORTING_SETTLE_SECONDS": "0",
}


def main(
    full: Annotated[bool, typer.Option("--full", help="refresh every entity in full, due or not")] = False,
    port: Annotated[int, typer.Option(metavar="PORT", help="Airflow's port meanwhile")] = AIRFLOW_PORT,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    minutes: Annotated[int, typer.Option(help="longest time for one sync")] = 50,
    data: Data = LOCAL,
) -> int:
    """Start Airflow, run what is due, show what was done, and end."""
    end_on_signals()
    console = Console()
    hide_from_github(os.environ)
    begun = time.monotonic()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(data.resolve()))
        variables = configuration.read_owner_file(configuration.owner_file()) | VARIABLES
        configured = configured_entities(variables)
        has_no_past = metadata.address_of(state, variables | dict(os.environ)) is None
        running = stack.enter_context(
            installation.running(state, variables, console, port=port, bigquery_port=bigquery_port)
        )
        started_at = datetime.now(UTC)
        # Once a day, as the schedules have it.
        is_new_day = not is_built_today(running.client, running.settings, started_at)
        failures = syncs.run_sync(
            running.api,
            running.client,
            running.settings,
            console,
            due_dags(running.client, running.settings, configured, full),
            full_build=is_new_day,
            upkeep=upkeep(is_new_day=is_new_day, has_no_past=has_no_past),
            seconds=minutes * 60,
            give_up_on_retry=False,
        )
        print_table(
            console, syncs.sync_log_table(syncs.sync_log_lines(running.client, running.settings, started_at))
        )
        site = Site.of(running.settings)
        if site.read(FIRST) is not None:
            console.print(f"Report: {site.first}", markup=False, soft_wrap=True)
        console.print(f"Done in {time.monotonic() - begun:.0f} s.")
    if failures:
        raise FailedError(syncs.report_of(failures))
    return 0


def configured_entities(variables: Mapping[str, str]) -> list[Entity]:
    """The entities whose source has a connection. Raises `CommandError` when there is none."""
    configured = [
        entity
        for entity in ENTITIES
        if not SOURCES[entity.source].has_secret
        or configuration.is_set(f"AIRFLOW_CONN_{entity.connection.upper()}", variables)
    ]
    if not configured:
        raise CommandError(
            "no source is configured. Run script/connect notion or hubspot, or script/google-login, first."
        )
    return configured


def due_dags(
    client: bigquery.Client, settings: Settings, entities: Sequence[Entity], full: bool
) -> list[str]:
    """The DAGs that are due, without the entities that are switched off or wait for a name."""
    wanted = [
        entity
        for entity in entities
        if settings.names.get(entity.table) != SWITCHED_OFF
        and (entity.table in settings.names or not entity.needs_name)
    ]
    return [dag_id for entity in wanted if (dag_id := due_dag(client, settings, entity, full))]


def due_dag(client: bigquery.Client, settings: Settings, entity: Entity, full: bool) -> str | None:
    """The DAG that is due: the full refresh once a day (of a large entity every six), else what changed.

    An entity that can only be read by full refreshes is read by one each time, and one that seldom changes once a day.
    """
    if not entity.has_full:
        return str(DagId("raw", entity.source, entity.name, "changed"))
    full_refresh = states.read(client, settings, entity).full_refresh
    is_due = full_refresh is None or (
        datetime.now(UTC) - full_refresh.started_at >= FULL_REFRESH_INTERVAL
        and not is_refreshed_lately(client, settings, entity)
    )
    if entity.is_slow and not (full or is_due):
        return None
    refresh = "full" if full or is_due or not entity.has_changed else "changed"
    return str(DagId("raw", entity.source, entity.name, refresh))


def hide_from_github(environment: Mapping[str, str]) -> None:
    """Have GitHub's runner hide what is secret in `environment`: by itself it knows whole secrets, and no token within one.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#masking-a-value-in-a-log
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    for secret in redaction.ordered(environment):
        # As the runner reads a command of one line.
        text = secret.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::add-mask::{text}", flush=True)


def upkeep(*, is_new_day: bool, has_no_past: bool) -> tuple[str, ...]:
    """The DAGs that run at the end of a sync.

    A state folder that begins empty may end empty, and with it what Airflow knows of this sync.
    """
    if is_new_day:
        return syncs.DAILY
    return (RUNS,) if has_no_past else ()


def is_built_today(client: bigquery.Client, settings: Settings, now: datetime) -> bool:
    """Whether everything was built since the owner's midnight; streaks move with the day."""
    built_at = builds.last_full_build(client, settings)
    zone = ZoneInfo(settings.timezone)
    return built_at is not None and built_at.astimezone(zone).date() == now.astimezone(zone).date()
