"""What events do to the runs of a real metadata database."""

import json
import os
import subprocess
import sys
from pathlib import Path

from reporting.entity import Entity
from reporting.orchestration.events import wanted
from reporting.settings import ROOT
from reporting.sources.events import Event


def test_runs_wait_for_the_debounce_and_are_not_doubled(database: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        # Airflow's own lines go where the answer comes from.
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "REPORTING_STATE": str(tmp_path),
        "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("event_runs.py"))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "new": [1, 0, 1],
        "one waits": {"raw_hubspot__contacts__changed": [30]},
        "nothing begins early": [],
        "it begins when it is due": ["raw_hubspot__contacts__changed"],
        "due and not begun counts as waiting": 1,
        "another waits while one runs": [30, 61],
        "a replay changes nothing": [0, 0, 0, 0],
        "runs after it": 2,
        "a full refresh once an hour": [30, 3630, 7830],
        "a deletion asks for a full refresh": 1,
        "what has no DAG here is noted": [1, 1],
        "all or nothing": True,
        "it comes again": 1,
    }


def test_each_dag_is_triggered_once_for_all_events_of_a_request() -> None:
    entities = (
        Entity(source="one", name="rows", description=""),
        Entity(source="one", name="links", description="", has_changed=False),
    )
    notes = [
        ("one", Event("1", "changed", None, None, ("rows", "links"))),
        ("one", Event("2", "changed", None, None, ("rows",))),
        ("one", Event("3", "deleted", None, None, ("rows",), needs_full=True)),
        ("two", Event("4", "changed", None, None, ("rows",))),
    ]
    assert wanted(notes, entities) == [
        ("raw_one__rows__changed", False),
        ("raw_one__links__full", True),
        ("raw_one__rows__full", True),
    ]
