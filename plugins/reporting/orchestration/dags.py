"""Factories of the DAGs: what a DAG file calls, and nothing that touches the network while it is parsed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    AssetAny,
    CronTriggerTimetable,
    Param,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from reporting.entities import ENTITIES, Entity
from reporting.landing import Refresh
from reporting.naming import DagId
from reporting.orchestration import backup, cleanup, pauses, quality, runs
from reporting.orchestration.callbacks import hide_secrets, task_failed
from reporting.orchestration.dbt import DbtBuild, DbtSourceFreshness
from reporting.orchestration.pauses import KEEPER
from reporting.reports import DAG as REPORT
from reporting.runs import DAG as RUNS
from reporting.settings import EXPORT_FORMATS, ROOT, read_settings
from reporting.window import Window, WindowError, parse_window

WINDOWS = " With the params `since` and `until` it reads what was last changed between them, and not from the cursor."


def asset(entity: Entity) -> Asset:
    """The raw table of `entity`, as what the marts wait for."""
    return Asset(name=f"raw.{entity.table}", uri=f"reporting://raw/{entity.table}")


def raw_dags(entity: Entity) -> dict[str, DAG]:
    """The two DAGs of a raw entity by id, or the sweep alone for an entity that is swept each time."""
    refreshes: tuple[Refresh, ...] = ("full", "changed") if entity.has_changed else ("full",)
    made = [_raw_dag(entity, refresh) for refresh in refreshes]
    return {dag.dag_id: dag for dag in made}


def _raw_dag(entity: Entity, refresh: Refresh) -> DAG:
    what = (
        "everything, and marks what is gone"
        if refresh == "full"
        else "what changed since the last complete run"
    )
    # An entity that can only be swept is as current as the others, unless it seldom changes.
    pace: Refresh = refresh if entity.has_changed or entity.is_slow else "changed"
    changed = AssetAlias(name=f"changed.{entity.table}")
    with DAG(
        dag_id=str(DagId("raw", entity.source, entity.name, refresh)),
        description=f"Loads {entity.table}: {what}.",
        doc_md=(
            f"### {entity.table}\n\n{entity.description}\n\nReads {what}. `extract` keeps every answer in the landing; "
            "`load` brings the landing into the raw table and the ledger, and can be cleared alone. The marts are "
            f"built when `load` changed something.{WINDOWS if refresh == 'changed' else ''}"
        ),
        schedule=_schedule(pace),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(),
        tags=["raw", entity.source],
        params=_params(refresh),
    ) as dag:

        @task(pool=entity.source)
        def extract() -> str:
            return _extract(entity, refresh)

        # Through an alias, so that only a load that changed something is an event.
        @task(outlets=[changed])
        def load(folder: str) -> dict[str, int]:
            counts = _load(entity, folder)
            if counts["inserted"] or counts["updated"] or counts["tombstoned"]:
                get_current_context()["outlet_events"][changed].add(asset(entity))
            return counts

        load(extract())  # type: ignore[arg-type]  # Airflow hands over the value and not the reference
    return dag


def mart_dags() -> dict[str, DAG]:
    """The DAGs that build staging and marts, by id."""
    with DAG(
        dag_id=str(DagId("mart", "personal", "models", "changed")),
        description="Builds what changed sources feed, as soon as they changed.",
        doc_md=(
            "### Staging and marts, after a change\n\nTriggered by any raw table that changed. What is built is decided "
            "by the ledger: every source with a change that no successful build has taken in."
        ),
        schedule=AssetAny(*map(asset, ENTITIES)),
        max_active_runs=1,
        default_args=_defaults(),
        tags=["mart"],
    ) as changed:
        DbtBuild(layer="staging", refresh="changed") >> DbtBuild(layer="marts", refresh="changed")

    with DAG(
        dag_id=str(DagId("mart", "personal", "models", "full")),
        description="Builds every model, once a day.",
        doc_md=(
            "### Staging and marts, daily\n\nStreaks end and months begin without new data, so everything is built "
            "once a day in the owner's time zone. `full_refresh` also rebuilds what is built by increments."
        ),
        schedule=_daily("41 0 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(),
        tags=["mart"],
        params={"full_refresh": Param(False, type="boolean", description="Rebuild incremental models too.")},
    ) as full:
        DbtBuild(layer="staging", refresh="full") >> DbtBuild(layer="marts", refresh="full")
    return {dag.dag_id: dag for dag in (changed, full)}


def report_dag() -> DAG:
    """The DAG that makes the report."""
    with DAG(
        dag_id=str(DagId.parse(REPORT)),
        description="Makes the report of the marts and the ledger, once a day.",
        doc_md=(
            "### The report\n\nWrites a site that works by itself to `REPORTING_SITE_URI`, a folder or a bucket: habits, "
            "relationships, companies and deals, engagement, and how fresh the data is. It is the page *Reporting* in the menu. "
            "Made every morning, after the night's sweeps and the build of everything; run it by hand whenever a newer one is "
            "wanted. A run that is cut off leaves pages that work."
        ),
        schedule=_daily("23 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=2),
        tags=["report"],
    ) as dag:

        @task
        def site() -> str:
            return _site()

        site()
    return dag


def schema_dag() -> DAG:
    """The DAG that applies the Alembic revisions."""
    from airflow_provider_alembic.operators.alembic import AlembicOperator

    with DAG(
        dag_id=str(DagId("ops", "warehouse", "schema", "upgrade")),
        description="Brings the raw schema and the ledger to the code's revision.",
        doc_md=(
            "### Schema of the warehouse\n\nRuns the Alembic revisions in `migrations/` up to the newest. Start-up "
            "does it too; run it when a load says that the schema is behind. Repeating it changes nothing."
        ),
        schedule=None,
        max_active_runs=1,
        default_args=_defaults(retries=1),
        tags=["ops"],
    ) as dag:
        AlembicOperator(
            task_id="upgrade",
            conn_id="bigquery",
            command="upgrade",
            script_location=str(ROOT / "migrations"),
        )
    return dag


def freshness_dag() -> DAG:
    """The DAG that notices sources that are not read any more."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "sources", "freshness")),
        description="Fails when a source has had no complete run for too long.",
        doc_md=(
            "### Freshness of the sources\n\nAsks the ledger for the last complete run of each source that was ever "
            "read; the ages that warn and fail are declared beside the dbt sources."
        ),
        schedule=_daily("53 6 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=1),
        tags=["ops"],
    ) as dag:
        DbtSourceFreshness(task_id="freshness")
    return dag


