"""DAGs that are paused until a day: the day is an Airflow variable of each, and a DAG lets them run again.

The page of pipelines pauses and notes the day. Tasks cannot reach the metadata database, so Airflow's own program resumes:
https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html#unpause
"""

import logging
import os
import subprocess
from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from reporting.naming import DagId

log = logging.getLogger(__name__)

KEEPER = str(DagId("ops", "airflow", "pauses", "lift"))
PREFIX = "reporting_paused_until__"
PATIENCE_SECONDS = 300


class ResumeError(Exception):
    """Airflow did not let a DAG run again; says which, and how its program ended."""


def variable_of(dag_id: str) -> str:
    """The variable with the day until which a DAG is paused."""
    return f"{PREFIX}{dag_id}"


def lift(
    keys: Iterable[str],
    read: Callable[[str], str],
    forget: Callable[[str], None],
    resume: Callable[[str], None],
    today: date,
) -> list[str]:
    """Resume the DAGs whose day has come, and return them. Killed in between, it resumes one again, which changes nothing."""
    due = []
    for key in sorted(keys):
        dag_id = key.removeprefix(PREFIX)
        try:
            until = date.fromisoformat(read(key))
        except ValueError:
            log.warning("The variable %s holds no date such as 2026-11-30, and %s stays paused.", key, dag_id)
            continue
        if until <= today:
            resume(dag_id)
            forget(key)
            log.info("%s runs again.", dag_id)
            due.append(dag_id)
    return due


def lift_all() -> list[str]:
    """Resume every DAG whose day has come in the owner's time zone, and return them; what the task does."""
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException

    from reporting.commands.configuration import METADATA
    from reporting.settings import read_settings

    keys = Variable.keys(prefix=PREFIX)
    if not keys:
        return []
    address = os.environ.get(METADATA)
    if not address:
        raise AirflowSkipException(
            f"{METADATA} is not set, so this task does not know the metadata database. script/server and script/start set it."
        )
    today = datetime.now(ZoneInfo(read_settings().timezone)).date()
    try:
        return lift(keys, Variable.get, Variable.delete, lambda dag_id: _resume(address, dag_id), today)
    except ResumeError as error:
        raise AirflowException(str(error)) from None


def _resume(address: str, dag_id: str) -> None:
    from reporting.history import AIRFLOW

    done = subprocess.run(
        [AIRFLOW, "dags", "unpause", "--yes", dag_id],
        # Airflow gives a task an address that leads nowhere.
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode != 0:
        # What it says may quote the address.
        raise ResumeError(f"airflow dags unpause {dag_id} ended with {done.returncode}. Resume it by hand.")
