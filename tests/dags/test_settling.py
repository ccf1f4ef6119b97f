"""A build waits until the sync that caused it has had time to end, without holding a slot meanwhile."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reporting.settings import ROOT

PROGRAM = """
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from airflow.sdk.exceptions import AirflowRescheduleException
from reporting.orchestration.dbt import DbtBuild
begun = datetime.now(UTC) - timedelta(seconds=float(sys.argv[2]))
build = DbtBuild(layer="staging", refresh=sys.argv[1])
try:
    build.execute({"dag_run": SimpleNamespace(start_date=begun)})
except AirflowRescheduleException as later:
    print(f"again after {(later.reschedule_date - begun).total_seconds():.0f} s")
except Exception as error:
    print(f"went on: {type(error).__name__}")
"""


@pytest.mark.parametrize(
    ("refresh", "age", "expected"),
    [("changed", 5, "again after 60 s"), ("changed", 70, "went on"), ("full", 5, "went on")],
)
def test_a_build_comes_again_when_the_sync_is_over(
    tmp_path: Path, refresh: str, age: int, expected: str
) -> None:
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        "PYTHONPATH": str(ROOT / "plugins"),
        "REPORTING_SETTLE_SECONDS": "60",
        # What it goes on to is no warehouse.
        "BIGQUERY_EMULATOR_HOST": "no address",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, refresh, str(age)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert expected in done.stdout.splitlines()[-1]
