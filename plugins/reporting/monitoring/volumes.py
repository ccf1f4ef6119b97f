"""Finds loads whose row counts differ greatly from those of earlier loads of the same entity and refresh.

A count is usual if it is within six median absolute deviations of the median of the thirty runs before, which single unusual
runs hardly influence. There is also a minimum distance: most incremental refreshes bring nothing, and without it a single row
would be unusual.
https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median

from reporting.monitoring.record import Incident
from reporting.naming import DagId

BEFORE = 30
# With fewer runs before it, nothing is known about what is usual, and every first load would be unusual.
LEAST_BEFORE = 10
DEVIATIONS = 6.0
# With this factor the deviation equals the standard deviation of normally distributed values.
SCALE = 1.4826
LEAST_ROWS = 50
# A share of the median, so that the normal growth of a table is not unusual.
LEAST_SHARE = 0.2
LEAST_GONE = 10
GONE_SHARE = 0.05
# The incident stays open for a day, even if the next run an hour later is usual again.
SHOWN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A row of the sync log. Counts are rows; `in_warehouse` is the number of rows that were not deleted at the last count
    before this load."""

    source: str
    entity: str
    refresh: str
    committed_at: datetime
    read: int
    changed: int
    gone: int
    in_warehouse: int | None = None

    @property
    def name(self) -> str:
        """The entity as the sync log names it."""
        return f"{self.source}.{self.entity}"


def find(loads: Sequence[Load], now: datetime) -> Iterator[Incident]:
    """One incident per entity with an unusual load in the last day. Replays are ignored, since they read nothing new."""
    ordered = sorted(
        (load for load in loads if load.refresh != "replay"),
        key=lambda load: (load.name, load.refresh, load.committed_at),
    )
    odd: dict[str, tuple[Load, list[str]]] = {}
    for _, group in groupby(ordered, key=lambda load: (load.name, load.refresh)):
        runs = list(group)
        for place, load in enumerate(runs):
            if now - load.committed_at <= SHOWN_FOR and (
                said := list(_oddities(load, runs[max(0, place - BEFORE) : place]))
            ):
                odd[load.name] = (load, said)
    for name, (load, said) in odd.items():
        dag_id = str(DagId("raw", load.source, load.entity, load.refresh))
        yield Incident(
            problem_key=f"rows/{name}",
            kind="rows",
            subject=f"{name}: an unusual load",
            what=f"The run of {dag_id} that was loaded at {load.committed_at:%Y-%m-%d %H:%M} UTC {', and '.join(said)}.",
            todo=(
                "If nobody did this on purpose (an import, a clean-up), look in the source at what changed last. "
                f"script/verify {load.source}__{load.entity} compares the source with the warehouse. Rows that are gone are "
                "only marked as deleted, so nothing is lost."
            ),
            link=f"/dags/{dag_id}",
            dag_id=dag_id,
        )


def is_usual(value: int, before: Sequence[int]) -> bool:
    """Whether `value` is close to the values `before`. With too few of those, every value is usual."""
    if len(before) < LEAST_BEFORE:
        return True
    middle = median(before)
    deviation = SCALE * median(abs(each - middle) for each in before)
    return abs(value - middle) <= max(DEVIATIONS * deviation, LEAST_SHARE * middle, LEAST_ROWS)


def _oddities(load: Load, before: Sequence[Load]) -> Iterator[str]:
    changed = [each.changed for each in before]
    if not is_usual(load.changed, changed):
        yield f"brought {load.changed:,} new or changed rows, where {median(changed):,.0f} is usual"
    # Only for full refreshes: an incremental one reads just the records that it brings, which are counted above.
    read = [each.read for each in before]
    if load.refresh == "full" and not is_usual(load.read, read):
        yield f"read {load.read:,} records, where {median(read):,.0f} is usual"
    living = (load.in_warehouse or 0) + load.gone
    if (
        len(before) >= LEAST_BEFORE
        and load.in_warehouse is not None
        and load.gone >= LEAST_GONE
        and load.gone > GONE_SHARE * living
    ):
        yield f"found {load.gone:,} of {living:,} rows gone ({load.gone / living:.0%})"
