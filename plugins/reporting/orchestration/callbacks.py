"""Callbacks of tasks: when a task begins, secrets are hidden in its log; when it fails, alerts are sent.

No error in a callback makes a run fail.
"""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reporting import redaction
from reporting.monitoring import alerts

if TYPE_CHECKING:
    from reporting.monitoring.record import Incident

log = logging.getLogger(__name__)
LONGEST_ERROR = 500


def hide_secrets(_: Mapping[str, Any]) -> None:
    """Hide every secret of the environment in this task's log. Used as `on_execute_callback`.

    Airflow itself hides only the connections that the task has fetched.
    """
    # Not for the parser.
    from airflow.sdk.log import mask_secret

    for secret in redaction.ordered():
        mask_secret(secret)


def task_failed(context: Mapping[str, Any]) -> None:
    """Send one alert per incident through every channel, even if the task fails repeatedly. Used as `on_failure_callback`."""
    try:
        channels = alerts.read_channels()
        if channels.ways:
            _tell(channels, incidents(context))
    except Exception as error:  # noqa: BLE001  # a failed alert must not make the task fail in another way
        # The text of the error may quote data, so only its type is logged.
        log.error("No alert was sent: %s", type(error).__name__)


def incidents(context: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> "list[Incident]":
    """The incidents of the failed task in `context`: one for the task itself, or one for each node of dbt that failed.

    Stale sources are left to `ops_warehouse__problems__alert`, which has more information about them.
    """
    # Not for the parser.
    from reporting.orchestration.dbt import NodesFailedError, SourcesStaleError

    error = context.get("exception")
    if isinstance(error, SourcesStaleError):
        return []
    if isinstance(error, NodesFailedError):
        return [_node_failed(context, name, said, environment) for name, said in error.nodes]
    return [_task_failed(context, environment)]


def _task_failed(context: Mapping[str, Any], environment: Mapping[str, str]) -> "Incident":
    # Not for the parser.
    from airflow.sdk.exceptions import AirflowTaskTimeout

    from reporting.monitoring.record import Incident

    task = context["task_instance"]
    error = context.get("exception") or context.get("reason") or "its log says why"
    kind = type(error).__name__ if isinstance(error, BaseException) else ""
    text = redaction.scrub(f"{kind}: {error}" if kind else str(error), environment)
    what = f"It ended with {kind or 'an error'} in {task.run_id}, attempt {task.try_number}."
    if isinstance(error, AirflowTaskTimeout):
        what = (
            f"It exceeded its time limit and was stopped in {task.run_id}, attempt {task.try_number}; its log shows what "
            "it did last."
        )
    return Incident(
        problem_key=f"task/{task.dag_id}/{task.task_id}",
        kind="task",
        subject=f"{task.dag_id}: {task.task_id} failed",
        what=what,
        todo="Find the error in docs/reference/errors.md, fix its cause, and then clear the task.",
        link=_log(task),
        dag_id=task.dag_id,
        said=f"{text.strip()[:LONGEST_ERROR]}\n\nRun: {task.run_id}, attempt {task.try_number}",
    )


def _node_failed(
    context: Mapping[str, Any], name: str, said: str, environment: Mapping[str, str]
) -> "Incident":
    from reporting.monitoring.record import Incident

    task = context["task_instance"]
    text = redaction.scrub(said, environment).strip()[:LONGEST_ERROR]
    return Incident(
        problem_key=f"dbt/{name}",
        kind="dbt",
        subject=f"dbt: {name} failed",
        what=f"{name} failed in {task.run_id} of {task.dag_id}. Models that depend on it keep their earlier rows.",
        todo=(
            "Read its SQL in dbt/target of the state folder, and its description in dbt/models or dbt/tests, which says what "
            "it expects. The next successful build includes all data."
        ),
        link=_log(task),
        dag_id=task.dag_id,
        said=f"{name}: {text}\n\nRun: {task.run_id} of {task.dag_id}",
    )


def _log(task: Any) -> str:
    return f"/dags/{task.dag_id}/runs/{quote(task.run_id)}/tasks/{task.task_id}"


def _tell(channels: alerts.Channels, found: "list[Incident]") -> None:
    # Imported here because Google's client is slow to import.
    from reporting.monitoring.notifier import Notifier, not_alerted
    from reporting.monitoring.record import Record
    from reporting.orchestration import connections
    from reporting.settings import read_settings

    if not found:
        return
    settings, now = read_settings(), datetime.now(UTC)
    notifier = Notifier(channels, base_url(), settings.timezone)
    record = None
    try:
        record = Record(connections.warehouse(settings), settings)
        new = not_alerted(record, found, now)
    except Exception as error:  # noqa: BLE001  # the warehouse may be what failed, and an alert sent twice is better than none
        log.warning(
            "It is not known whether an alert was sent before, so it is sent now: %s", type(error).__name__
        )
        record, new = None, found
    for incident in new:
        if notifier.send(notifier.opened(incident, now)) and record is not None:
            record.mark_alerted([incident.problem_key], now)


def base_url(environment: Mapping[str, str] = os.environ) -> str:
    """The address of the web interface, for links; empty if it is not known."""
    return environment.get("AIRFLOW__API__BASE_URL", "").rstrip("/")
