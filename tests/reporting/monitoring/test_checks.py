"""What checks see, what ends by them, and a check that fails."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from reporting.monitoring.checks import Check, built_again, run_checks
from reporting.monitoring.expiry import CannotAskError
from reporting.monitoring.record import Episode, Incident, Kind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def incident(key: str, kind: Kind = "stale") -> Incident:
    return Incident(problem_key=key, kind=kind, subject=key, what="It is so.", todo="Mend it.")


def episode(key: str, kind: Kind = "dbt", dag_id: str | None = None) -> Episode:
    return Episode(
        problem_key=key,
        kind=kind,
        subject=key,
        what="It is so.",
        todo="Mend it.",
        dag_id=dag_id,
        first_seen_at=NOW,
        last_seen_at=NOW,
    )


def failing(error: Exception) -> Callable[[], Iterable[Incident]]:
    def find() -> Iterable[Incident]:
        yield incident("stale/one")
        raise error

    return find


def test_what_checks_find_is_seen_and_what_they_do_not_is_covered() -> None:
    seen = run_checks([Check("stale/", lambda: [incident("stale/one")]), Check("rows/", lambda: ())])
    assert [each.problem_key for each in seen.incidents] == ["stale/one"]
    assert seen.covers(incident("stale/two"))
    assert seen.covers(incident("rows/one"))
    assert seen.covers(incident("check/rows", "check"))
    assert not seen.covers(incident("categories/one"))
    assert not seen.covers(incident("task/stale/one", "task"))


def test_a_check_that_fails_is_an_incident_ends_none_and_keeps_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = run_checks(
        [Check("stale/", failing(ValueError("hush"))), Check("rows/", lambda: [incident("rows/a")])]
    )
    assert [each.problem_key for each in seen.incidents] == ["check/stale", "rows/a"]
    assert "It failed with ValueError" in seen.incidents[0].what
    assert not seen.covers(incident("stale/one"))
    assert "hush" not in caplog.text + str(seen)


def test_one_of_which_nobody_can_be_asked_is_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    seen = run_checks([Check("expiry/web", failing(CannotAskError("nobody there")))])
    assert seen.incidents == ()
    assert not seen.covers(incident("expiry/web", "expiry"))
    assert "expiry/web: nobody there" in caplog.text


BEFORE, AFTER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("dag_id", "full_at", "any_at", "is_well"),
    [
        ("mart_personal__models__changed", None, None, False),
        ("mart_personal__models__changed", None, BEFORE, False),
        ("mart_personal__models__changed", None, AFTER, True),
        ("mart_personal__models__changed", AFTER, AFTER, True),
        # What changed since need not run what failed in a build of everything.
        ("mart_personal__models__full", BEFORE, AFTER, False),
        ("mart_personal__models__full", AFTER, AFTER, True),
    ],
)
def test_what_failed_in_dbt_is_well_by_a_later_build_that_runs_it(
    dag_id: str, full_at: datetime | None, any_at: datetime | None, is_well: bool
) -> None:
    given = [episode("dbt/test a", dag_id=dag_id), episode("stale/one", "stale")]
    assert built_again(given, full_at, any_at) == ({"dbt/test a"} if is_well else set())
