"""A process that is really killed, at each step; what it left is finished by the next run, and by dbt after it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reporting import dbt
from reporting.settings import ROOT, Settings, read_settings
from reporting.warehouse import builds, schema
from reporting.warehouse.client import connect
from tests.convergence.history import CRASHES, READ, World

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def environment(bigquery_endpoint: str, tmp_path: Path) -> dict[str, str]:
    return {
        "BIGQUERY_EMULATOR_HOST": bigquery_endpoint,
        "REPORTING_DATASET_PREFIX": "kills_",
        "REPORTING_STATE": str(tmp_path / "state"),
    }


@pytest.fixture
def world(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    client = connect(settings)
    schema.upgrade(client)
    made = World(client, settings, tmp_path)
    yield made
    made.close()


def killed(world: World, environment: dict[str, str], name: str, refresh: str, step: str) -> None:
    arguments = (name, refresh, step, world.landing.uri, *world.addresses.values())
    done = subprocess.run(
        [sys.executable, "-m", "tests.convergence.killed", *arguments],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONPATH": f"{ROOT}/plugins:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def build(settings: Settings, world: World) -> None:
    """Staging and marts as the DAG builds them."""
    plan = builds.plan(world.client, settings, "changed")
    for layer in ("staging", "marts"):
        done = subprocess.run(
            dbt.build_command(settings, plan.selection(layer)),
            env=dbt.environment(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
    builds.record(world.client, settings, plan)


def test_a_killed_process_leaves_nothing_that_the_next_run_does_not_mend(
    world: World, environment: dict[str, str]
) -> None:
    for number, step in enumerate(CRASHES):
        name = sorted(READ)[number % len(READ)]
        contact, other = [
            key for key, each in world.crm.truth("contacts").items() if not each["merged_into"]
        ][:2]
        world.crm.change("contacts", contact, city=f"City {number}")
        world.crm.create("companies", name=f"Company {number}")
        if number == 3:
            world.crm.merge("contacts", contact, other)
        world.notion.edit(next(iter(world.notion.truth())), f"edit {number}")
        killed(world, environment, name, "full" if number % 2 else "changed", step)
        world.settle()
        world.check()
        if number in (0, 3, 5):
            build(world.settings, world)
            check_marts(world)


def check_marts(world: World) -> None:
    """The marts hold what lives in the sources, and nothing else."""
    marts = world.settings.dataset("marts")
    for kind, key in (("contacts", "contact_id"), ("companies", "company_id")):
        rows = [row[key] for row in world.client.query(f"SELECT {key} FROM {marts}.{kind}").result()]
        truth = world.crm.truth(kind)
        assert sorted(rows) == sorted(
            key for key, each in truth.items() if not each["archived"] and not each["merged_into"]
        )
    days = {
        page["properties"]["Date"]["date"]["start"]
        for page in world.notion.truth().values()
        if not page["in_trash"]
    }
    recorded = world.client.query(
        f"SELECT DISTINCT CAST(date AS STRING) AS day FROM {marts}.habits WHERE is_recorded"
    ).result()
    assert {row["day"] for row in recorded} <= days
