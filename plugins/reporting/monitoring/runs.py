"""Reads the history of runs from Airflow's metadata database. Nothing is written there.

Airflow hides its database from tasks, and its REST API needs a user's password, which tasks do not have. So the address comes
from a variable of this project, as for the clean-up. A test compares the few columns that are read here with Airflow's own:
https://airflow.apache.org/docs/apache-airflow/stable/database-erd-ref.html
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

# The DAG that loads the history into the warehouse.
DAG = "raw_airflow__runs__changed"
MISSING = "missing"
SCHEDULED = "scheduled"
# A change becomes visible when it is committed, which is later than its `updated_at`. A try that failed and is retried keeps
# the time of its last heartbeat.
OVERLAP = timedelta(hours=1)
# A busy scheduler may be late by so much. If a run starts even later, it replaces the row that says that it is missing.
PATIENCE = timedelta(minutes=30)
ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")
CRON_FIELDS = 5

_TIME = sa.DateTime(timezone=True)
_metadata = sa.MetaData()


def _table(name: str, texts: str, numbers: str, times: str) -> sa.Table:
    return sa.Table(
        name,
        _metadata,
        *(sa.Column(each, sa.String()) for each in texts.split()),
        *(sa.Column(each, sa.Integer()) for each in numbers.split()),
        *(sa.Column(each, _TIME) for each in times.split()),
    )


_TASK = ("dag_id run_id task_id state operator pool", "map_index try_number")
_TASK_TIMES = "queued_dttm start_date end_date updated_at"
DAG_RUN = _table(
    "dag_run", "dag_id run_id run_type state", "", "run_after queued_at start_date end_date updated_at"
)
TASK_INSTANCE = _table("task_instance", *_TASK, _TASK_TIMES)
# Every try but the last.
TASK_INSTANCE_HISTORY = _table("task_instance_history", *_TASK, _TASK_TIMES)
DAGS = sa.Table(
    "dag",
    _metadata,
    sa.Column("dag_id", sa.String()),
    sa.Column("timetable_summary", sa.String()),
    sa.Column("is_paused", sa.Boolean()),
    sa.Column("is_stale", sa.Boolean()),
)
TABLES = (DAG_RUN, TASK_INSTANCE, TASK_INSTANCE_HISTORY, DAGS)

Row = dict[str, Any]
# The moments at which a cron expression is due, from the first moment on and before the second.
Due = Callable[[str, datetime, datetime], Iterable[datetime]]


class RunsError(Exception):
    """The metadata database cannot be read. The message says what to do."""


@dataclass(frozen=True, slots=True)
class History:
    """Rows for `ops.airflow_runs`, ordered by when they changed, and for `ops.airflow_tries`."""

    runs: list[Row]
    tries: list[Row]


def read(
    address: str,
    since: datetime | None,
    now: datetime,
    due: Due,
    leave_out: tuple[str, str] | None = None,
) -> History:
    """Read what changed from `since` on (None: everything), and find scheduled runs that did not start since then.

    All of it is read in one transaction. `leave_out` is the DAG and the run that calls this, which has not ended yet. Runs of
    a DAG are expected from its first scheduled run on, and not while it is paused. Raises `RunsError`.
    """
    with _connected(address) as connection:
        runs = [_run(row) for row in connection.execute(_changed(DAG_RUN, since)).mappings()]
        tries: dict[tuple[Any, ...], Row] = {}
        # The last try of a task may be in both tables. The row in the table of tasks is the newer one, so it comes last.
        for table in (TASK_INSTANCE_HISTORY, TASK_INSTANCE):
            for row in connection.execute(_changed(table, since, only=ENDED)).mappings():
                made = _try(row)
                tries[tuple(made.values())[:5]] = made
        missing = list(_missing(connection, since, now, due))
    own = [row for row in runs if (row["dag_id"], row["run_id"]) != leave_out]
    found = sorted((*own, *missing), key=lambda row: row["updated_at"])
    return History(found, [row for row in tries.values() if (row["dag_id"], row["run_id"]) != leave_out])


@contextmanager
def _connected(address: str) -> Iterator[sa.Connection]:
    """A read-only connection in one transaction, so that all queries see the same state."""
    try:
        engine = _engine(address)
        with engine.connect() as connection:
            yield connection
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        # Only the type, since the text of the error may quote the address.
        kind = type(error).__name__
    else:
        engine.dispose()
        return
    raise RunsError(
        f"Airflow's metadata database cannot be read ({kind}). Check that it is up. If it is, its version of Airflow differs "
        "from the one that this code was written for: compare the columns in reporting/monitoring/runs.py with Airflow's."
    )


def _engine(address: str) -> sa.Engine:
    url = sa.make_url(address)
    if url.get_backend_name() == "sqlite":
        # Opened by URI, so that SQLite does not create an empty file if there is none: https://www.sqlite.org/uri.html
        file = Path(str(url.database)).absolute().as_uri()
        return sa.create_engine(
            sa.URL.create("sqlite", database=file, query={"mode": "ro", "uri": "true"}),
            poolclass=sa.pool.NullPool,
        )
    return sa.create_engine(
        url,
        poolclass=sa.pool.NullPool,
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )


def _changed(table: sa.Table, since: datetime | None, only: tuple[str, ...] | None = None) -> sa.Select[Any]:
    found = sa.select(table)
    if only:
        found = found.where(table.c.state.in_(only))
    if since:
        # When a task is retried, the row of the try before keeps its old `updated_at`, so its end counts as well.
        found = found.where(sa.or_(table.c.updated_at >= since, table.c.end_date >= since))
    return found


def _missing(connection: sa.Connection, since: datetime | None, now: datetime, due: Due) -> Iterator[Row]:
    last = now - PATIENCE
    scheduled = DAG_RUN.c.run_type == SCHEDULED
    first = {
        row["dag_id"]: _utc(row["first"])
        for row in connection.execute(
            sa.select(DAG_RUN.c.dag_id, sa.func.min(DAG_RUN.c.run_after, type_=_TIME).label("first"))
            .where(scheduled)
            .group_by(DAG_RUN.c.dag_id)
        ).mappings()
    }
    there = sa.select(DAG_RUN.c.dag_id, DAG_RUN.c.run_after).where(scheduled)
    if since:
        there = there.where(DAG_RUN.c.run_after >= since)
    came = {(row["dag_id"], _utc(row["run_after"])) for row in connection.execute(there).mappings()}
    for row in connection.execute(sa.select(DAGS)).mappings():
        dag_id, cron = row["dag_id"], row["timetable_summary"] or ""
        if row["is_paused"] or row["is_stale"] or len(cron.split()) != CRON_FIELDS or dag_id not in first:
            continue
        begin = max(filter(None, (since, first[dag_id])))
        for at in due(cron, begin, last):
            if (dag_id, at) not in came:
                yield _absent(dag_id, at)


def _absent(dag_id: str, at: datetime) -> Row:
    """A row for a run that did not start. It has the id that Airflow would give the run: if it starts later, it is that row."""
    return {
        "dag_id": dag_id,
        "run_id": f"{SCHEDULED}__{at.isoformat()}",
        "run_type": SCHEDULED,
        "state": MISSING,
        "due_at": at,
        "queued_at": None,
        "started_at": None,
        "ended_at": None,
        "updated_at": at,
    }


def _run(row: Any) -> Row:
    return {
        "dag_id": row["dag_id"],
        "run_id": row["run_id"],
        "run_type": row["run_type"],
        "state": row["state"],
        "due_at": _utc(row["run_after"]),
        "queued_at": _utc(row["queued_at"]),
        "started_at": _utc(row["start_date"]),
        "ended_at": _utc(row["end_date"]),
        "updated_at": _utc(row["updated_at"] or row["run_after"]),
    }


def _try(row: Any) -> Row:
    began, ended = _utc(row["start_date"]), _utc(row["end_date"])
    return {
        "dag_id": row["dag_id"],
        "run_id": row["run_id"],
        "task_id": row["task_id"],
        "map_index": row["map_index"],
        "try_number": row["try_number"],
        "state": row["state"],
        "operator": row["operator"],
        "pool": row["pool"],
        "queued_at": _utc(row["queued_dttm"]),
        "started_at": began,
        "ended_at": ended,
        "duration_seconds": (ended - began).total_seconds() if began and ended else None,
        "updated_at": max(filter(None, (_utc(row["updated_at"]), ended)), default=None),
    }


def _utc(at: datetime | None) -> datetime | None:
    """Add the time zone, which SQLite does not store; Airflow writes UTC."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
