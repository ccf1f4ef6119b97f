"""A warehouse that more than one file of tests uses, since making one takes a while."""

import os
import subprocess
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.history import AIRFLOW
from reporting.settings import ROOT, Settings
from tests.habit_rounds import Rounds


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
