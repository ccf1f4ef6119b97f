"""Brings the warehouse back from a backup, or some of its tables, and says first what it would do.

TABLE is one such as hubspot__contacts, or raw.hubspot__contacts; without one it is every table. Airflow must not run
meanwhile. It can be killed and run again at any moment.
"""

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from reporting.commands import backup as metadata
from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, confirm, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT, Warehouse
from reporting.settings import Settings
from reporting.warehouse import restore
from reporting.warehouse.backup import Backup, Backups, NoBackupError, taken_at
from reporting.warehouse.client import WarehouseError

NEXT = (
    "Next: build everything anew (DAG mart_personal__models__full, or script/round, which does when nothing was built "
    "today), and let each source be swept once (script/round --full): what changed after the backup comes from there."
)


def main() -> int:
    """Show what is there and what would be replaced, ask, and replace it."""
    parser = argparse.ArgumentParser("script/restore", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE")
    parser.add_argument(
        "--at", metavar="DATE", help="the latest backup up to that day or time (ISO, in your time zone)"
    )
    parser.add_argument(
        "--into", metavar="PREFIX", help="restore to datasets with this prefix, beside the others"
    )
    parser.add_argument("--list", action="store_true", help="show the backups, and restore nothing")
    parser.add_argument(
        "--metadata", action="store_true", help="bring back Airflow's metadata database instead"
    )
    parser.add_argument("--discard-newer", action="store_true", help="even if newer rows are lost by it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    if options.into is not None and not re.fullmatch(r"[A-Za-z0-9_]+", options.into):
        parser.error("--into takes letters, digits and underscores, such as before_")
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = options.data.resolve()
    try:
        if options.metadata:
            return _metadata(console, state, variables, options)
        with installation.warehouse_running(
            state, variables, console, bigquery_port=options.bigquery_port, is_written=False
        ) as warehouse:
            return _warehouse(console, warehouse, options)
    except (NoBackupError, WarehouseError) as error:
        raise CommandError(str(error)) from None


def _warehouse(console: Console, warehouse: Warehouse, options: argparse.Namespace) -> int:
    client, settings = warehouse.client, warehouse.settings
    backups = Backups(client, settings)
    if options.list:
        console.print(_listed(backups, settings))
        return 0
    if options.into is not None:
        settings = replace(settings, dataset_prefix=options.into)
    backup = restore.choose(backups, until(options.at, settings.timezone) if options.at else None)
    copies = restore.chosen_copies(backup, options.tables)
    newer = restore.newer_runs(client, settings, backup, copies)
    console.print(_plan(backup, [copy.table for copy in copies], settings))
    if newer:
        console.print(f"{newer} loads have changed these tables since then, and their rows are lost by it.")
    confirm(options.yes, f"Replace these tables in {settings.project} ({settings.dataset('raw')}, ...)?")
    done = restore.restore(
        client,
        settings,
        backups,
        backup,
        copies,
        discard_newer=options.discard_newer,
        say=console.print,
    )
    purged = sum(each.purged_count for each in done)
    console.print(
        f"{len(done)} tables with {sum(each.row_count for each in done)} rows are as they were, each compared."
    )
    if purged:
        console.print(f"{purged} rows of people who were purged were left out.")
    console.print(NEXT, soft_wrap=True)
    return 0


def _metadata(
    console: Console, state: Path, variables: Mapping[str, str], options: argparse.Namespace
) -> int:
    settings = installation.settings_of(state, variables)
    end = until(options.at, settings.timezone) if options.at else None
    found = metadata.kept_metadata(settings)
    if options.list:
        for each in found:
            console.print(each, soft_wrap=True)
        return 0
    names = [each for each in found if end is None or taken_at(Path(each).name.partition(".")[0]) <= end]
    if not names:
        raise NoBackupError(
            "there is no backup of the metadata database up to then. --metadata --list shows those there are."
        )
    default = f"sqlite:///{state / 'airflow.db'}"
    address = metadata.metadata_address(state, dict(variables) | dict(os.environ)) or default
    confirm(options.yes, f"Replace Airflow's metadata database by {names[-1]}?")
    metadata.restore_metadata(settings, names[-1], address)
    console.print("The metadata database is as it was. Next: start Airflow.")
    return 0


def until(text: str, timezone: str) -> datetime:
    """The end of the day, or the time, that `text` names. Raises `CommandError`."""
    zone = ZoneInfo(timezone)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--at is '{text}'; it takes an ISO date or time, such as 2026-11-21.") from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def _plan(backup: Backup, tables: list[str], settings: Settings) -> Table:
    taken = backup.taken_at.astimezone(ZoneInfo(settings.timezone))
    shown = Table(title=f"The backup of {taken:%Y-%m-%d %H:%M} ({backup.backup_id})", title_justify="left")
    shown.add_column("table")
    shown.add_column("rows", justify="right")
    for copy in backup.copies:
        if copy.table in tables:
            shown.add_row(copy.table, str(copy.row_count))
    return shown


def _listed(backups: Backups, settings: Settings) -> Table:
    zone = ZoneInfo(settings.timezone)
    shown = Table(title=f"Backups in {settings.backup_uri}", title_justify="left")
    shown.add_column("taken")
    shown.add_column("id", overflow="fold")
    shown.add_column("revision")
    shown.add_column("tables", justify="right")
    shown.add_column("rows", justify="right")
    for backup in backups.all():
        at = backup.taken_at.astimezone(UTC).astimezone(zone)
        shown.add_row(
            f"{at:%Y-%m-%d %H:%M}",
            backup.backup_id,
            backup.revision,
            str(len(backup.copies)),
            str(backup.row_count),
        )
    return shown


if __name__ == "__main__":
    run("script/restore", main)
