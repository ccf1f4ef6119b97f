"""A warehouse that more than one file of tests uses, since making one takes a while."""

import os
import subprocess
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.history import AIRFLOW
from reporting.settings import ROOT, Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from tests.habit_rounds import Rounds


@pytest.fixture(scope="module")
def shared_warehouse(
    bigquery_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[bigquery.Client, Settings]:
    """A warehouse at the newest revision, and the settings that lead there."""
    environment = {
        "BIGQUERY_EMULATOR_HOST": bigquery_endpoint,
        "REPORTING_DATASET_PREFIX": "shared_",
        "REPORTING_STATE": str(tmp_path_factory.mktemp("shared")),
    }
    settings = read_settings(environment)
    client = connect(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        schema.upgrade(client)
    return client, settings


@pytest.fixture
def habits(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Rounds:
    """Rounds that begin with empty tables."""
    rounds = Rounds(*shared_warehouse, tmp_path / "landing")
    rounds.empty()
    return rounds


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata database as Airflow makes it."""
    folder = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, capture_output=True, check=True, timeout=200)
    return folder / "airflow.db"
