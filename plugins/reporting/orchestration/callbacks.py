"""What happens beside every task: its log hides the environment's secrets, and its owner hears when it fails for good.

Neither ever fails a run by itself.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

from reporting import alerts, redaction

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
    """Send one message by every channel; for `on_failure_callback`."""
    try:
        channels = alerts.read_channels()
        if channels.ways:
            for error in channels.send(message(context)):
                log.error("No alert was sent: %s", error)
    except Exception as error:  # noqa: BLE001  # an alert is never the reason of a failure
        # Its text may hold what it was made of.
        log.error("No alert was sent: %s", type(error).__name__)


def message(context: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> alerts.Message:
    """What the owner is told of the failed task in `context`."""
    task = context["task_instance"]
    error = context.get("exception") or context.get("reason") or "its log says why"
    kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    said = redaction.scrub(f"{kind}{error}", environment).strip()[:LONGEST_ERROR]
    base = environment.get("AIRFLOW__API__BASE_URL", "").rstrip("/")
    lines = [
        said,
        "",
        f"Run: {task.run_id}, attempt {task.try_number}",
        f"Log: {base}/dags/{task.dag_id}/runs/{task.run_id}/tasks/{task.task_id}",
        "What to do is in docs/operations.md; clear the task when it is mended.",
    ]
    return alerts.Message(f"{task.dag_id}: {task.task_id} failed", "\n".join(lines))
