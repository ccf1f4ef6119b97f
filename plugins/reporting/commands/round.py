"""One round of one's own data, for cron: what is due by the ledger, then dbt, and the report once a day. No server is left
behind.

Cursors live in the warehouse, so a round may start with an empty state folder each time; the landing is then
best in a bucket (REPORTING_LANDING_URI).
"""

import argparse
import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from google.cloud import bigquery
from rich.console import Console

from reporting.commands import backup, configuration, installation, rounds
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import AIRFLOW_PORT, BIGQUERY_PORT
from reporting.entities import ENTITIES, Entity
from reporting.extract import is_swept_lately
from reporting.naming import DagId
from reporting.runs import DAG as RUNS
from reporting.settings import SWITCHED_OFF, Settings
from reporting.warehouse import builds, states

SWEEP_INTERVAL = timedelta(hours=20)


def main() -> int:
    """Start Airflow, run what is due, show what was done, and end."""
    parser = argparse.ArgumentParser("script/round", description=__doc__)
    parser.add_argument("--full", action="store_true", help="sweep every entity, due or not")
    parser.add_argument(
        "--port", type=int, default=AIRFLOW_PORT, help="Airflow's port meanwhile (%(default)s)"
    )
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument("--minutes", type=int, default=50, help="longest time for one round (%(default)s)")
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    end_on_signals()
    console = Console()
    begun = time.monotonic()
    with ExitStack() as stack:
        state = stack.enter_context(configuration.state_folder(options.data.resolve()))
        variables = configuration.read_owner_file(configuration.owner_file()) | {
            "REPORTING_SCHEDULE_CHANGED": "none",
            "REPORTING_SCHEDULE_FULL": "none",
            "REPORTING_RETRY_SECONDS": "60",
            "REPORTING_SETTLE_SECONDS": "0",
        }
        configured = [
            entity
            for entity in ENTITIES
            if configuration.is_set(f"AIRFLOW_CONN_{entity.connection.upper()}", variables)
        ]
        if not configured:
            raise CommandError(
                "no source is configured. Run script/connect notion or hubspot, or script/google-login, first."
            )
        has_no_past = backup.metadata_address(state, variables | dict(os.environ)) is None
        running = stack.enter_context(
            installation.running(
                state, variables, console, port=options.port, bigquery_port=options.bigquery_port
            )
        )
        started_at = datetime.now(UTC)
        due = [
            dag_id
            for entity in configured
            if running.settings.names.get(entity.table) != SWITCHED_OFF
            and (entity.table in running.settings.names or not entity.needs_name)
            and (dag_id := due_dag(running.client, running.settings, entity, options.full))
        ]
        # Once a day, as the schedules have it.
        is_new_day = not is_built_today(running.client, running.settings, started_at)
        rounds.run_round(
            running.api,
            running.client,
            running.settings,
            console,
            due,
            full_build=is_new_day,
            upkeep=upkeep(is_new_day=is_new_day, has_no_past=has_no_past),
            seconds=options.minutes * 60,
            give_up_on_retry=False,
        )
        console.print(rounds.ledger_table(rounds.ledger_lines(running.client, running.settings, started_at)))
        console.print(f"Done in {time.monotonic() - begun:.0f} s.")
    return 0


def due_dag(client: bigquery.Client, settings: Settings, entity: Entity, full: bool) -> str | None:
    """The DAG that is due: the sweep once a day (of a large entity every six), else what changed.

    An entity that can only be swept is swept each time, and one that seldom changes once a day.
    """
    sweep = states.read(client, settings, entity).sweep
    is_due = sweep is None or (
        datetime.now(UTC) - sweep.started_at >= SWEEP_INTERVAL
        and not is_swept_lately(client, settings, entity)
    )
    if entity.is_slow and not (full or is_due):
        return None
    refresh = "full" if full or is_due or not entity.has_changed else "changed"
    return str(DagId("raw", entity.source, entity.name, refresh))


def upkeep(*, is_new_day: bool, has_no_past: bool) -> tuple[str, ...]:
    """The DAGs that run at the end of a round.

    A state folder that begins empty may end empty, and with it what Airflow knows of this round.
    """
    if is_new_day:
        return rounds.DAILY
    return (RUNS,) if has_no_past else ()


def is_built_today(client: bigquery.Client, settings: Settings, now: datetime) -> bool:
    """Whether everything was built since the owner's midnight; streaks move with the day."""
    built_at = builds.last_full_build(client, settings)
    zone = ZoneInfo(settings.timezone)
    return built_at is not None and built_at.astimezone(zone).date() == now.astimezone(zone).date()


if __name__ == "__main__":
    run("script/round", main)
