"""How a task knows Airflow's metadata database, which Airflow itself keeps from it."""

import os

from airflow.sdk.exceptions import AirflowSkipException


def address() -> str:
    """The database's address; skips the task where nobody has told it."""
    from reporting.commands.configuration import METADATA

    found = os.environ.get(METADATA)
    if not found:
        raise AirflowSkipException(
            f"{METADATA} is not set, so this task does not know the metadata database. script/server and script/start set it."
        )
    return found
