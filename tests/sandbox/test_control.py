"""What every fake API does for tests beside its API: a clock that moves, a mark to go back to, faults that are counted."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from reporting.sources.http import Policy
from tests.convergence.accounts import ACCOUNTS, Account, serving

HASTY = Policy(1_000_000, clock_tolerance=None, first_backoff=0.001, longest_backoff=0.01)


@pytest.fixture(scope="module", params=ACCOUNTS)
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as account:
        account.mark()
        yield account


def test_the_clock_moves_and_every_answer_says_so(account: Account) -> None:
    before = account.now()
    account.pass_time(7_200)
    assert timedelta(hours=2) <= account.now() - before < timedelta(hours=2, minutes=10)
    account.reset()
    assert account.now() - before < timedelta(minutes=10)


def test_what_was_marked_comes_back(account: Account) -> None:
    account.reset()
    tables = list(account.entities)
    before = [dict(account.living(table)) for table in tables]
    for number, change in enumerate(account.changes * 2):
        account.change(change, number)
    assert [dict(account.living(table)) for table in tables] != before
    account.reset()
    assert [dict(account.living(table)) for table in tables] == before


def test_faults_are_counted_as_they_are_met(account: Account) -> None:
    account.reset()
    account.fault(kind="status", status=503, times=2)
    account.fault(kind="status", status=429, retry_after=0.01)
    assert account.met() == {}
    reader = account.reader(next(iter(account.entities)), HASTY)
    reader.describe()
    for _ in reader.read(None):
        pass
    reader.close()
    assert account.met() == {"503": 2, "429 with Retry-After": 1}
    account.reset()
    assert account.met() == {}


def test_a_change_that_a_test_makes_meets_no_fault(account: Account) -> None:
    account.reset()
    account.fault(kind="status", status=503)
    account.change("create", 1)
    assert account.met() == {}
    account.end_faults()
