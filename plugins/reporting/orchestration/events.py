"""Notes the events of sources and triggers the DAGs that read what they are about.

A run waits for the debounce in Airflow's own table of runs: it is queued with the time before which the scheduler does not begin it
(`run_after`), so it survives every restart. An event finds a run that waits already and adds none: that run begins later than the
event came, and so reads what the event is about. Notes and runs are written in one transaction.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.deploy import event_store
from reporting.entity import Entity
from reporting.ingest.landing import Refresh
from reporting.naming import DagId
from reporting.sources.events import Event

log = logging.getLogger(__name__)

# How the ids of runs that events have triggered begin.
PREFIX = "event__"
# An entity that is only ever read as a whole is read for events no more often than this.
FULL_INTERVAL = timedelta(hours=1)
# Two servers that trigger the same run at once: one of them finds it there.
ATTEMPTS = 3


def record(
    notes: Sequence[tuple[str, Event]],
    refused: Mapping[str, int],
    entities: Iterable[Entity],
    debounce: timedelta,
    now: datetime | None = None,
) -> int:
    """Note events and trigger what they are about, all or nothing, and return how many of them are new.

    `notes` has each event with its source, and `refused` how many requests of each source were refused since the last call.
    Raises the errors of SQLAlchemy if the metadata database cannot be used.
    """
    from airflow.exceptions import DagRunAlreadyExists
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    at = now or datetime.now(UTC)
    for attempt in range(ATTEMPTS):
        try:
            with create_session(scoped=False) as session:
                connection = session.connection()
                new = event_store.note(connection, notes, at)
                counts: dict[str, int] = {}
                for source, _ in new:
                    counts[source] = counts.get(source, 0) + 1
                event_store.count(connection, counts, refused, at)
                for dag_id, is_full in wanted(new, entities):
                    _trigger(session, dag_id, is_full, debounce, at)
            return len(new)
        except (IntegrityError, DagRunAlreadyExists):
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def ring(entity: Entity, debounce: timedelta, now: datetime | None = None) -> None:
    """Trigger the DAG that reads what was pushed to an entity, unless a run waits already."""
    from airflow.exceptions import DagRunAlreadyExists
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    dag_id = str(DagId("raw", entity.source, entity.name, "changed"))
    try:
        with create_session(scoped=False) as session:
            _trigger(session, dag_id, False, debounce, now or datetime.now(UTC))
    except (IntegrityError, DagRunAlreadyExists):
        # Another server has triggered it at the same moment.
        return


def wanted(notes: Iterable[tuple[str, Event]], entities: Iterable[Entity]) -> list[tuple[str, bool]]:
    """The DAGs that read what events are about, each once, and whether it is a full refresh."""
    known = {(each.source, each.name): each for each in entities}
    found: dict[str, bool] = {}
    for source, event in notes:
        for name in event.entities:
            entity = known.get((source, name))
            if entity is None:
                continue
            is_full = event.needs_full or not entity.has_changed
            refresh: Refresh = "full" if is_full else "changed"
            found[str(DagId("raw", source, name, refresh))] = is_full
    return list(found.items())


def forget_old(now: datetime | None = None) -> int:
    """Remove old notes of events, and return how many."""
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return event_store.forget_old(session.connection(), now or datetime.now(UTC))


def is_by_event(run_id: str) -> bool:
    """Whether an event has triggered the run."""
    return run_id.startswith(PREFIX)


def _trigger(session: Any, dag_id: str, is_full: bool, debounce: timedelta, now: datetime) -> None:
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagNotFound
    from airflow.models.dagrun import DagRun
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import func, or_, select

    by_event = DagRun.run_id.startswith(PREFIX, autoescape=True)
    # A run that somebody has triggered by hand may read something else, such as a window of the past.
    waiting = select(DagRun.id).where(
        DagRun.dag_id == dag_id, DagRun.state == "queued", or_(by_event, DagRun.run_type == "scheduled")
    )
    if session.scalar(waiting.limit(1)) is not None:
        return
    due = now + debounce
    if is_full:
        last = session.scalar(select(func.max(DagRun.run_after)).where(DagRun.dag_id == dag_id, by_event))
        due = max(due, last + FULL_INTERVAL) if last else due
    # The debounce in which it is made: no run of the same one can have begun, so no two runs have the same id.
    seconds = debounce.total_seconds()
    window = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    try:
        trigger_dag(
            dag_id,
            triggered_by=DagRunTriggeredByType.REST_API,
            run_id=f"{PREFIX}{window.isoformat()}",
            run_after=due,
            session=session,
        )
    except DagNotFound:
        # Airflow has not read the DAG yet, or cannot. Its schedule reads what the event is about.
        log.warning("%s is not there yet, so an event does not trigger it.", dag_id)
