"""Runs all checks, one after the other, and decides which incidents they resolve.

A check that fails is an incident itself, and resolves no other.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from reporting.monitoring.expiry import CannotAskError
from reporting.monitoring.record import Episode, Incident, Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """Finds the incidents whose keys begin with `scope`. One that it does not find any more is resolved."""

    scope: str
    find: Callable[[], Iterable[Incident]]

    @property
    def problem_key(self) -> str:
        """The key of the incident that is open while this check cannot run."""
        return f"check/{self.scope.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the checks found, and which of them could run."""

    incidents: tuple[Incident, ...]
    done: tuple[Check, ...]

    def covers(self, incident: Incident) -> bool:
        """Whether a check that ran would have found `incident` if it were still there."""
        return any(
            incident.problem_key.startswith(check.scope) or incident.problem_key == check.problem_key
            for check in self.done
        )


def run_checks(checks: Iterable[Check]) -> Seen:
    """Run each check. One that fails becomes an incident and does not stop the others."""
    incidents: list[Incident] = []
    done = []
    for check in checks:
        try:
            found = list(check.find())
        except CannotAskError as error:
            log.warning("%s: %s.", check.scope, error)
        except Exception as error:  # noqa: BLE001  # no error of one check may stop the others
            # The text of the error may quote data, so only its type is logged.
            log.error("The check of %s failed: %s", check.scope, type(error).__name__)
            incidents.append(_failed(check, error))
        else:
            incidents += found
            done.append(check)
    return Seen(tuple(incidents), tuple(done))


def record_result(
    record: Record, before: Sequence[Episode], seen: Seen, well: Collection[str], now: datetime
) -> None:
    """Record the incidents that the checks found, and resolve those that they would have found and did not.

    `before` are the incidents as they were recorded before the checks ran. `well` are the keys of incidents that something
    else has resolved, such as a task that succeeded since.
    """
    record.note(seen.incidents, now)
    still = {incident.problem_key for incident in seen.incidents}
    ended = {
        each.problem_key
        for each in before
        if each.is_open and each.problem_key not in still and (each.problem_key in well or seen.covers(each))
    }
    record.resolve(ended, now)


def built_again(episodes: Iterable[Episode], full_at: datetime | None, any_at: datetime | None) -> set[str]:
    """The keys of dbt's incidents that a later successful build has resolved.

    `full_at` is when the last successful build of everything began, and `any_at` when the last successful build of any kind
    began. A build of what changed also runs whatever an earlier build of what changed has failed to build, so it resolves that
    build's incidents. Only the next build of everything is certain to run what failed in a build of everything.
    """

    def is_later(at: datetime | None, episode: Episode) -> bool:
        return at is not None and at > episode.last_seen_at

    return {
        each.problem_key
        for each in episodes
        if each.kind == "dbt"
        and (
            is_later(full_at, each) or (is_later(any_at, each) and (each.dag_id or "").endswith("__changed"))
        )
    }


def _failed(check: Check, error: Exception) -> Incident:
    name = check.scope.rstrip("/")
    return Incident(
        problem_key=check.problem_key,
        kind="check",
        subject=f"the check of {name} failed",
        what=f"It failed with {type(error).__name__}, so no alert is sent for what it would have found.",
        todo="Read the log of ops_warehouse__problems__alert. script/doctor says whether the warehouse can be queried.",
        link="/dags/ops_warehouse__problems__alert",
        dag_id="ops_warehouse__problems__alert",
    )
