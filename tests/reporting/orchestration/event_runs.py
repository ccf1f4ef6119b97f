"""Notes events in a real metadata database and prints as JSON what became of them: run by `test_events.py` as a process of its own,
since Airflow finds its database when it is imported."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import sqlalchemy as sa
from airflow import settings
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session

from reporting.deploy import event_store
from reporting.orchestration.dags.raw import raw_dags
from reporting.orchestration.events import PREFIX, record
from reporting.sources.events import Event
from reporting.sources.registry import ENTITIES, entity_named

DEBOUNCE = timedelta(seconds=30)
NOW = datetime.now(UTC)
CONTACTS, ASSOCIATIONS = "raw_hubspot__contacts__changed", "raw_hubspot__associations__full"


def prepare() -> None:
    event_store.create(settings.get_engine())
    names = ("hubspot__contacts", "hubspot__associations")
    dags = [
        LazyDeserializedDAG.from_dag(dag) for each in names for dag in raw_dags(entity_named(each)).values()
    ]
    with create_session(scoped=False) as session:
        session.add(DagBundleModel(name="dags"))
        session.flush()
        SerializedDAG.bulk_write_to_db("dags", None, dags, session=session)
        session.flush()
        for dag in dags:
            SerializedDagModel.write_dag(dag, bundle_name="dags", session=session)
        # As somebody does who lets them run.
        session.execute(sa.text("UPDATE dag SET is_paused = :is_paused"), {"is_paused": False})


def note(key: str, *entities: str, seconds: float = 0, needs_full: bool = False) -> int:
    event = Event(key, "test", "1", NOW, entities, needs_full=needs_full)
    return record([("hubspot", event)], {}, ENTITIES, DEBOUNCE, NOW + timedelta(seconds=seconds))


def waits() -> dict[str, list[float]]:
    """After how many seconds the runs of events may begin, by DAG."""
    with create_session(scoped=False) as session:
        runs = session.scalars(
            sa.select(DagRun).where(DagRun.run_id.startswith(PREFIX)).order_by(DagRun.id)
        ).all()
        found: dict[str, list[float]] = {}
        for run in runs:
            found.setdefault(run.dag_id, []).append(round((run.run_after - NOW).total_seconds()))
        return found


def begun() -> list[str]:
    """What a scheduler would begin now."""
    with create_session(scoped=False) as session:
        return [run.dag_id for run in DagRun.get_queued_dag_runs_to_set_running(session)]


def change(dag_id: str, **values: Any) -> None:
    with create_session(scoped=False) as session:
        session.execute(sa.update(DagRun).where(DagRun.dag_id == dag_id).values(values))


def noted() -> int:
    with create_session(scoped=False) as session:
        return int(session.scalar(sa.select(sa.func.count()).select_from(event_store.EVENTS)) or 0)


def main() -> None:
    prepare()
    told: dict[str, Any] = {}
    told["new"] = [note("a", "contacts"), note("a", "contacts"), note("b", "contacts", seconds=29)]
    told["one waits"] = waits()
    told["nothing begins early"] = begun()
    # The clock goes on.
    change(CONTACTS, run_after=NOW - timedelta(seconds=1))
    told["it begins when it is due"] = begun()
    note("c", "contacts", seconds=31)
    told["due and not begun counts as waiting"] = len(waits()[CONTACTS])
    change(CONTACTS, state="running", run_after=NOW + DEBOUNCE)
    note("d", "contacts", seconds=31)
    told["another waits while one runs"] = waits()[CONTACTS]
    change(CONTACTS, state="success")
    told["a replay changes nothing"] = [note(each, "contacts", seconds=90) for each in "abcd"]
    told["runs after it"] = len(waits()[CONTACTS])

    note("e", "associations")
    change(ASSOCIATIONS, state="success")
    note("f", "associations", seconds=600)
    change(ASSOCIATIONS, state="success")
    note("g", "associations", seconds=600 + 7200)
    told["a full refresh once an hour"] = waits()[ASSOCIATIONS]
    note("h", "contacts", needs_full=True)
    told["a deletion asks for a full refresh"] = len(waits()["raw_hubspot__contacts__full"])
    told["what has no DAG here is noted"] = [note("i", "deals"), note("j", "nothing")]

    before = noted()
    with mock.patch("airflow.api.common.trigger_dag.trigger_dag", side_effect=OSError):
        try:
            note("k", "contacts", seconds=300)
        except OSError:
            told["all or nothing"] = noted() == before
    told["it comes again"] = note("k", "contacts", seconds=300)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
