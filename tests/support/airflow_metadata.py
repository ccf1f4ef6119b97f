"""A metadata database with runs that a test makes up; Airflow itself does not run for it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from reporting.monitoring import runs


class Metadata:
    """Rows of the metadata database at an address; tables that are not there are made with the columns that are read."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._engine = sa.create_engine(address, poolclass=sa.pool.NullPool)
        runs.DAG_RUN.metadata.create_all(self._engine)

    def empty(self) -> None:
        with self._engine.begin() as connection:
            for table in reversed(runs.TABLES):
                connection.execute(sa.delete(table))

    def dag(self, dag_id: str, cron: str | None = "0 * * * *", **values: Any) -> None:
        self._add(
            "dag",
            dag_id=dag_id,
            timetable_summary=cron,
            **{"is_paused": False, "is_stale": False} | values,
        )

    def run(self, dag_id: str, at: datetime, state: str = "success", **values: Any) -> str:
        """A scheduled run that was over a minute after it was due."""
        run_id = f"scheduled__{at.isoformat()}"
        times = {"run_after": at, "start_date": at, "end_date": at + timedelta(minutes=1)}
        made = {"run_id": run_id, "run_type": "scheduled", "state": state, "updated_at": times["end_date"]}
        self._add("dag_run", dag_id=dag_id, **times | made | values)
        return run_id

    def task(
        self, dag_id: str, run_id: str, try_number: int, state: str, at: datetime, is_past: bool = False
    ) -> None:
        """A try that took ten seconds, the last of its task or one that `is_past`."""
        self._add(
            "task_instance_history" if is_past else "task_instance",
            dag_id=dag_id,
            run_id=run_id,
            task_id="extract",
            map_index=-1,
            try_number=try_number,
            state=state,
            start_date=at - timedelta(seconds=10),
            end_date=at,
            updated_at=at,
        )

    def _add(self, name: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            # In SQLite it is the table that Airflow made, in PostgreSQL the part of it that is read.
            table = runs.DAG_RUN.metadata.tables[name]
            if connection.dialect.name == "sqlite":
                table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            # What nobody here reads and Airflow must have; a number that is a key counts by itself.
            needed = {
                column.name: uuid4().hex if isinstance(column.type, sa.String) else 0
                for column in table.columns
                if not column.nullable and column.server_default is None and column.name not in values
                if not (column.primary_key and isinstance(column.type, sa.Integer))
            }
            connection.execute(sa.insert(table).values(**needed | values))
