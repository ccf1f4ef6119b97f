"""The DAGs that maintain Airflow itself: history of runs, clean-up, and pauses until a day."""

from airflow.sdk import DAG, CronTriggerTimetable, Param, task

from reporting.monitoring.history import DAG_ID
from reporting.monitoring.runs import DAG as RUNS
from reporting.naming import DagId
from reporting.orchestration import cleanup, pauses, runs
from reporting.orchestration.dags.common import daily, defaults
from reporting.orchestration.pauses import KEEPER
from reporting.settings import read_settings


def runs_dag() -> DAG:
    """The DAG that records the history of runs."""
    with DAG(
        dag_id=str(DagId.parse(RUNS)),
        description="Loads the history of Airflow's own runs into the warehouse, once a day.",
        doc_md=(
            "### The history of runs\n\nReads the runs and the tries of tasks that changed in Airflow's metadata database since "
            "the last time, and merges them into `ops.airflow_runs` and `ops.airflow_tries`, where they stay for 400 days. A run "
            "that was due by its DAG's schedule but did not start becomes a row with the state `missing`. With `everything` it "
            "reads all runs that Airflow still has. It triggers no build, since the marts `ops_runs` and `ops_dbt_results` are "
            "views."
        ),
        schedule=daily("11 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=2),
        tags=["raw", "ops"],
        params={
            "everything": Param(
                False,
                type="boolean",
                description="Read all runs that Airflow has, not only those that changed.",
            )
        },
    ) as dag:

        @task
        def load() -> dict[str, int]:
            return runs.bring_runs()

        load()
    return dag


def cleanup_dag() -> DAG:
    """The DAG that keeps the disk and the metadata database from growing without end."""
    with DAG(
        dag_id=str(DagId("ops", "airflow", "metadata", "cleanup")),
        description="Removes old runs, logs and landings.",
        doc_md=(
            "### Clean-up\n\nRemoves runs and their logs after `REPORTING_HISTORY_DAYS`, and landings after "
            "`REPORTING_LANDING_DAYS`; the newest landing of each entity stays. If you run it by hand, `days` sets another age, "
            "and `dag_ids` limits it to some DAGs; with `dag_ids` and without `days`, everything of these DAGs that is older "
            "than a day is removed. In the warehouse it removes only the history of runs, builds and profiles after 400 days."
        ),
        schedule=daily("29 4 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=1),
        tags=["ops"],
        params={
            "days": Param(
                None,
                type=["null", "integer"],
                minimum=1,
                maximum=36500,
                description="Age in days. Empty: as in the settings.",
            ),
            "dag_ids": Param(
                [],
                type="array",
                items={"type": "string", "pattern": f"^{DAG_ID}$"},
                maxItems=1000,
                description="DAGs to clean. Empty: all of them.",
            ),
        },
    ) as dag:

        @task
        def metadata() -> None:
            cleanup.clean_metadata(*cleanup.asked())

        @task
        def logs() -> int:
            before, dag_ids = cleanup.asked()
            return cleanup.clean_logs(before, dag_ids)

        @task
        def landing() -> int:
            return cleanup.clean_landing()

        @task
        def history() -> int:
            return cleanup.clean_history()

        metadata()
        logs()
        landing()
        history()
    return dag


def pauses_dag() -> DAG:
    """The DAG that resumes DAGs that were paused until a day."""
    with DAG(
        dag_id=KEEPER,
        description="Resumes DAGs that were paused until a day.",
        doc_md=(
            "### Pauses\n\nThe page *Pipelines* in the menu pauses a DAG until a day. On that day, in your time zone, this DAG "
            "resumes it. The Airflow variables `reporting_paused_until__…` hold the days."
        ),
        # More than once a day, in case the machine was off at one of the times.
        schedule=CronTriggerTimetable("2 */6 * * *", timezone=read_settings().timezone),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=2),
        tags=["ops"],
    ) as dag:

        @task
        def lift() -> list[str]:
            return pauses.lift_all()

        lift()
    return dag
