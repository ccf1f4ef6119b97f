"""What more than one test needs."""

import fcntl
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from google.cloud import bigquery
from xdist.scheduler import LoadFileScheduling

from reporting.local.bigquery import LocalBigQuery, running
from reporting.settings import EMULATOR_TOKEN, Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect

# How long one example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# How the datasets of the warehouse begin that every local BigQuery of the tests has.
PREFIX = "shared_"


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the convergence test makes up, and which warehouse is used."""
    parser.addoption("--histories", type=int, default=4, help="how many beside the stored ones")
    parser.addoption("--histories-seed", type=int, default=1, help="other histories")
    parser.addoption(
        "--dataset-prefix", help="histories use the warehouse of the environment, with datasets of that name"
    )
    parser.addoption(
        "--bigquery",
        metavar="ADDRESS",
        help=f"a local BigQuery that runs already; {EMULATOR_TOKEN} holds its token",
    )
    parser.addoption("--histories-shrunk", action="store_true", help="make a history that fails shorter")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the histories were made of."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == "figures" and report.when == "call":
                source, seed, figures = value
                said = ", ".join(f"{key} {count}" for key, count in sorted(figures.items()))
                terminalreporter.write_line(f"{source}, seed {seed}: {said}")


# Each of these starts a whole Airflow, or more than one: a group's files follow one another in one process, since several
# at a time make two cores so slow that nothing comes up.
GROUPS = ("tests/end_to_end/", "tests/production/")
# What takes longest comes first, a group as a whole, so that none is left at the end for one process alone.
LONGEST = (
    "tests/end_to_end/test_demo.py",
    "tests/end_to_end/",
    "tests/production/",
    "tests/convergence/test_histories.py",
    "tests/dbt/test_hubspot.py",
    "tests/convergence/test_kills.py",
    "tests/dbt/",
    "tests/people/test_marts.py",
    "tests/reporting/privacy/test_purge.py",
    "tests/reporting/backup/",
    "tests/migrations/",
    "tests/reporting/sources/test_google_loading.py",
    "tests/reporting/sources/test_hubspot_loading.py",
    "tests/people/",
    "tests/reports/",
)


def migrate(environment: dict[str, str]) -> None:
    """Bring the warehouse that `environment` leads to to the newest revision."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        schema.upgrade(connect(read_settings()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""

    def place(item: pytest.Item) -> int:
        for number, beginning in enumerate(LONGEST):
            if item.nodeid.startswith(beginning):
                return number
        return len(LONGEST)

    items.sort(key=place)


class GroupScheduling(LoadFileScheduling):
    """Gives a process a file at a time, or a whole group of `GROUPS`."""

    def _split_scope(self, nodeid: str) -> str:
        return next((each for each in GROUPS if nodeid.startswith(each)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """How `--dist loadfile` deals out the files."""
    return GroupScheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A local BigQuery's folder with a warehouse at the newest revision, whose datasets begin with `PREFIX`. To be copied.

    The first process that asks for it makes it for all processes of the run.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "migrated"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = tmp_path_factory.mktemp("migrated")
            with running(made, threads=1) as local:
                migrate({**local.variables, "REPORTING_DATASET_PREFIX": PREFIX})
            made.rename(folder)
    return folder


@pytest.fixture(scope="module")
def bigquery_endpoint(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[LocalBigQuery]:
    """A local BigQuery of the file's own, with a migrated warehouse: it becomes slower with every statement."""
    if given := request.config.getoption("--bigquery"):
        local = LocalBigQuery(given, os.environ[EMULATOR_TOKEN])
        migrate({**local.variables, "REPORTING_DATASET_PREFIX": PREFIX})
        yield local
        return
    folder = tmp_path_factory.mktemp("bigquery")
    shutil.copytree(request.getfixturevalue("migrated_folder"), folder, dirs_exist_ok=True)
    with running(folder, threads=1) as local:
        yield local


@pytest.fixture(scope="module")
def shared_environment(
    bigquery_endpoint: LocalBigQuery, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What leads to a file's migrated warehouse, and to a state folder of its own."""
    return {
        **bigquery_endpoint.variables,
        "REPORTING_DATASET_PREFIX": PREFIX,
        "REPORTING_STATE": str(tmp_path_factory.mktemp("shared")),
    }


@pytest.fixture(scope="module")
def shared_warehouse(shared_environment: dict[str, str]) -> tuple[bigquery.Client, Settings]:
    """A warehouse at the newest revision that a file's tests share, and the settings that lead there."""
    settings = read_settings(shared_environment)
    return connect(settings), settings


@pytest.fixture(scope="module")
def current_warehouse(
    shared_environment: dict[str, str], shared_warehouse: tuple[bigquery.Client, Settings]
) -> Iterator[tuple[bigquery.Client, Settings]]:
    """The shared warehouse, while the environment leads there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_environment.items():
            patch.setenv(name, value)
        yield shared_warehouse


@pytest.fixture
def settings(bigquery_endpoint: LocalBigQuery, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with datasets and a state folder of the test's own."""
    prefix = f"t{zlib.crc32(request.node.nodeid.encode())}_"
    return read_settings(
        {
            **bigquery_endpoint.variables,
            "REPORTING_DATASET_PREFIX": prefix,
            "REPORTING_STATE": str(tmp_path / "state"),
        }
    )
