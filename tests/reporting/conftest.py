"""A warehouse that more than one file of tests uses, since making one takes a while."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.monitoring.history import AIRFLOW
from reporting.settings import ROOT, Settings
from tests.support.habit_syncs import Syncs


@pytest.fixture
def habits(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Syncs:
    """Syncs that begin with empty tables."""
    syncs = Syncs(*shared_warehouse, tmp_path / "landing")
    syncs.empty()
    return syncs


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata database as Airflow makes it. To be copied."""
    folder = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
    }
    subprocess.run([AIRFLOW, "db", "migrate"], env=environment, capture_output=True, check=True, timeout=600)
    return folder / "airflow.db"


@pytest.fixture(scope="module")
def database(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata database of a file's own."""
    return Path(shutil.copy(migrated_database, tmp_path_factory.mktemp("airflow")))
