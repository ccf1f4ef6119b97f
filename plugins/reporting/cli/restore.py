"""Restores the warehouse from a backup, or some of its tables. It shows first what it would replace, and asks.

TABLE is for example hubspot__contacts or raw.hubspot__contacts; without it, every table is restored. Airflow must not run
meanwhile. You can stop the command at any moment and run it again.

Examples:

    script/restore --list
    script/restore hubspot__contacts --at 2026-11-21
"""

import os
import re
from collections.abc import Mapping
from copy import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from reporting.backup import restore
from reporting.backup.backup import Backup, Backups, NoBackupError, taken_at
from reporting.cli.command import LOCAL, BigQueryPort, Data, Yes, print_json
from reporting.deploy import configuration, installation, metadata
from reporting.deploy.errors import CommandError, confirm, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT, Warehouse
from reporting.deploy.tables import print_table
from reporting.reports.formats import count
from reporting.settings import Settings
from reporting.warehouse.client import WarehouseError

NEXT = (
    "Next: rebuild everything (DAG mart_personal__models__full, or script/sync, which does so if nothing was built today), and "
    "fully refresh each source once (script/sync --full), which loads the changes since the backup."
)

NEXT_TO_IT = (
    "The warehouse itself is as it was: the copies are in the datasets whose names begin with {prefix}. Next: look up what you "
    "need in them, and delete these datasets when you are done; nothing else reads them."
)


