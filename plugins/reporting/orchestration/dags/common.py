"""Settings that all DAGs share: retries and limits of tasks, schedules, and parameters that are dates."""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, Param

from reporting.entity import Entity
from reporting.orchestration.callbacks import hide_secrets, task_failed
from reporting.settings import read_settings

# The time limit of one attempt of a task, since a task that hangs would occupy its slot forever. An `extract` continues from its
# checkpoint when it is retried. The other tasks begin again, so their limits are far above the time that they need.
TASK_LIMIT = timedelta(hours=1)
EXTRACT_LIMIT = timedelta(hours=12)
LOAD_LIMIT = timedelta(hours=3)
COPY_LIMIT = timedelta(hours=3)


def asset(entity: Entity) -> Asset:
    """The asset of the raw table of `entity`. Its events trigger the build of the marts."""
    return Asset(name=f"raw.{entity.table}", uri=f"reporting://raw/{entity.table}")


def defaults(retries: int = 3) -> dict[str, Any]:
    """The default arguments of every task. The wait before a retry begins with the setting and grows up to an hour."""
    return {
        "owner": "reporting",
        "retries": retries,
        "retry_delay": timedelta(seconds=read_settings().retry_seconds),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": TASK_LIMIT,
        "on_execute_callback": hide_secrets,
        "on_failure_callback": task_failed,
    }


def daily(cron: str) -> CronTriggerTimetable | None:
    """A schedule of once a day in the owner's time zone; None if daily work is switched off."""
    settings = read_settings()
    return CronTriggerTimetable(cron, timezone=settings.timezone) if settings.schedule_full else None


def instant(description: str) -> Param:
    """A parameter that is an ISO 8601 date or time, or empty. The text is parsed when the run uses it."""
    return Param(
        None, type=["null", "string"], pattern=r"^([0-9][0-9TWZtwz:.+ -]{3,39})?$", description=description
    )
