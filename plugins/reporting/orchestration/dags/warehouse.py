"""The DAGs that maintain the warehouse: schema, freshness, incidents, profiles, backups."""

from airflow.sdk import DAG, CronTriggerTimetable, Param, task

from reporting.naming import DagId
from reporting.orchestration import backup, quality
from reporting.orchestration.dags.common import COPY_LIMIT, daily, defaults
from reporting.orchestration.dbt import DbtSourceFreshness
from reporting.settings import read_settings


def schema_dag() -> DAG:
    """The DAG that applies the Alembic revisions."""
    # Heavy: Alembic.
    from reporting.orchestration.schema import SchemaOperator

    with DAG(
        dag_id=str(DagId("ops", "warehouse", "schema", "upgrade")),
        description="Upgrades the warehouse's schema to the code's revision, or moves it to another one.",
        doc_md=(
            "### Schema of the warehouse\n\nRuns the Alembic revisions in `migrations/` up to the newest. A start of the "
            "installation does the same; run this DAG if a load says that the schema is behind. Repeating it changes "
            "nothing.\n\nWith `revision` it upgrades or downgrades to that revision. A downgrade that would drop rows or values "
            "fails and leaves the schema as it was, unless `discard` is set. After a downgrade, loads fail until the schema is at "
            "the newest revision again; the next start upgrades it."
        ),
        schedule=None,
        max_active_runs=1,
        default_args=defaults(retries=1),
        tags=["ops"],
        params={
            "revision": Param(
                "head",
                type="string",
                pattern="^[0-9a-z_]{4,40}$",
                description="An Alembic revision such as 0019; head is the newest one, base is none.",
            ),
            "discard": Param(
                False,
                type="boolean",
                description="In a downgrade, drop tables and columns even if they are not empty.",
            ),
        },
    ) as dag:
        SchemaOperator(task_id="upgrade", command="move", revision="{{ params.revision }}")
    return dag


def freshness_dag() -> DAG:
    """The DAG that fails if a source has not been read for too long."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "sources", "freshness")),
        description="Fails if a source has had no complete run for too long.",
        doc_md=(
            "### Freshness of the sources\n\nLooks up the last complete run of each source in the sync log; replays and sources "
            "that were never read do not count. It fails if one is older than `stale_after_days` in dbt/dbt_project.yml."
        ),
        schedule=daily("53 6 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=1),
        tags=["ops"],
    ) as dag:
        DbtSourceFreshness(task_id="freshness")
    return dag


def incidents_dag() -> DAG:
    """The DAG that looks for incidents, and sends alerts when they begin and when they are resolved."""
    settings = read_settings()
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "problems", "alert")),
        description="Sends one alert when an incident begins, and one when it is resolved.",
        doc_md=(
            "### Incidents\n\nLooks every hour for sources that are not read any more and for unusual loads, and once a day (or "
            "when you run it by hand) for values that look like other spellings of one value and for certificates, keys and "
            "logins that are about to expire. Every channel gets one message when an incident begins and one when it is "
            "resolved; this includes failed tasks and failed tests of dbt. `ops.problems` has one row per incident. Skipped if no "
            "channel is configured. If a channel is down, the run does not fail, and the message is sent an hour later."
        ),
        schedule=CronTriggerTimetable("47 * * * *", timezone=settings.timezone)
        if settings.schedule_changed or settings.schedule_full
        else None,
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=1),
        tags=["ops"],
    ) as dag:

        @task
        def alert() -> int:
            # Heavy: Google's client.
            from reporting.orchestration import incidents

            return incidents.send_incidents()

        alert()
    return dag


def profile_dag() -> DAG:
    """The DAG that profiles the raw tables."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "tables", "profile")),
        description="Profiles the raw tables that changed, and updates the views with samples.",
        doc_md=(
            "### Data quality\n\nProfiles each raw table that a load changed since its last profile, at most once a day: the "
            "number of rows, and for each column the empty values, the distinct values, and the minimum and maximum (for texts "
            "and lists, those of the length). Profiles stay in `ops.table_profiles` for 400 days, and `marts.ops_table_profiles` "
            "compares each with the one before. The views in `samples` show a hundredth of the rows of each raw table, at least "
            "20."
        ),
        schedule=daily("7 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=2),
        tags=["ops"],
    ) as dag:

        @task
        def samples() -> int:
            return quality.refresh_samples()

        @task
        def profile() -> dict[str, int]:
            return quality.profile_tables()

        samples()
        profile()
    return dag


def backup_dag() -> DAG:
    """The DAG that makes the daily backup."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "backup", "daily")),
        description="Makes dated backups of the warehouse and of Airflow's metadata database.",
        doc_md=(
            "### Backup\n\nCopies raw, ops and dbt's snapshots to `REPORTING_BACKUP_URI`, each table only if it changed, and "
            "dumps the metadata database beside them. Every backup is kept for `REPORTING_BACKUP_DAYS`; of older ones, the first "
            "of each month is kept. `script/restore` restores them. If `REPORTING_BACKUP_URI` is not set, both tasks are "
            "skipped, and **there is no backup**."
        ),
        schedule=daily("17 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(retries=2),
        tags=["ops"],
    ) as dag:

        @task(execution_timeout=COPY_LIMIT)
        def warehouse() -> dict[str, int]:
            return backup.keep_warehouse()

        @task(execution_timeout=COPY_LIMIT)
        def metadata() -> None:
            backup.keep_metadata()

        warehouse()
        metadata()
    return dag
