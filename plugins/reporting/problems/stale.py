"""Sources that are not read any more: by the ledger, which knows every complete run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reporting.entities import Entity
from reporting.naming import DagId
from reporting.reports import formats
from reporting.reports.health import STALE_DAYS
from reporting.settings import PREFIX, SWITCHED_OFF
from reporting.warehouse.problems import Problem

STALE_AFTER = timedelta(days=STALE_DAYS)
CHECKS = {
    "notion": "whether the database is still shared with the integration, and whether its token is good",
    "hubspot": "whether the private app is there and has its scopes, and whether the daily limit is used up",
    "google": "whether the login still works; that of an app in Testing ends after seven days",
    "google_sheets": "whether the spreadsheet is still there, and its tab and columns have their names",
}


@dataclass(frozen=True, slots=True)
class Read:
    """When an entity was last read to its end, and whether its latest run was cut off. Times are UTC."""

    entity: Entity
    last_complete_at: datetime
    is_cut_off: bool = False


def find(reads: Iterable[Read], names: Mapping[str, str], now: datetime) -> Iterator[Problem]:
    """Those that were read before and not for `STALE_AFTER`; `names` is that of the settings."""
    for read in reads:
        entity, age = read.entity, now - read.last_complete_at
        if age <= STALE_AFTER or names.get(entity.table) == SWITCHED_OFF:
            continue
        name = f"{entity.source}.{entity.name}"
        dag_id = str(DagId("raw", entity.source, entity.name, "changed" if entity.has_changed else "full"))
        check = CHECKS.get(entity.source, f"whether the connection {entity.connection} still works")
        cut_off = " Its latest run was cut off." if read.is_cut_off else ""
        yield Problem(
            problem_key=f"stale/{name}",
            kind="stale",
            subject=f"{name} has not been read for {formats.span(age)}",
            what=(
                f"The last complete run of {name} was at {read.last_complete_at:%Y-%m-%d %H:%M} UTC, {formats.span(age)} "
                f"ago.{cut_off} What the marts say of it is as old."
            ),
            todo=(
                f"Look whether {dag_id} is paused, skips or fails, and at its log. Then {check}: "
                f"script/doctor says. If it is not to be read any more, set {PREFIX}NAME_{entity.table.upper()} to "
                f"{SWITCHED_OFF}."
            ),
            link=f"/dags/{dag_id}",
        )
