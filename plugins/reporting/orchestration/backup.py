"""What the daily backup does; nothing heavy is imported while DAGs are parsed."""

import shutil

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.orchestration import metadata
from reporting.settings import Settings, read_settings


def keep_warehouse() -> dict[str, int]:
    """Make a backup of the warehouse, and return its counts; skips where none is configured."""
    from reporting.orchestration.connections import warehouse
    from reporting.warehouse.backup import back_up

    settings = _configured()
    made, copied = back_up(warehouse(settings), settings)
    return {"tables": len(made.copies), "copied": copied, "rows": made.row_count}


def keep_metadata() -> None:
    """Dump the metadata database beside it; skips where that cannot be done here."""
    from reporting.commands import backup
    from reporting.commands.errors import CommandError

    settings = _configured()
    address = metadata.address()
    if address.startswith("postgresql") and shutil.which("pg_dump") is None:
        raise AirflowSkipException(
            "pg_dump is not installed here, so the metadata database is in no backup of this project. Install PostgreSQL's "
            "client of the server's version, or rely on the server's own backups."
        )
    try:
        backup.keep_metadata(settings, address)
    except CommandError as error:
        raise AirflowException(str(error)) from None


def _configured() -> Settings:
    settings = read_settings()
    if settings.backup_uri is None:
        raise AirflowSkipException(
            "There is no backup: REPORTING_BACKUP_URI is not set. It takes a folder or bucket outside of what it protects."
        )
    return settings
