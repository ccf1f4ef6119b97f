"""Makes a backup of the warehouse and of Airflow's metadata database now.

It writes to REPORTING_BACKUP_URI, as the daily DAG does; script/restore --list shows the backups. With FILE it dumps only the
metadata database to that file, or restores it from the file. Production must not run during a restore.

Examples:

    script/backup
    script/backup airflow.dump
    script/backup --restore airflow.dump
"""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reporting.backup.backup import NoBackupError, back_up
from reporting.cli.command import CALLER, LOCAL, BigQueryPort, Data
from reporting.deploy import configuration, database, installation, metadata
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT
from reporting.settings import DATABASE_URL
from reporting.warehouse.client import WarehouseError


def main(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="file of the dump; created with mode 0600"),
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="replace the metadata database by the dump in FILE")
    ] = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Make the backup, or dump the metadata database to the file, or restore it from there."""
    if restore and not file:
        raise CommandError("--restore needs a FILE. To restore the warehouse, use script/restore.")
    end_on_signals()
    if file is None:
        return _back_up(data.resolve(), bigquery_port)
    try:
        url = database.parse(os.environ.get(DATABASE_URL, ""))
    except database.DatabaseUrlError as error:
        raise CommandError(f"{DATABASE_URL} {error}.") from None
    (metadata.restore if restore else metadata.dump)(url, CALLER / file)
    return 0


def _back_up(state: Path, bigquery_port: int) -> int:
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        state, variables, console, bigquery_port=bigquery_port, is_written=False
    ) as warehouse:
        try:
            backup, copied = back_up(warehouse.client, warehouse.settings)
        except (NoBackupError, WarehouseError) as error:
            raise CommandError(str(error)) from None
        console.print(
            f"The backup {backup.backup_id} has {backup.row_count} rows in {len(backup.copies)} tables, of which {copied} "
            "had changed."
        )
        address = metadata.address_of(state, dict(variables) | dict(os.environ))
        if address is None:
            console.print("This installation has no metadata database yet.")
        else:
            console.print(
                f"The metadata database is in {metadata.keep(warehouse.settings, address)}.", soft_wrap=True
            )
    return 0
