"""The page of pipelines: `/reporting/pipelines/`, for whoever is signed in, with what each may see and do.

| Request            | Who                                  | What                                                      |
|--------------------|--------------------------------------|-----------------------------------------------------------|
| GET `/`, an asset  | who may read DAGs                    | the page, which asks for the rest                         |
| GET `/list`        | the same                             | the pipelines whose DAGs they may read                    |
| GET `/rows/TABLE`  | who may run a DAG of its pipeline    | its first 300 rows by key as CSV, all of them with `?all` |
| POST `/pause`      | who may change that DAG              | pauses a DAG until a day, or for good, or resumes it      |

Airflow mounts an application of a plugin without its own sign-in, so its own dependency and its own auth manager decide here.
Runs are started by the page through Airflow's own API. Whatever changes a state is a POST of JSON from the same address: a
form of another site can send neither JSON nor the cookie.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from reporting.orchestration.pauses import KEEPER, variable_of
from reporting.settings import Settings, read_settings
from reporting.web.guard import App
from reporting.web.site import PAGE_CACHE, TYPES, Lazy

if TYPE_CHECKING:
    from reporting.web.contents import Contents

log = logging.getLogger(__name__)

PREFIX = "/reporting/pipelines"
SAMPLE_ROWS = 300
# The warehouse is asked no more than once in so many seconds, however often the page is.
KEPT_SECONDS = 60.0
HERE = Path(__file__).parent / "assets"
REPORT_ASSETS = Path(__file__).parents[1] / "reports" / "assets"
FILES = {
    "": HERE / "pipelines.html",
    "pipelines.js": HERE / "pipelines.js",
    "pipelines.css": HERE / "pipelines.css",
    "report.css": REPORT_ASSETS / "report.css",
    "theme.js": REPORT_ASSETS / "theme.js",
    "icon.svg": REPORT_ASSETS / "icon.svg",
}
HEADERS = {
    "Cache-Control": PAGE_CACHE,
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dag:
    """A DAG as Airflow knows it, and its last run with the state of each task. Times are UTC."""

    dag_id: str
    description: str | None
    is_paused: bool
    paused_until: date | None
    next_run_at: datetime | None
    run_id: str | None = None
    state: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tasks: tuple[tuple[str, str | None], ...] = ()


class Rights(Protocol):
    """What one user may do with a DAG, in the words of Airflow's auth manager."""

    def may_read(self, dag_id: str) -> bool:
        """See it, and its runs."""

    def may_run(self, dag_id: str) -> bool:
        """Start a run of it."""

    def may_change(self, dag_id: str) -> bool:
        """Pause and resume it."""


class Airflow(Protocol):
    """What is asked of Airflow and told to it."""

    def dags(self) -> list[Dag]:
        """Every DAG that is there."""

    def pause(self, dag_id: str, until: date | None) -> bool:
        """Pause it, until a day or for good; False when it is not there."""

    def resume(self, dag_id: str) -> bool:
        """Let it run again; False when it is not there."""


class Warehouse(Protocol):
    """What is asked of the warehouse."""

    def contents(self) -> "Mapping[str, Contents]":
        """The tables of each pipeline."""

    def csv(self, table: str, most: int | None) -> Iterable[bytes]:
        """The rows of a table."""


@dataclass(slots=True)
class Kept:
    """What the warehouse said last, or that it could not be asked."""

    warehouse: Warehouse
    clock: Callable[[], float] = time.monotonic
    _found: "Mapping[str, Contents]" = field(default_factory=dict)
    _asked_at: float = float("-inf")
    _is_known: bool = False

    def contents(self) -> "tuple[Mapping[str, Contents], bool]":
        """The tables of each pipeline, and whether the warehouse said so."""
        if self.clock() - self._asked_at >= KEPT_SECONDS:
            try:
                self._found, self._is_known = self.warehouse.contents(), True
            except Exception as error:  # noqa: BLE001  # the page shows what Airflow knows, whatever the warehouse says
                log.warning("The warehouse cannot be asked: %s", type(error).__name__)
                self._found, self._is_known = {}, False
            self._asked_at = self.clock()
        return self._found, self._is_known


def listing(
    dags: Sequence[Dag], found: "Mapping[str, Contents]", is_known: bool, rights: Rights
) -> dict[str, Any]:
    """What the page shows to a user: the pipelines whose DAGs they may read, in the order of a row's road."""
    from reporting.naming import LAYERS
    from reporting.web.contents import pipeline_of

    by_pipeline: dict[str, list[Dag]] = {}
    for dag in dags:
        name = pipeline_of(dag.dag_id)
        if name is not None and rights.may_read(dag.dag_id):
            by_pipeline.setdefault(name, []).append(dag)
    pipelines = []
    for name, each in sorted(
        by_pipeline.items(), key=lambda item: (LAYERS.index(item[0].partition("_")[0]), item[0])
    ):
        contents = found.get(name)
        pipelines.append(
            {
                "name": name,
                "dags": [
                    asdict(dag)
                    | {"may_run": rights.may_run(dag.dag_id), "may_change": rights.may_change(dag.dag_id)}
                    for dag in sorted(each, key=lambda dag: dag.dag_id)
                ],
                "tables": [asdict(table) for table in contents.tables] if contents else [],
                "fresh_at": contents.fresh_at if contents else None,
                "may_take": any(rights.may_run(dag.dag_id) for dag in each),
            }
        )
    return {"pipelines": pipelines, "is_warehouse_known": is_known, "sample_rows": SAMPLE_ROWS}


def app() -> Lazy:
    """The application for this server."""
    return Lazy(_with_airflow)


