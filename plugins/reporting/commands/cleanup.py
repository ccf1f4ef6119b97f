"""Removes runs and their logs from Airflow's history: by age, by DAG, by both, or all. Says first how many.

The latest scheduled run of each DAG stays, by which Airflow knows when the next one is due. Nothing of the warehouse and of
the landing is touched. With --all Airflow must not run.
"""

import argparse
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from reporting import history
from reporting.commands import backup, configuration, database, installation
from reporting.commands.errors import CommandError, confirm, end_on_signals, run
from reporting.commands.installation import AIRFLOW_PORT
from reporting.naming import DagId

ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def main() -> int:
    """Show the counts, ask, and remove."""
    parser = argparse.ArgumentParser("script/cleanup", description=__doc__)
    parser.add_argument(
        "--dag", action="append", default=[], metavar="DAG_ID", help="only of this DAG; again for more"
    )
    parser.add_argument("--days", type=int, metavar="N", help="only what is older than so many days")
    parser.add_argument("--all", action="store_true", help="all, however young")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    if options.all and (options.dag or options.days is not None):
        parser.error("--all excludes --dag and --days")
    if not (options.all or options.dag or options.days is not None):
        parser.error("say what: --days, --dag, both, or --all")
    if options.days is not None and options.days < 1:
        parser.error("--days takes a number of at least 1")
    for name in options.dag:
        try:
            DagId.parse(name)
        except ValueError as error:
            parser.error(str(error))
    end_on_signals()
    console = Console(highlight=False)
    state = options.data.resolve()
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    address = backup.metadata_address(state, variables)
    if address is None:
        raise CommandError(f"there is no metadata database in {state}. --data names another state folder.")
    # What begins while this looks is not counted and not removed.
    before = datetime.now(UTC) - timedelta(days=options.days or 0)
    environment = configuration.airflow_environment(state, AIRFLOW_PORT, variables)
    if variables.get(database.VARIABLE):
        environment |= database.environment(make_url(address))
        address = environment[ADDRESS]
    logs = Path(environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"])
    try:
        counts = history.count_runs(address, before, options.dag, environment)
        counts["log files"] = sum(1 for _ in history.old_logs(logs, before, options.dag))
        console.print(_counts(counts, before, options.dag))
        if not any(counts.values()):
            console.print("There is nothing to remove.")
            return 0
        confirm(options.yes, "Remove these for good?")
        history.clean_runs(address, before, options.dag, environment)
    except history.HistoryError as error:
        raise CommandError(str(error)) from None
    removed = history.clean_logs(logs, before, options.dag)
    console.print(f"They are removed, with {removed} log files.")
    return 0


def _counts(counts: dict[str, int], before: datetime, dag_ids: list[str]) -> Table:
    of = ", ".join(dag_ids) or "every DAG"
    shown = Table(title=f"Before {before:%Y-%m-%d %H:%M} UTC, of {of}", title_justify="left")
    shown.add_column("what")
    shown.add_column("rows", justify="right")
    for name, count in sorted(counts.items()):
        shown.add_row(name, str(count))
    return shown


if __name__ == "__main__":
    run("script/cleanup", main)
