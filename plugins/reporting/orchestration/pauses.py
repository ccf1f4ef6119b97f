"""Resumes DAGs that were paused until a certain day. An Airflow variable per DAG holds the day.

The page of pipelines pauses a DAG and sets the variable. A task has no access to the metadata database, so it resumes the DAG
with Airflow's own program:
https://airflow.apache.org/docs/apache-airflow/stable/cli-and-env-variables-ref.html#unpause
"""

import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from reporting.monitoring.history import DAG_ID
from reporting.naming import DagId

log = logging.getLogger(__name__)

KEEPER = str(DagId("ops", "airflow", "pauses", "lift"))
PREFIX = "reporting_paused_until__"
PATIENCE_SECONDS = 300


class ResumeError(Exception):
    """Airflow did not resume a DAG. The message says which DAG, and how Airflow's program ended."""


def variable_of(dag_id: str) -> str:
    """The name of the variable with the day until which a DAG is paused."""
    return f"{PREFIX}{dag_id}"


def lift(
    keys: Iterable[str],
    read: Callable[[str], str],
    forget: Callable[[str], None],
    resume: Callable[[str], None],
    today: date,
) -> list[str]:
    """Resume the DAGs whose day has come, and return them. After a kill, one may be resumed twice, which changes nothing."""
    due = []
    for key in sorted(keys):
        dag_id = key.removeprefix(PREFIX)
        if not re.fullmatch(DAG_ID, dag_id):
            log.warning("The variable %r does not name a DAG, and is ignored.", key)
            continue
        try:
            until = date.fromisoformat(read(key))
        except ValueError:
            log.warning(
                "The variable %s does not hold a date such as 2026-11-30, so %s stays paused.", key, dag_id
            )
            continue
        if until <= today:
            resume(dag_id)
            forget(key)
            log.info("%s was resumed.", dag_id)
            due.append(dag_id)
    return due


def lift_all() -> list[str]:
    """Resume every DAG whose day has come in the owner's time zone, and return them. This is what the task calls."""
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowException, AirflowSkipException

    from reporting.settings import METADATA_URL, read_settings

    keys = Variable.keys(prefix=PREFIX)
    if not keys:
        return []
    address = os.environ.get(METADATA_URL)
    if not address:
        raise AirflowSkipException(
            f"{METADATA_URL} is not set, so this task does not know the metadata database. script/server and script/start set it."
        )
    today = datetime.now(ZoneInfo(read_settings().timezone)).date()
    try:
        return lift(keys, Variable.get, Variable.delete, lambda dag_id: _resume(address, dag_id), today)
    except ResumeError as error:
        raise AirflowException(str(error)) from None


def _resume(address: str, dag_id: str) -> None:
    from reporting.monitoring.history import AIRFLOW

    done = subprocess.run(
        [AIRFLOW, "dags", "unpause", "--yes", dag_id],
        # Within a task, Airflow replaces this address by one that does not work.
        env={**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    if done.returncode != 0:
        # The program's output may quote the address, so it is not shown.
        raise ResumeError(f"airflow dags unpause {dag_id} ended with {done.returncode}. Resume it by hand.")
