"""The page over Airflow's own web server: its auth manager, its metadata database, and its connection to the warehouse."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from fastapi import Depends
from sqlalchemy import func, select

from reporting.orchestration import connections
from reporting.orchestration.pauses import variable_of
from reporting.settings import Settings, read_settings
from reporting.web import contents
from reporting.web.guard import App
from reporting.web.pipelines.endpoints import application
from reporting.web.pipelines.listing import Dag


class _UserRights:
    """What Airflow's auth manager lets a user do; asked once a request and DAG."""

    def __init__(self, user: Any) -> None:
        self._user, self._manager = user, get_auth_manager()
        self._readable: set[str] = self._manager.get_authorized_dag_ids(user=user, method="GET")
        self._changeable: set[str] = self._manager.get_authorized_dag_ids(user=user, method="PUT")
        self._runnable: dict[str, bool] = {}

    def may_read(self, dag_id: str) -> bool:
        return dag_id in self._readable

    def may_change(self, dag_id: str) -> bool:
        return dag_id in self._changeable

    def may_run(self, dag_id: str) -> bool:
        if dag_id not in self._runnable:
            self._runnable[dag_id] = self.may_read(dag_id) and self._manager.is_authorized_dag(
                method="POST",
                access_entity=DagAccessEntity.RUN,
                details=DagDetails(id=dag_id),
                user=self._user,
            )
        return self._runnable[dag_id]


class _Metadata:
    """Airflow by its metadata database, as its own server reads it."""

    def dags(self) -> list[Dag]:
        with create_session(scoped=False) as session:
            models = session.scalars(select(DagModel).where(~DagModel.is_stale)).all()
            last = select(func.max(DagRun.id)).group_by(DagRun.dag_id)
            runs = {run.dag_id: run for run in session.scalars(select(DagRun).where(DagRun.id.in_(last)))}
            tasks: dict[str, list[tuple[str, str | None]]] = {}
            instances = (
                select(TaskInstance.dag_id, TaskInstance.task_id, TaskInstance.state)
                .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
                .where(DagRun.id.in_(last))
                .order_by(TaskInstance.start_date, TaskInstance.task_id)
            )
            for dag_id, task_id, state in session.execute(instances):
                tasks.setdefault(dag_id, []).append((task_id, state))
            start = variable_of("")
            until = {
                each.key.removeprefix(start): str(each.val)
                for each in session.scalars(select(Variable).where(Variable.key.startswith(start)))
            }
            return [
                Dag(
                    dag_id=model.dag_id,
                    description=model.description,
                    is_paused=model.is_paused,
                    paused_until=_day(until.get(model.dag_id)) if model.is_paused else None,
                    next_run_at=None if model.is_paused else model.next_dagrun_create_after,
                    run_id=run.run_id if (run := runs.get(model.dag_id)) else None,
                    state=str(run.state) if run else None,
                    started_at=run.start_date if run else None,
                    ended_at=run.end_date if run else None,
                    tasks=tuple(tasks.get(model.dag_id, ())),
                )
                for model in models
            ]

    def pause(self, dag_id: str, until: date | None) -> bool:
        return self._change(dag_id, is_paused=True, until=until)

    def resume(self, dag_id: str) -> bool:
        return self._change(dag_id, is_paused=False, until=None)

    def _change(self, dag_id: str, *, is_paused: bool, until: date | None) -> bool:
        with create_session(scoped=False) as session:
            model = session.get(DagModel, dag_id)
            if model is None:
                return False
            model.is_paused = is_paused
            if until is None:
                Variable.delete(variable_of(dag_id), session=session)
            else:
                Variable.set(variable_of(dag_id), until.isoformat(), session=session)
        return True


class _Warehouse:
    """The warehouse by the connection of Airflow's server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Any = None

    def contents(self) -> Mapping[str, contents.Contents]:
        return contents.contents(self._client(), self._settings)

    def csv(self, table: str, most: int | None) -> Iterable[bytes]:
        return contents.csv(self._client(), self._settings, table, most)

    def _client(self) -> Any:
        if self._made is None:
            self._made = connections.warehouse(self._settings)
        return self._made


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def application_of_server() -> App:
    """The application over Airflow's auth manager, its metadata database and its connection to the warehouse."""
    settings = read_settings()
    may_read = requires_access_dag("GET")

    def rights_of(user: GetUserDep, _: None = Depends(may_read)) -> _UserRights:  # FastAPI's way
        return _UserRights(user)

    return application(rights_of, _Metadata(), _Warehouse(settings), settings.timezone)
