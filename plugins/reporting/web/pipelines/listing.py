"""What the page shows: the DAGs of each pipeline and their last runs, and what the warehouse has of it."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from reporting.naming import LAYERS
from reporting.web.contents import Contents, pipeline_of

log = logging.getLogger(__name__)

SAMPLE_ROWS = 300
# The warehouse is asked no more than once in so many seconds, however often the page is.
KEPT_SECONDS = 60.0


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

    def contents(self) -> Mapping[str, Contents]:
        """The tables of each pipeline."""

    def csv(self, table: str, most: int | None) -> Iterable[bytes]:
        """The rows of a table."""


@dataclass(slots=True)
class Kept:
    """What the warehouse said last, or that it could not be asked."""

    warehouse: Warehouse
    clock: Callable[[], float] = time.monotonic
    _found: Mapping[str, Contents] = field(default_factory=dict)
    _asked_at: float = float("-inf")
    _is_known: bool = False

    def contents(self) -> tuple[Mapping[str, Contents], bool]:
        """The tables of each pipeline, and whether the warehouse said so."""
        if self.clock() - self._asked_at >= KEPT_SECONDS:
            try:
                self._found, self._is_known = self.warehouse.contents(), True
            except Exception as error:  # noqa: BLE001  # the page shows what Airflow knows, whatever the warehouse says
                log.warning("The warehouse cannot be asked: %s", type(error).__name__)
                self._found, self._is_known = {}, False
            self._asked_at = self.clock()
        return self.last()

    def last(self) -> tuple[Mapping[str, Contents], bool]:
        """The same as it was said last."""
        return self._found, self._is_known


def listing(
    dags: Sequence[Dag], found: Mapping[str, Contents], is_known: bool, rights: Rights
) -> dict[str, Any]:
    """What the page shows to a user: the pipelines whose DAGs they may read, in the order of a row's road."""
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


def dags_of(dags: Iterable[Dag], pipeline: str) -> list[Dag]:
    """The DAGs of a pipeline."""
    return [dag for dag in dags if pipeline_of(dag.dag_id) == pipeline]
