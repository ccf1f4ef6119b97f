"""The canary: a DAG that must succeed every half hour, and then pings an outside service."""

import os
from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from reporting.monitoring import alerts
from reporting.naming import DagId
from reporting.orchestration import callbacks
from reporting.settings import PING_URL, read_settings

SCHEDULE = "*/30 * * * *"


def canary_dag() -> DAG:
    """The DAG that proves that runs are scheduled, executed and recorded."""
    with DAG(
        dag_id=str(DagId("ops", "airflow", "canary", "ping")),
        description="Succeeds every half hour, and pings an outside service.",
        doc_md=(
            "### Canary\n\nA dead instance cannot send an alert. So each success calls an outside address "
            "(`REPORTING_PING_URL`), and the service there sends a message when the pings stop. `/reporting/health` fails if the "
            "last success is older than 90 minutes. Scheduled only if `REPORTING_PING_URL` is set; `none` counts as set."
        ),
        # Production requires the variable; in other installations nobody waits for the pings. The time zone is that of all
        # other DAGs, since the history of runs computes with it which runs were due.
        schedule=CronTriggerTimetable(SCHEDULE, timezone=read_settings().timezone)
        if os.environ.get(PING_URL)
        else None,
        catchup=False,
        max_active_runs=1,
        # If only one task runs at a time, this one may have to wait for a long one.
        dagrun_timeout=timedelta(minutes=60),
        default_args={
            "owner": "reporting",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "execution_timeout": timedelta(minutes=10),
            "on_execute_callback": callbacks.hide_secrets,
            "on_failure_callback": callbacks.task_failed,
        },
        tags=["ops"],
    ) as dag:

        @task
        def ping() -> bool:
            return alerts.read_channels().ping()

        ping()
    return dag
