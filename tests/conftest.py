"""What more than one test needs."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reporting.settings import Settings, read_settings
from sandbox.bigquery.server import running


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the convergence test makes up, and which warehouse is used."""
    parser.addoption("--histories", type=int, default=24, help="how many beside the stored ones")
    parser.addoption("--histories-seed", type=int, default=1, help="other histories")
    parser.addoption(
        "--dataset-prefix", help="histories use the warehouse of the environment, with datasets of that name"
    )
    parser.addoption("--bigquery", metavar="ADDRESS", help="a local BigQuery that runs already")
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


# The longest files, in an order in which those that wait stand beside those that compute.
LONG_FILES = (
    "convergence/test_histories.py",
    "end_to_end/test_demo.py",
    "dbt/test_hubspot.py",
    "end_to_end/test_serving.py",
    "end_to_end/test_rounds.py",
    "end_to_end/test_crashes.py",
    "convergence/test_kills.py",
    "dbt/test_build.py",
    "reporting/test_purge.py",
    "warehouse/test_backup.py",
    "people/test_marts.py",
    "production/test_start.py",
    "production/test_sign_in.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that none is left at the end for one process alone."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(places)))


@pytest.fixture(scope="module")
def bigquery_endpoint(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of a local BigQuery of the file's own: it becomes slower with every statement."""
    if given := request.config.getoption("--bigquery"):
        yield given
        return
    with running(tmp_path_factory.mktemp("bigquery"), threads=1) as address:
        yield address


@pytest.fixture
def settings(bigquery_endpoint: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with datasets and a state folder of the test's own."""
    prefix = f"t{zlib.crc32(request.node.nodeid.encode())}_"
    return read_settings(
        {
            "BIGQUERY_EMULATOR_HOST": bigquery_endpoint,
            "REPORTING_DATASET_PREFIX": prefix,
            "REPORTING_STATE": str(tmp_path / "state"),
        }
    )
