"""Removes runs and their logs from Airflow's history: by age, by DAG, by both, or all of them.

It shows first how many there are, and asks. The latest scheduled run of each DAG stays, because Airflow computes from it when the
next run is due. The warehouse and the landing are not touched. With --all, Airflow must not run.

Examples:

    script/cleanup --days 90
    script/cleanup --dag raw_notion__daily_habits__full --yes
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from reporting.cli.command import LOCAL, Data, Yes
from reporting.deploy import configuration, database, metadata
from reporting.deploy.errors import CommandError, confirm, end_on_signals
from reporting.deploy.installation import AIRFLOW_PORT
from reporting.deploy.tables import print_table
from reporting.monitoring import history
from reporting.naming import DagId
from reporting.reports import formats
from reporting.settings import DATABASE_URL

ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def main(
    dag: Annotated[
        list[str] | None,
        typer.Option(metavar="DAG_ID", help="only this DAG; can be repeated"),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="only runs older than N days"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all runs, even recent ones")] = False,
    yes: Yes = False,
    data: Data = LOCAL,
) -> int:
    """Show the counts, ask, and remove."""
    if everything and (dag or days is not None):
        raise CommandError("--all cannot be combined with --dag or --days.")
    if not (everything or dag or days is not None):
        raise CommandError("nothing was selected. Use --days, --dag, both, or --all.")
    dag_ids = dag or []
    for name in dag_ids:
        try:
            DagId.parse(name)
        except ValueError as error:
            raise CommandError(str(error)) from None
    end_on_signals()
    console = Console(highlight=False)
    state = data.resolve()
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    address = metadata.address_of(state, variables)
    if address is None:
        raise CommandError(f"there is no metadata database in {state}. --data names another state folder.")
    # A fixed time, so that runs that begin after the count are not removed.
    before = datetime.now(UTC) - timedelta(days=days or 0)
    environment = configuration.airflow_environment(state, AIRFLOW_PORT, variables)
    if variables.get(DATABASE_URL):
        environment |= database.environment(make_url(address))
        address = environment[ADDRESS]
    logs = Path(environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"])
    try:
        counts = history.count_runs(address, before, dag_ids, environment)
        counts["log files"] = sum(1 for _ in history.old_logs(logs, before, dag_ids))
        print_table(console, _counts(counts, before, dag_ids))
        if not any(counts.values()):
            console.print("There is nothing to remove.")
            return 0
        confirm(yes, "Remove these permanently?")
        history.clean_runs(address, before, dag_ids, environment)
    except history.HistoryError as error:
        raise CommandError(str(error)) from None
    removed = history.clean_logs(logs, before, dag_ids)
    console.print(f"They were removed, with {formats.count(removed, 'log file')}.")
    return 0


def _counts(counts: dict[str, int], before: datetime, dag_ids: list[str]) -> Table:
    of = ", ".join(dag_ids) or "every DAG"
    shown = Table(title=f"Before {before:%Y-%m-%d %H:%M} UTC, of {of}")
    shown.add_column("what")
    shown.add_column("rows", justify="right")
    for name, count in sorted(counts.items()):
        shown.add_row(name, f"{count:,}")
    return shown