def application(rights_of: Callable[..., Any], airflow: Airflow, warehouse: Warehouse, timezone: str) -> App:
    """The page for those whom the dependency `rights_of` lets pass; it returns their `Rights`."""
    from fastapi import Depends, FastAPI, HTTPException, Request, Response
    from fastapi.encoders import jsonable_encoder
    from fastapi.responses import JSONResponse, StreamingResponse
    from pydantic import BaseModel

    from reporting.exports.marts import ExportError
    from reporting.web.contents import tables

    class Pause(BaseModel):
        """What is asked: `until` is the day on which it runs again; without one it is paused for good."""

        dag_id: str
        is_paused: bool
        until: date | None = None

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(rights_of)])
    kept = Kept(warehouse)

    def same_site(request: Request) -> None:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "Only JSON is taken.")
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise HTTPException(403, "The request came from another site.")

    # Not coroutines, so that what is slow keeps a thread waiting and not the server.
    @made.get("/list")
    def show(rights: Any = Depends(rights_of)) -> Response:  # noqa: B008  # FastAPI's way
        shown = listing(airflow.dags(), *kept.contents(), rights)
        return JSONResponse(jsonable_encoder(shown), headers=HEADERS)

    @made.get("/rows/{table}")
    def take(table: str, request: Request, rights: Any = Depends(rights_of)) -> Response:  # noqa: B008  # FastAPI's way
        name, dot, suffix = table.partition(".")
        known = tables().get(name)
        if known is None or (dot and suffix != "csv"):
            raise HTTPException(404, "There is no such table.")
        if not any(rights.may_run(dag.dag_id) for dag in _dags_of(airflow.dags(), known[0])):
            raise HTTPException(403, "The rows are for those who may run the DAGs that bring them.")
        most = None if "all" in request.query_params else SAMPLE_ROWS
        try:
            pieces = warehouse.csv(name, most)
        except ExportError:
            raise HTTPException(404, f"The table {name} is not in the warehouse yet.") from None
        except Exception as error:  # noqa: BLE001  # its text may quote a row
            log.error("%s cannot be read: %s", name, type(error).__name__)
            raise HTTPException(503, "The warehouse cannot be asked; the server's log says why.") from None
        file = f"{name}{'' if most is None else f'-first-{most}'}.csv"
        disposition = {"Content-Disposition": f'attachment; filename="{file}"'}
        return StreamingResponse(
            iter(pieces), headers={**HEADERS, **disposition}, media_type="text/csv; charset=utf-8"
        )

    @made.post("/pause", dependencies=[Depends(same_site)])
    def pause(asked: Pause, rights: Any = Depends(rights_of)) -> dict[str, bool]:  # noqa: B008  # FastAPI's way
        if not rights.may_change(asked.dag_id):
            raise HTTPException(403, f"You may not pause {asked.dag_id}.")
        today = datetime.now(ZoneInfo(timezone)).date()
        if asked.until is not None and not asked.is_paused:
            raise HTTPException(422, "What runs again has no day until which it is paused.")
        if asked.until is not None and asked.until <= today:
            raise HTTPException(422, f"It is paused until {asked.until}, which is not after today ({today}).")
        if asked.until is not None and asked.dag_id == KEEPER:
            raise HTTPException(422, f"{KEEPER} lets others run again, and cannot be paused until a day.")
        done = airflow.pause(asked.dag_id, asked.until) if asked.is_paused else airflow.resume(asked.dag_id)
        if not done:
            raise HTTPException(404, f"There is no DAG {asked.dag_id}.")
        return {"is_paused": asked.is_paused}

    # Behind the others, since it takes every path.
    @made.api_route("/{name:path}", methods=["GET", "HEAD"])
    def page(name: str) -> Response:
        path = FILES.get(name)
        if path is None:
            raise HTTPException(404, "There is no such page.")
        return Response(path.read_bytes(), headers=HEADERS, media_type=TYPES[path.suffix.lstrip(".")])

    return made


def _dags_of(dags: Iterable[Dag], pipeline: str) -> list[Dag]:
    from reporting.web.contents import pipeline_of

    return [dag for dag in dags if pipeline_of(dag.dag_id) == pipeline]


class _UserRights:
    """What Airflow's auth manager lets a user do; asked once a request and DAG."""

    def __init__(self, user: Any) -> None:
        from airflow.api_fastapi.app import get_auth_manager

        self._user, self._manager = user, get_auth_manager()
        self._readable: set[str] = self._manager.get_authorized_dag_ids(user=user, method="GET")
        self._changeable: set[str] = self._manager.get_authorized_dag_ids(user=user, method="PUT")
        self._runnable: dict[str, bool] = {}

    def may_read(self, dag_id: str) -> bool:
        return dag_id in self._readable

    def may_change(self, dag_id: str) -> bool:
        return dag_id in self._changeable

    def may_run(self, dag_id: str) -> bool:
        from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails

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
        from airflow.models.dag import DagModel
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import func, select

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
        from airflow.models.dag import DagModel
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session

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

    def contents(self) -> "Mapping[str, Contents]":
        from reporting.web.contents import contents

        return contents(self._client(), self._settings)

    def csv(self, table: str, most: int | None) -> Iterable[bytes]:
        from reporting.web.contents import csv

        return csv(self._client(), self._settings, table, most)

    def _client(self) -> Any:
        from reporting.orchestration.connections import warehouse

        if self._made is None:
            self._made = warehouse(self._settings)
        return self._made


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _with_airflow() -> App:
    from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
    from fastapi import Depends

    settings = read_settings()
    may_read = requires_access_dag("GET")

    def rights_of(user: GetUserDep, _: None = Depends(may_read)) -> _UserRights:  # FastAPI's way
        return _UserRights(user)

    return application(rights_of, _Metadata(), _Warehouse(settings), settings.timezone)
