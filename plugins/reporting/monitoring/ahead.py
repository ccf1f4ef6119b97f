"""Finds rows and runs whose times lie in the future. A machine whose clock was ahead wrote them."""

from collections.abc import Iterable, Iterator

from reporting.ingest.stamps import Ahead
from reporting.monitoring.record import Incident
from reporting.naming import DagId


def find(found: Iterable[Ahead]) -> Iterator[Incident]:
    """One incident per entity that has such rows or runs."""
    for each in found:
        name = f"{each.entity.source}.{each.entity.name}"
        yield Incident(
            problem_key=f"stamps/{name}",
            kind="stamps",
            subject=f"{name} has times in the future",
            what=(
                f"{each.row_count} rows of {each.entity.table} and {each.run_count} runs in the sync log have times in the future, "
                f"the latest {each.latest_at:%Y-%m-%d %H:%M} UTC: the machine's clock was ahead when they were loaded. Until "
                "that time, no later read can change these rows."
            ),
            todo=(
                "Check that the clock of the machine that runs Airflow is right. Then run script/mend-stamps, and after that "
                "a full refresh, which loads the changes that were missed."
            ),
            link=f"/dags/{DagId('raw', each.entity.source, each.entity.name, 'full')}",
        )