def main(
    tables: Annotated[list[str] | None, typer.Argument(metavar="TABLE")] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="use the latest backup up to this day or time (ISO, in your time zone)",
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX",
            help="restore into other datasets, with this prefix",
        ),
    ] = None,
    lists: Annotated[bool, typer.Option("--list", help="show the backups, and restore nothing")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="with --list: write one JSON document to standard output")
    ] = False,
    of_airflow: Annotated[
        bool, typer.Option("--metadata", help="restore Airflow's metadata database instead")
    ] = False,
    discard_newer: Annotated[
        bool, typer.Option("--discard-newer", help="restore even if newer rows are lost")
    ] = False,
    yes: Yes = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Show what would be replaced, ask, and restore it."""
    if into is not None and not re.fullmatch(r"[A-Za-z0-9_]+", into):
        raise CommandError("--into takes letters, digits and underscores, such as before_.")
    if as_json and not lists:
        raise CommandError("--json can only be used together with --list.")
    end_on_signals()
    console = Console(highlight=False, stderr=as_json)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = data.resolve()
    try:
        if of_airflow:
            if lists:
                return _list_metadata(console, state, variables, as_json)
            return _metadata(console, state, variables, at, yes)
        with installation.warehouse_running(
            state, variables, console, bigquery_port=bigquery_port, is_written=False, is_shared=lists
        ) as warehouse:
            if lists:
                return _list(console, warehouse, as_json)
            return _warehouse(
                console,
                warehouse,
                tables or [],
                at=at,
                into=into,
                discard_newer=discard_newer,
                is_answered=yes,
            )
    except (NoBackupError, WarehouseError) as error:
        raise CommandError(str(error)) from None


def _list(console: Console, warehouse: Warehouse, as_json: bool) -> int:
    found = _kept(Backups(warehouse.client, warehouse.settings))
    if as_json:
        print_json(
            [
                {
                    "backup_id": backup_id,
                    "taken_at": each.taken_at.isoformat() if each else None,
                    "revision": each.revision if each else None,
                    "tables": len(each.copies) if each else None,
                    "rows": each.row_count if each else None,
                }
                for backup_id, each in found.items()
            ]
        )
    else:
        print_table(console, _listed(found, warehouse.settings))
    return 0


def _kept(backups: Backups) -> dict[str, Backup | None]:
    """Every backup by its id, the oldest first; None for a backup that cannot be read."""
    found: dict[str, Backup | None] = {}
    for backup_id in backups.ids():
        try:
            found[backup_id] = backups.read(backup_id)
        except NoBackupError:
            found[backup_id] = None
    return found


def _list_metadata(console: Console, state: Path, variables: Mapping[str, str], as_json: bool) -> int:
    found = metadata.kept(installation.settings_of(state, variables))
    if as_json:
        print_json(found)
    for each in () if as_json else found:
        console.print(each, soft_wrap=True)
    return 0


def _warehouse(
    console: Console,
    warehouse: Warehouse,
    tables: list[str],
    *,
    at: str | None,
    into: str | None,
    discard_newer: bool,
    is_answered: bool,
) -> int:
    client, settings = warehouse.client, warehouse.settings
    backups = Backups(client, settings)
    if into is not None:
        settings = replace(settings, dataset_prefix=into)
    backup = restore.choose(backups, until(at, settings.timezone) if at else None)
    copies = restore.chosen_copies(backup, tables)
    newer = restore.newer_runs(client, settings, backup, copies)
    print_table(console, _plan(backup, [copy.table for copy in copies], settings))
    if newer:
        console.print(
            f"{count(newer, 'load has', 'loads have')} changed these tables since then. Their rows will be lost."
        )
    confirm(is_answered, f"Replace these tables in {settings.project} ({settings.dataset('raw')}, ...)?")
    done = restore.restore(
        client,
        settings,
        backups,
        backup,
        copies,
        discard_newer=discard_newer,
        say=console.print,
    )
    purged = sum(each.purged_count for each in done)
    console.print(
        f"{count(len(done), 'table')} with {count(sum(each.row_count for each in done), 'row')} "
        f"{'was' if len(done) == 1 else 'were'} restored, and compared with the backup.",
        soft_wrap=True,
    )
    if purged:
        console.print(f"Left out, since their people were purged: {count(purged, 'row')}.")
    console.print(NEXT if into is None else NEXT_TO_IT.format(prefix=into), markup=False, soft_wrap=True)
    return 0


def _metadata(
    console: Console, state: Path, variables: Mapping[str, str], at: str | None, is_answered: bool
) -> int:
    settings = installation.settings_of(state, variables)
    end = until(at, settings.timezone) if at else None
    found = metadata.kept(settings)
    names = [each for each in found if end is None or taken_at(Path(each).name.partition(".")[0]) <= end]
    if not names:
        raise NoBackupError(
            "there is no backup of the metadata database up to that time. --metadata --list shows the backups."
        )
    default = f"sqlite:///{state / 'airflow.db'}"
    address = metadata.address_of(state, dict(variables) | dict(os.environ)) or default
    confirm(is_answered, f"Replace Airflow's metadata database by {names[-1]}?")
    metadata.restore_kept(settings, names[-1], address)
    console.print("The metadata database was restored. Next: start Airflow.")
    return 0


def until(text: str, timezone: str) -> datetime:
    """The time that `text` names; for a date, the end of that day. Raises `CommandError`."""
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
    shown = Table(title=f"The backup of {taken:%Y-%m-%d %H:%M} ({backup.backup_id})")
    shown.add_column("table")
    shown.add_column("rows", justify="right")
    for copy in backup.copies:
        if copy.table in tables:
            shown.add_row(copy.table, f"{copy.row_count:,}")
    return shown


def _listed(backups: Mapping[str, Backup | None], settings: Settings) -> Table:
    zone = ZoneInfo(settings.timezone)
    shown = Table(title=f"Backups in {settings.backup_uri}")
    shown.add_column("taken")
    shown.add_column("id")
    shown.add_column("revision")
    shown.add_column("tables", justify="right")
    shown.add_column("rows", justify="right")
    for backup_id, backup in backups.items():
        if backup is None:
            shown.add_row("cannot be read", backup_id, "", "", "")
            continue
        at = backup.taken_at.astimezone(UTC).astimezone(zone)
        shown.add_row(
            f"{at:%Y-%m-%d %H:%M}",
            backup.backup_id,
            backup.revision,
            str(len(backup.copies)),
            f"{backup.row_count:,}",
        )
    return shown