def problems_dag() -> DAG:
    """The DAG that tells a person of what is wrong, and of its end."""
    settings = read_settings()
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "problems", "alert")),
        description="Tells what is wrong, once, and when it is well again.",
        doc_md=(
            "### Problems\n\nLooks every hour at sources that are not read any more and at loads far from the usual, and once a "
            "day (or when it is run by hand) at values that look like spellings of others and at certificates, keys and logins "
            "that are about to end. Each problem is one message by every channel, and its end is one, also of tasks and dbt's "
            "tests that failed and are well again: `ops.problems` has a row for each. Skipped where no channel is configured. A "
            "channel that is down fails nothing, and gets the message an hour later."
        ),
        schedule=CronTriggerTimetable("47 * * * *", timezone=settings.timezone)
        if settings.schedule_changed or settings.schedule_full
        else None,
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=1),
        tags=["ops"],
    ) as dag:

        @task
        def alert() -> int:
            # Heavy: Google's client.
            from reporting.orchestration import problems

            return problems.tell_problems()

        alert()
    return dag


def runs_dag() -> DAG:
    """The DAG that keeps the history of runs."""
    with DAG(
        dag_id=str(DagId.parse(RUNS)),
        description="Brings Airflow's own runs into the warehouse, once a day.",
        doc_md=(
            "### The history of runs\n\nReads the runs and the tries of tasks that changed in Airflow's metadata database since "
            "the last time, and merges them into `ops.airflow_runs` and `ops.airflow_tries`, where they stay for 400 days. A run "
            "that was due by its DAG's schedule and is not there becomes a row that says so. With `everything` it reads all that "
            "Airflow still has. No event comes of it: the marts `ops_runs` and `ops_dbt_results` are views."
        ),
        schedule=_daily("11 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=2),
        tags=["raw", "ops"],
        params={
            "everything": Param(
                False, type="boolean", description="Read all that Airflow has, not only what changed."
            )
        },
    ) as dag:

        @task
        def load() -> dict[str, int]:
            return runs.bring_runs()

        load()
    return dag


def profile_dag() -> DAG:
    """The DAG that looks at what is in the raw tables."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "tables", "profile")),
        description="Profiles the raw tables that changed, and keeps their samples.",
        doc_md=(
            "### Data quality\n\nEach raw table that a load changed since its last profile gets one more, once a day at most: "
            "rows, and of each column how many are empty, how many differ, and the least and the greatest; of texts and lists "
            "only lengths. They stay in `ops.table_profiles` for 400 days, and `marts.ops_table_profiles` compares each with the "
            "one before. The views in `samples` have a hundredth of the rows of each raw table, at least 20."
        ),
        schedule=_daily("7 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=2),
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
    """The DAG that keeps dated copies of what cannot be made again."""
    with DAG(
        dag_id=str(DagId("ops", "warehouse", "backup", "daily")),
        description="Keeps dated copies of the warehouse and of Airflow's metadata database.",
        doc_md=(
            "### Backup\n\nCopies raw, ops and dbt's snapshots to `REPORTING_BACKUP_URI`, each table only if it changed, and "
            "dumps the metadata database beside them. All are kept for `REPORTING_BACKUP_DAYS`, then the first of each "
            "month. `script/restore` brings them back. Without that setting both tasks skip, and **there is no backup**."
        ),
        schedule=_daily("17 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=2),
        tags=["ops"],
    ) as dag:

        @task
        def warehouse() -> dict[str, int]:
            return backup.keep_warehouse()

        @task
        def metadata() -> None:
            backup.keep_metadata()

        warehouse()
        metadata()
    return dag


def cleanup_dag() -> DAG:
    """The DAG that keeps the disk and the metadata database from growing for ever."""
    with DAG(
        dag_id=str(DagId("ops", "airflow", "metadata", "cleanup")),
        description="Removes runs, logs and landings that are older than they are kept for.",
        doc_md=(
            "### Clean-up\n\nRemoves runs and their logs after `REPORTING_HISTORY_DAYS`, and landings after "
            "`REPORTING_LANDING_DAYS`; the newest landing of each entity stays. By hand, `days` is another age, and "
            "`dag_ids` limits it to some DAGs: these alone, without `days`, lose all that is older than a day. Of the "
            "warehouse only its own history of runs, builds and profiles is touched, after 400 days."
        ),
        schedule=_daily("29 4 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=1),
        tags=["ops"],
        params={
            "days": Param(
                None, type=["null", "integer"], minimum=1, description="Age in days; empty takes the setting."
            ),
            "dag_ids": Param(
                [], type="array", items={"type": "string"}, description="DAGs to clean; empty takes all."
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
    """The DAG that lets run again what was paused until a day."""
    with DAG(
        dag_id=KEEPER,
        description="Lets DAGs run again that were paused until a day.",
        doc_md=(
            "### Pauses\n\nThe page *Pipelines* in the menu pauses a DAG until a day. On that day, in your time zone, this lets it "
            "run again. The days are the Airflow variables `reporting_paused_until__…`."
        ),
        # More than once a day, in case the machine was off; it always runs, since what is paused waits for it.
        schedule=CronTriggerTimetable("2 */6 * * *", timezone=read_settings().timezone),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(retries=2),
        tags=["ops"],
    ) as dag:

        @task
        def lift() -> list[str]:
            return pauses.lift_all()

        lift()
    return dag


def summary_dag() -> DAG:
    """The DAG that sends the week's summary."""
    with DAG(
        dag_id=str(DagId("report", "personal", "summary", "weekly")),
        description="Sends the week that is over to its owner, on Mondays.",
        doc_md=(
            "### The week by e-mail\n\nHabits, whom to call, birthdays, deals and engagements of the last of the owner's "
            "weeks that is over, to `REPORTING_SUMMARY_EMAIL`; skipped when that is not set. A week is sent once, "
            "however often this runs (`ops.messages_sent`); with `again` it is sent once more."
        ),
        schedule=_daily("13 6 * * 1"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(),
        tags=["report", "mail"],
        params={"again": Param(False, type="boolean", description="Send it though it was sent before.")},
    ) as dag:

        @task
        def send() -> int:
            from reporting.orchestration import letters

            return letters.send_summary()

        send()
    return dag


def csv_dag() -> DAG:
    """The DAG that sends the marts as CSV."""
    with DAG(
        dag_id=str(DagId("report", "marts", "full_csv", "daily")),
        description="Sends every mart as CSV.",
        doc_md=(
            "### The marts by e-mail\n\nEvery mart as a CSV attachment, but what the project notes of its own runs and tables "
            "(`ops_runs`, `ops_dbt_results`, `ops_table_profiles`), to the addresses in `REPORTING_CSV_EMAIL`; skipped when that is not set. Once a day by schedule, and at each run that is triggered by hand. Where they "
            "are too large for `REPORTING_MAIL_MEGABYTES` they are packed into one ZIP; where that is too large as well "
            "the run fails, and says what to use instead."
        ),
        schedule=_daily("23 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(),
        tags=["report", "mail"],
    ) as dag:

        @task
        def send() -> int:
            from reporting.orchestration import letters

            return letters.send_csv()

        send()
    return dag


def export_dag() -> DAG:
    """The DAG that exports the marts to a folder or bucket."""
    text = ["null", "string"]
    with DAG(
        dag_id=str(DagId("report", "marts", "export", "daily")),
        description="Exports the marts to a folder or bucket.",
        doc_md=(
            "### The marts as files\n\nWhat `script/export` does, to the folder or bucket in `REPORTING_EXPORT_URI`; "
            "skipped when that is not set. The same names each day: `marts/` with a file a mart, or `marts.duckdb` or "
            "`marts.sqlite`. With `since` or `until` it replaces what is there by that window."
        ),
        schedule=_daily("33 5 * * *"),
        catchup=False,
        max_active_runs=1,
        default_args=_defaults(),
        tags=["report"],
        params={
            "to": Param(
                None,
                type=text,
                enum=[None, *EXPORT_FORMATS],
                description="Kind of file; empty takes REPORTING_EXPORT_FORMAT.",
            ),
            "marts": Param([], type="array", items={"type": "string"}, description="Marts; empty takes all."),
            "since": Param(None, type=text, description="Rows from then on: an ISO date or time."),
            "until": Param(None, type=text, description="Rows before then: an ISO date or time."),
        },
    ) as dag:

        @task
        def export() -> dict[str, int]:
            from reporting.orchestration import exports

            return exports.export_marts()

        export()
    return dag


def _defaults(retries: int = 3) -> dict[str, Any]:
    return {
        "owner": "reporting",
        "retries": retries,
        "retry_delay": timedelta(seconds=read_settings().retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "on_execute_callback": hide_secrets,
        "on_failure_callback": task_failed,
    }


def _schedule(refresh: Refresh) -> CronTriggerTimetable | None:
    settings = read_settings()
    cron = settings.schedule_changed if refresh == "changed" else settings.schedule_full
    return CronTriggerTimetable(cron, timezone=settings.timezone) if cron else None


def _daily(cron: str) -> CronTriggerTimetable | None:
    """Once a day in the owner's time zone, unless daily work is switched off."""
    settings = read_settings()
    return CronTriggerTimetable(cron, timezone=settings.timezone) if settings.schedule_full else None


def _params(refresh: Refresh) -> dict[str, Any]:
    if refresh == "changed":
        ends = {
            "since": "Read what was last changed from then on, instead of from the cursor: an ISO date or time.",
            "until": "Read what was last changed up to then, a date being that whole day; empty is up to now.",
        }
        return {
            name: Param(
                None, type=["null", "string"], description=f"{text} Without offset it is your local time."
            )
            for name, text in ends.items()
        }
    return {
        "tombstone_share": Param(
            None,
            type=["null", "number"],
            minimum=0,
            maximum=1,
            description="Greatest share of the table that this sweep may mark as gone; empty takes the setting.",
        )
    }


def _share() -> float | None:
    share: float | None = get_current_context()["params"].get("tombstone_share")
    return share


def _window() -> Window | None:
    params = get_current_context()["params"]
    try:
        return parse_window(
            params.get("since"), params.get("until"), read_settings().timezone, datetime.now(UTC)
        )
    except WindowError as error:
        # Trying again makes it no better.
        raise AirflowFailException(str(error)) from None


def _is_scheduled() -> bool:
    return str(get_current_context()["dag_run"].run_type) == "scheduled"


def _extract(entity: Entity, refresh: Refresh) -> str:
    # Heavy: Google's client and those of the sources are not for the parser.
    from reporting import extract as reading
    from reporting.landing import Landing
    from reporting.orchestration import connections
    from reporting.sources.base import NotReadError

    settings = read_settings()
    window = _window()
    try:
        reader = connections.reader(settings, entity)
    except (connections.NotConfiguredError, NotReadError) as error:
        raise AirflowSkipException(str(error)) from None
    try:
        client = connections.warehouse(settings)
        if refresh == "full" and _is_scheduled() and reading.is_swept_lately(client, settings, entity):
            raise AirflowSkipException(
                f"{entity.table} is large and was swept lately. Trigger the DAG by hand to sweep it now."
            )
        return reading.extract(
            client,
            settings,
            entity,
            refresh,
            reader,
            Landing.of(settings),
            tombstone_share=_share(),
            window=window,
        )
    except NotReadError as error:
        raise AirflowSkipException(str(error)) from None
    except WindowError as error:
        raise AirflowFailException(str(error)) from None
    finally:
        reader.close()


def _site() -> str:
    # Heavy: Google's client and the templates.
    from reporting.orchestration import connections
    from reporting.reports.build import build
    from reporting.reports.marts import ReportError

    settings = read_settings()
    try:
        return build(connections.warehouse(settings), settings).first
    except ReportError as error:
        raise AirflowSkipException(str(error)) from None


def _load(entity: Entity, folder: str) -> dict[str, int]:
    from dataclasses import asdict

    from reporting.landing import Landing
    from reporting.orchestration import connections
    from reporting.warehouse.load import load

    settings = read_settings()
    counts = load(
        connections.warehouse(settings),
        settings,
        entity,
        Landing.of(settings),
        folder,
        tombstone_share=_share(),
    )
    return asdict(counts)
