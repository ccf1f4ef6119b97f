"""The canary: a run that must succeed every half hour, and says so to somebody outside."""

import os
from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, task

from reporting import alerts
from reporting.naming import DagId
from reporting.orchestration import callbacks
from reporting.settings import read_settings

SCHEDULE = "*/30 * * * *"


def canary_dag() -> DAG:
    """The DAG that shows that runs are scheduled, executed and recorded."""
    with DAG(
        dag_id=str(DagId("ops", "airflow", "canary", "ping")),
        description="Succeeds every half hour, and says so to somebody outside.",
        doc_md=(
            "### Canary\n\nA dead instance sends no alert, so an address outside is asked after each success "
            "(`REPORTING_PING_URL`); its owner sends the message when the pings stay away. `/reporting/health` fails when the last "
            "success is older than 90 minutes. Scheduled only where `REPORTING_PING_URL` is set, be it to `none`."
        ),
        # Production does not start without it; elsewhere nobody waits for the ping.
        # In the zone of all the others, by which the history of runs knows what was due.
        schedule=CronTriggerTimetable(SCHEDULE, timezone=read_settings().timezone)
        if os.environ.get(alerts.PING)
        else None,
        catchup=False,
        max_active_runs=1,
        # Its task may wait behind a long one where one runs at a time.
        dagrun_timeout=timedelta(minutes=60),
        default_args={
            "owner": "reporting",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
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
