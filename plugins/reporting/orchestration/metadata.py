"""Gives a task the address of Airflow's metadata database, which Airflow itself hides from tasks."""

import os

from airflow.sdk.exceptions import AirflowSkipException

from reporting.settings import METADATA_URL


def address() -> str:
    """The database's address. Skips the task if `REPORTING_METADATA_URL` is not set."""
    found = os.environ.get(METADATA_URL)
    if not found:
        raise AirflowSkipException(
            f"{METADATA_URL} is not set, so this task does not know the metadata database. script/server and script/start set it."
        )
    return found
