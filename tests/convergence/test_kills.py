"""A process that is really killed, at each step; what it left is finished by the next run, and by dbt after it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reporting.settings import ROOT, Settings, read_settings
from reporting.transform import builds, dbt
from reporting.warehouse.client import connect
from tests.convergence.accounts import ACCOUNTS, serving, small_pages
from tests.convergence.history import World

# Where a process is killed, and in which read: during the extract, before the load, within a job of BigQuery's, and
# between the MERGE and the sync log.
KILLS = (
    ("a page", "full", "notion__daily_habits"),
    ("the landing", "full", "hubspot__contacts"),
    ("during load", "full", "hubspot__associations"),
    ("during merge", "changed", "google__contacts"),
    ("a page", "changed", "google_calendar__events"),
    ("the counts", "changed", "hubspot__contacts"),
)


@pytest.fixture
def world(
    shared_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    for name, value in shared_environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    client = connect(settings)
    with ExitStack() as stack:
        accounts = [stack.enter_context(serving(source, tmp_path / source)) for source in ACCOUNTS]
        stack.enter_context(small_pages())
        yield World(client, settings, tmp_path, accounts)


def killed(world: World, shared_environment: dict[str, str], table: str, refresh: str, step: str) -> None:
    served = {account.source: account.served for account in world.accounts.values()}
    arguments = (table, refresh, step, world.landing.uri, json.dumps(served))
    done = subprocess.run(
        [sys.executable, "-m", "tests.convergence.killed", *arguments],
        cwd=ROOT,
        env=os.environ | shared_environment | {"PYTHONPATH": f"{ROOT}/plugins:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def build(settings: Settings, world: World) -> None:
    """Staging and marts as the DAG builds them."""
    plan = builds.plan(world.client, settings, "changed")
    for layer in ("staging", "marts"):
        done = subprocess.run(
            dbt.build_command(settings, plan.selection(layer), exclude=plan.excluded),
            env=dbt.environment(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout
    builds.record(world.client, settings, plan)


@pytest.mark.heavy
def test_a_killed_process_leaves_nothing_that_the_next_run_does_not_mend(
    world: World, shared_environment: dict[str, str]
) -> None:
    for number, (step, refresh, table) in enumerate(KILLS):
        for account in dict.fromkeys(world.accounts.values()):
            for change in ("create", "edit", "merge", "rename", "associate", "remove"):
                if change in account.changes:
                    account.change(change, number)
            # Google shows a change some minutes late.
            account.pass_time(600)
        killed(world, shared_environment, table, refresh, step)
        is_built = number in (0, 3, len(KILLS) - 1)
        affected = () if is_built else (table,)
        world.settle(*affected)
        world.check(*affected)
        if is_built:
            build(world.settings, world)
            check_marts(world)


def check_marts(world: World) -> None:
    """The marts hold what lives in the sources, and nothing else."""
    marts = world.settings.dataset("marts")
    rows = [row[0] for row in world.client.query_and_wait(f"SELECT contact_id FROM {marts}.contacts")]
    table = "hubspot__contacts"
    assert sorted(rows) == sorted(world.accounts[table].living(table))
    sql = f"""
        SELECT record_id FROM {world.settings.dataset("snapshots")}.person_keys
        JOIN {marts}.people USING (person_id)
    """
    people = {row[0] for row in world.client.query_and_wait(sql)}
    table = "google__contacts"
    assert {f"google:{key}" for key in world.accounts[table].living(table)} <= people
    table = "notion__daily_habits"
    days = {
        page["properties"]["Date"]["date"]["start"] for page in world.accounts[table].living(table).values()
    }
    recorded = world.client.query_and_wait(
        f"SELECT DISTINCT CAST(date AS STRING) AS day FROM {marts}.habits WHERE is_recorded"
    )
    assert {row["day"] for row in recorded} <= days
