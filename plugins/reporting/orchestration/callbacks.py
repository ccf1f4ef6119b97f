"""What happens beside every task: its log hides the environment's secrets, and its owner hears when it fails for good.

Neither ever fails a run by itself.
"""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reporting import alerts, redaction

if TYPE_CHECKING:
    from reporting.warehouse.problems import Problem

log = logging.getLogger(__name__)
LONGEST_ERROR = 500


def hide_secrets(_: Mapping[str, Any]) -> None:
    """Hide every secret of the environment in this task's log; for `on_execute_callback`.

    By itself Airflow hides only the connections that the task has fetched.
    """
    # Not for the parser.
    from airflow.sdk.log import mask_secret

    for secret in redaction.secrets_of():
        mask_secret(secret)


def task_failed(context: Mapping[str, Any]) -> None:
    """Send one message a problem by every channel, however often it comes back; for `on_failure_callback`."""
    try:
        channels = alerts.read_channels()
        if channels.ways:
            _tell(channels, problems(context))
    except Exception as error:  # noqa: BLE001  # an alert is never the reason of a failure
        # Its text may hold what it was made of.
        log.error("No alert was sent: %s", type(error).__name__)


def problems(context: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> "list[Problem]":
    """What is wrong by the failed task in `context`: the task, or what dbt says is wrong.

    Sources that are stale are left to `ops_warehouse__problems__alert`, which knows more of them.
    """
    # Not for the parser.
    from reporting.orchestration.dbt import NodesFailedError, SourcesStaleError

    error = context.get("exception")
    if isinstance(error, SourcesStaleError):
        return []
    if isinstance(error, NodesFailedError):
        return [_node_failed(context, name, said, environment) for name, said in error.nodes]
    return [_task_failed(context, environment)]


def _task_failed(context: Mapping[str, Any], environment: Mapping[str, str]) -> "Problem":
    from reporting.warehouse.problems import Problem

    task = context["task_instance"]
    error = context.get("exception") or context.get("reason") or "its log says why"
    kind = type(error).__name__ if isinstance(error, BaseException) else ""
    text = redaction.scrub(f"{kind}: {error}" if kind else str(error), environment)
    return Problem(
        problem_key=f"task/{task.dag_id}/{task.task_id}",
        kind="task",
        subject=f"{task.dag_id}: {task.task_id} failed",
        what=f"It ended with {kind or 'an error'} in {task.run_id}, attempt {task.try_number}.",
        todo="docs/operations.md says it for each error; clear the task when it is mended.",
        link=_log(task),
        dag_id=task.dag_id,
        said=f"{text.strip()[:LONGEST_ERROR]}\n\nRun: {task.run_id}, attempt {task.try_number}",
    )


def _node_failed(
    context: Mapping[str, Any], name: str, said: str, environment: Mapping[str, str]
) -> "Problem":
    from reporting.warehouse.problems import Problem

    task = context["task_instance"]
    text = redaction.scrub(said, environment).strip()[:LONGEST_ERROR]
    return Problem(
        problem_key=f"dbt/{name}",
        kind="dbt",
        subject=f"dbt: {name} failed",
        what=f"{name} failed in {task.run_id} of {task.dag_id}; what depends on it is as it was before.",
        todo=(
            "Its SQL is in dbt/target of the state folder, and its description in dbt/models or dbt/tests says what it "
            "wants; the next build that succeeds takes everything in."
        ),
        link=_log(task),
        dag_id=task.dag_id,
        said=f"{name}: {text}\n\nRun: {task.run_id} of {task.dag_id}",
    )


def _log(task: Any) -> str:
    return f"/dags/{task.dag_id}/runs/{quote(task.run_id)}/tasks/{task.task_id}"


def _tell(channels: alerts.Channels, found: "list[Problem]") -> None:
    # Heavy: Google's client.
    from reporting.orchestration import connections
    from reporting.problems.telling import Teller, untold
    from reporting.settings import read_settings
    from reporting.warehouse.problems import Record

    if not found:
        return
    settings, now = read_settings(), datetime.now(UTC)
    teller = Teller(channels, base_url(), settings.timezone)
    record = None
    try:
        record = Record(connections.warehouse(settings), settings)
        new = untold(record, found, now)
    except Exception as error:  # noqa: BLE001  # the warehouse may be what failed; twice is better than never
        log.warning("Whether it was told before is not known: %s", type(error).__name__)
        record, new = None, found
    for problem in new:
        if teller.send(teller.wrong(problem, now)) and record is not None:
            record.told([problem.problem_key], now)


def base_url(environment: Mapping[str, str] = os.environ) -> str:
    """The address of the web interface, for links; empty where it is not known."""
    return environment.get("AIRFLOW__API__BASE_URL", "").rstrip("/")
