"""Loads whose counts are far from what is usual for their entity and refresh.

Usual is the median of the thirty runs before, give or take six times their median absolute deviation, as robust against
the odd run as a mean is not; and a floor, since most runs of what changed bring nothing and then any row would be odd.
https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median

from reporting.naming import DagId
from reporting.warehouse.problems import Problem

BEFORE = 30
# Less is no usage yet: a first load is far from nothing.
LEAST_BEFORE = 10
DEVIATIONS = 6.0
# Makes the deviation comparable with a standard deviation where values are normal.
SCALE = 1.4826
LEAST_ROWS = 50
# Of the median: a table that grows by itself is not odd.
LEAST_SHARE = 0.2
LEAST_GONE = 10
GONE_SHARE = 0.05
# What was odd stays so for a day, also when the next run an hour later is as usual.
SHOWN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A row of the ledger. Counts are rows; `in_warehouse` is how many lived in the table by the latest count before."""

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
        """The entity as the ledger names it."""
        return f"{self.source}.{self.entity}"


def find(loads: Sequence[Load], now: datetime) -> Iterator[Problem]:
    """A problem an entity with an odd load in the last day; replays are no loads of anything new."""
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
        yield Problem(
            problem_key=f"rows/{name}",
            kind="rows",
            subject=f"{name}: a load far from the usual",
            what=f"The run of {dag_id} that was loaded at {load.committed_at:%Y-%m-%d %H:%M} UTC {', and '.join(said)}.",
            todo=(
                "If nothing of that size was done on purpose (an import, a clean-up), look in the source at what changed "
                f"last. script/verify {load.source}__{load.entity} compares it with the warehouse; rows that are gone have a "
                "tombstone, and nothing is lost."
            ),
            link=f"/dags/{dag_id}",
            dag_id=dag_id,
        )


def is_usual(value: int, before: Sequence[int]) -> bool:
    """Whether `value` is near those `before`; anything is while they are too few."""
    if len(before) < LEAST_BEFORE:
        return True
    middle = median(before)
    deviation = SCALE * median(abs(each - middle) for each in before)
    return abs(value - middle) <= max(DEVIATIONS * deviation, LEAST_SHARE * middle, LEAST_ROWS)


def _oddities(load: Load, before: Sequence[Load]) -> Iterator[str]:
    changed = [each.changed for each in before]
    if not is_usual(load.changed, changed):
        yield f"brought {load.changed:,} new or changed rows, where {median(changed):,.0f} is usual"
    # How much a read of what changed reads says no more than how much it brought.
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
