"""The DAGs that read one entity: a full refresh and, if the source can tell what changed, an incremental refresh."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, AssetAlias, CronTriggerTimetable, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from reporting.entity import Entity
from reporting.ingest.landing import Refresh
from reporting.naming import DagId
from reporting.orchestration.dags.common import EXTRACT_LIMIT, LOAD_LIMIT, asset, defaults, instant
from reporting.orchestration.events import is_by_event
from reporting.settings import read_settings
from reporting.window import Window, WindowError, parse_window

WINDOWS = " With the parameters `since` and `until` it reads changes between these times instead of those since the cursor."


def raw_dags(entity: Entity) -> dict[str, DAG]:
    """The two DAGs of an entity by id; only one if the source cannot tell what changed, or everything."""
    refreshes: list[Refresh] = ["full"] if entity.has_full else []
    refreshes += ["changed"] if entity.has_changed else []
    made = [_raw_dag(entity, refresh) for refresh in refreshes]
    return {dag.dag_id: dag for dag in made}


def _raw_dag(entity: Entity, refresh: Refresh) -> DAG:
    what = "what changed since the last complete run"
    if refresh == "full":
        what = "everything" if entity.is_history else "everything, and marks records that are gone"
    # An entity without an incremental refresh is fully refreshed as often as others are read, unless it seldom changes.
    pace: Refresh = refresh if entity.has_changed or entity.is_slow else "changed"
    changed = AssetAlias(name=f"changed.{entity.table}")
    with DAG(
        dag_id=str(DagId("raw", entity.source, entity.name, refresh)),
        description=f"Loads {entity.table}: {what}.",
        doc_md=(
            f"### {entity.table}\n\n{entity.description}\n\nReads {what}. `extract` keeps every answer in the landing; "
            "`load` loads the landing into the raw table and writes the sync log; it can be cleared by itself. If `load` "
            f"changed something, the marts are built.{WINDOWS if refresh == 'changed' else ''}"
        ),
        schedule=_schedule(pace),
        catchup=False,
        max_active_runs=1,
        default_args=defaults(),
        tags=["raw", entity.source],
        params=_params(refresh),
    ) as dag:

        @task(pool=entity.source, execution_timeout=EXTRACT_LIMIT)
        def extract() -> str:
            return _extract(entity, refresh)

        # An asset alias, so that only a load that changed something creates an event.
        @task(outlets=[changed], execution_timeout=LOAD_LIMIT)
        def load(folder: str) -> dict[str, int]:
            counts = _load(entity, folder)
            if counts["inserted"] or counts["updated"] or counts["tombstoned"]:
                get_current_context()["outlet_events"][changed].add(asset(entity))
            return counts

        load(extract())  # type: ignore[arg-type]  # at run time Airflow passes the value and not the reference
    return dag


def _schedule(refresh: Refresh) -> CronTriggerTimetable | None:
    settings = read_settings()
    cron = settings.schedule_changed if refresh == "changed" else settings.schedule_full
    return CronTriggerTimetable(cron, timezone=settings.timezone) if cron else None


def _params(refresh: Refresh) -> dict[str, Any]:
    if refresh == "changed":
        ends = {
            "since": "Read changes from this time on, instead of from the cursor: an ISO date or time.",
            "until": "Read changes up to this time; a date includes that whole day. Empty means up to now.",
        }
        return {
            name: instant(f"{text} A time without an offset is in your time zone.")
            for name, text in ends.items()
        }
    return {
        "tombstone_share": Param(
            None,
            type=["null", "number"],
            minimum=0,
            maximum=1,
            description="Greatest share of the table that this full refresh may mark as gone. Empty: as in the settings.",
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
        # A retry would fail in the same way.
        raise AirflowFailException(str(error)) from None


def _may_wait(entity: Entity) -> bool:
    """Whether nobody has asked for this full refresh of a large table now: the schedule did, or an event of a deletion."""
    run = get_current_context()["dag_run"]
    return str(run.run_type) == "scheduled" or (entity.has_changed and is_by_event(run.run_id))


def _extract(entity: Entity, refresh: Refresh) -> str:
    # Imported here, because the clients of Google and of the sources are slow to import and parsing DAGs needs none.
    from reporting.ingest import extract as reading
    from reporting.ingest.landing import Landing
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
        if refresh == "full" and _may_wait(entity) and reading.is_refreshed_lately(client, settings, entity):
            raise AirflowSkipException(
                f"{entity.table} is large and was fully refreshed lately. Trigger the DAG by hand to read all of it now."
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


def _load(entity: Entity, folder: str) -> dict[str, int]:
    from reporting.ingest.landing import Landing
    from reporting.ingest.load import load
    from reporting.orchestration import connections

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
