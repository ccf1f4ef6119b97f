"""All checks, one after the other, and what is well again by them. A check that fails is a problem itself, and ends none."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from reporting.problems.expiry import CannotAskError
from reporting.warehouse.problems import Episode, Problem, Record

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """Finds the problems whose keys begin with `scope`: one that it does not find any more is well again."""

    scope: str
    find: Callable[[], Iterable[Problem]]

    @property
    def problem_key(self) -> str:
        """The key of the problem that this check cannot be made."""
        return f"check/{self.scope.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What checks found, and what those that could be made cover."""

    problems: tuple[Problem, ...]
    done: tuple[Check, ...]

    def covers(self, problem: Problem) -> bool:
        """Whether it would have been found if it were still there."""
        return any(
            problem.problem_key.startswith(check.scope) or problem.problem_key == check.problem_key
            for check in self.done
        )


def look(checks: Iterable[Check]) -> Seen:
    """Make each check."""
    problems: list[Problem] = []
    done = []
    for check in checks:
        try:
            found = list(check.find())
        except CannotAskError as error:
            log.warning("%s: %s.", check.scope, error)
        except Exception as error:  # noqa: BLE001  # one check that fails must not keep the others
            # Its text may hold what it was made of.
            log.error("The check of %s failed: %s", check.scope, type(error).__name__)
            problems.append(_failed(check, error))
        else:
            problems += found
            done.append(check)
    return Seen(tuple(problems), tuple(done))


def settle(
    record: Record, before: Sequence[Episode], seen: Seen, well: Collection[str], now: datetime
) -> None:
    """Enter what was seen, and the end of what was not: `before` is the record as it was, and `well` are the keys of those
    that are well for another reason."""
    record.note(seen.problems, now)
    still = {problem.problem_key for problem in seen.problems}
    ended = {
        each.problem_key
        for each in before
        if each.is_open and each.problem_key not in still and (each.problem_key in well or seen.covers(each))
    }
    record.end(ended, now)


def built_again(episodes: Iterable[Episode], full_at: datetime | None, any_at: datetime | None) -> set[str]:
    """The keys of dbt's problems that a later build has not met: `full_at` and `any_at` are the starts of the last build of
    everything and of the last one, as far as they succeeded.

    A build of what changed takes in all that one before it did not, and so runs what failed there; what failed in a build of
    everything is run for certain by the next of everything alone.
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


def _failed(check: Check, error: Exception) -> Problem:
    name = check.scope.rstrip("/")
    return Problem(
        problem_key=check.problem_key,
        kind="check",
        subject=f"the check of {name} cannot be made",
        what=f"It failed with {type(error).__name__}, so nobody hears of what it would find.",
        todo="Look at the log of ops_warehouse__problems__alert; script/doctor says whether the warehouse can be asked.",
        link="/dags/ops_warehouse__problems__alert",
        dag_id="ops_warehouse__problems__alert",
    )
