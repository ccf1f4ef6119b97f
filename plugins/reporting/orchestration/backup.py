"""The tasks of the daily backup. Slow imports are within functions, so that parsing the DAGs stays fast."""

import shutil

from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from reporting.orchestration import metadata
from reporting.settings import Settings, read_settings


def keep_warehouse() -> dict[str, int]:
    """Make a backup of the warehouse and return its counts. Skips if no backup is configured."""
    from reporting.backup.backup import back_up
    from reporting.orchestration.connections import warehouse

    settings = _configured()
    made, copied = back_up(warehouse(settings), settings)
    return {"tables": len(made.copies), "copied": copied, "rows": made.row_count}


def keep_metadata() -> None:
    """Dump the metadata database beside that backup. Skips if this machine cannot do it."""
    from reporting.deploy import metadata as database
    from reporting.deploy.errors import CommandError

    settings = _configured()
    address = metadata.address()
    if address.startswith("postgresql") and shutil.which("pg_dump") is None:
        raise AirflowSkipException(
            "pg_dump is not installed here, so the metadata database is not backed up. Install PostgreSQL's client in the "
            "server's version, or rely on the server's own backups."
        )
    try:
        database.keep(settings, address)
    except CommandError as error:
        raise AirflowException(str(error)) from None


def _configured() -> Settings:
    settings = read_settings()
    if settings.backup_uri is None:
        raise AirflowSkipException(
            "There is no backup: REPORTING_BACKUP_URI is not set. Set it to a folder or bucket outside of what it protects."
        )
    return settings
