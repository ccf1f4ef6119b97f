"""What changes in a source is in its table once the event has come, before any scheduled sync."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.settings import Settings
from tests.convergence import ringing
from tests.convergence.accounts import Account, serving
from tests.convergence.history import World


@pytest.fixture(params=["notion", "hubspot"])
def account(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Account]:
    with serving(request.param, tmp_path) as account:
        account.mark()
        account.reset()
        yield account


def test_an_event_brings_what_changed_and_what_is_gone(
    account: Account,
    current_warehouse: tuple[bigquery.Client, Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ringing, "FATES", (None, "doubled", "forged", "old"))
    world = World(*current_warehouse, tmp_path, [account])
    for table in account.entities:
        world.run("full", table)
    for name in ("create", "edit", "remove"):
        world.change(name, 1)
    world.ring(0, 10)
    assert world.figures["runs by events"] >= 2
    world.check()
    # Nothing is left to send.
    runs = world.figures["runs"]
    world.ring(1, 60 * 48)
    assert world.figures["runs"] == runs
