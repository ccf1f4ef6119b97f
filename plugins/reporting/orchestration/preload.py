"""Imports in the scheduler what its tasks need, since the LocalExecutor starts each task as a copy of the scheduler.

A task's own imports took more CPU than everything else that it did. What the scheduler has imported costs a task neither time
nor memory, as long as neither changes it. Airflow calls `on_starting` before it starts the executor:
https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/listeners.html
"""

import importlib
import logging
import sys
from typing import Any

from airflow.listeners import hookimpl

log = logging.getLogger(__name__)
MODULES = (
    "reporting.ingest.extract",
    "reporting.ingest.load",
    "reporting.orchestration.connections",
    "reporting.orchestration.dags.raw",
    "reporting.orchestration.dbt",
    "reporting.transform.builds",
)
OF_A_SOURCE = ("reader", "rows")


@hookimpl
def on_starting(component: Any) -> None:
    """Import the modules if this process is a scheduler."""
    if sys.argv[1:2] == ["scheduler"]:
        preload()


def preload() -> list[str]:
    """Import the modules of tasks, and return the names of those that cannot be imported; the tasks say why."""
    from reporting.orchestration.dags.common import asset
    from reporting.sources.registry import ENTITIES, SOURCES

    names = [*MODULES, *(f"{source.package}.{name}" for source in SOURCES.values() for name in OF_A_SOURCE)]
    failed = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  # one broken source must not stop the scheduler, nor the other sources
            log.warning("%s cannot be imported (%s). Its tasks will say why.", name, type(error).__name__)
            failed.append(name)
    # With the first asset Airflow imports what its providers know of assets.
    asset(ENTITIES[0])
    return failed
