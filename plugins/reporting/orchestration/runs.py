"""The tasks of the history of Airflow's runs."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException

from reporting.monitoring import runs
from reporting.orchestration import metadata
from reporting.settings import read_settings

log = logging.getLogger(__name__)


def bring_runs(now: datetime | None = None) -> dict[str, int]:
    """Load the changes in Airflow's runs until `now` into the warehouse. Returns the number of rows read of each table.

    Skips if the address of the metadata database is not known. Raises `AirflowException` if the database cannot be read.
    """
    # Heavy: Google's client.
    from reporting.monitoring import records
    from reporting.orchestration.connections import warehouse

    address = metadata.address()
    settings = read_settings()
    client = warehouse(settings)
    context = get_current_context()
    run = context["dag_run"]
    known_at = None if context["params"]["everything"] else records.runs_known_at(client, settings)

    def due(cron: str, since: datetime, until: datetime) -> Iterator[datetime]:
        return due_times(cron, settings.timezone, since, until)

    try:
        history = runs.read(
            address,
            known_at - runs.OVERLAP if known_at else None,
            now or datetime.now(UTC),
            due,
            leave_out=(run.dag_id, run.run_id),
        )
    except runs.RunsError as error:
        raise AirflowException(str(error)) from None
    # The runs hold the cursor, so they are written last.
    records.merge(client, settings, records.TRIES, history.tries)
    records.merge(client, settings, records.RUNS, history.runs)
    missing = [row for row in history.runs if row["state"] == runs.MISSING]
    for row in missing[-20:]:
        log.warning("%s was due at %s and did not run.", row["dag_id"], row["due_at"])
    return {"runs": len(history.runs) - len(missing), "missing": len(missing), "tries": len(history.tries)}


def forget_old() -> int:
    """Remove old rows of the warehouse's history of runs, builds and profiles, and return how many."""
    from reporting.monitoring import records
    from reporting.orchestration.connections import warehouse

    settings = read_settings()
    return records.forget(warehouse(settings), settings, datetime.now(UTC))


def due_times(cron: str, timezone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """The times (UTC) at which Airflow would start a DAG with that schedule, from `since` to `until`."""
    # Airflow's own timetable, since another one may treat the change to summer time differently. Slow to import.
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable
    from pendulum import instance

    timetable = CronTriggerTimetable(cron, timezone=timezone)
    span = TimeRestriction(earliest=instance(since), latest=instance(until), catchup=True)
    last = None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=span):
        yield datetime.fromtimestamp(info.run_after.timestamp(), UTC)
        last = info.data_interval
