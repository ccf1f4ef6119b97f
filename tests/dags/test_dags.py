"""The DAGs as Airflow's parser finds them, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reporting import own_entities
from reporting.naming import DagId
from reporting.settings import ROOT

HUBSPOT_OBJECTS = (
    "contacts",
    "companies",
    "deals",
    "calls",
    "emails",
    "meetings",
    "notes",
    "tasks",
    "communications",
)
GOOGLE_LISTS = ("contacts", "contact_groups")
EXPECTED = {
    "mart_personal__models__changed",
    "mart_personal__models__full",
    "ops_airflow__canary__ping",
    "ops_airflow__metadata__cleanup",
    "ops_airflow__pauses__lift",
    *(f"raw_hubspot__{name}__changed" for name in HUBSPOT_OBJECTS),
    *(f"raw_hubspot__{name}__full" for name in (*HUBSPOT_OBJECTS, "owners", "pipelines", "associations")),
    *(f"raw_google__{name}__{refresh}" for name in GOOGLE_LISTS for refresh in ("changed", "full")),
    "raw_airflow__runs__changed",
    "raw_google_sheets__ledger__full",
    "raw_sql__time_entries__changed",
    "raw_sql__time_entries__full",
    *(
        f"raw_notion__{each.name}__{refresh}"
        for each in own_entities.NOTION
        for refresh in ("changed", "full")
    ),
    "ops_warehouse__backup__daily",
    "ops_warehouse__problems__alert",
    "ops_warehouse__schema__upgrade",
    "ops_warehouse__sources__freshness",
    "ops_warehouse__tables__profile",
    "report_personal__dashboard__daily",
    "raw_notion__daily_habits__changed",
    "raw_notion__daily_habits__full",
    "raw_notion__habit_targets__full",
    "raw_notion__monthly_habits__changed",
    "raw_notion__monthly_habits__full",
    "raw_notion__weekly_habits__changed",
    "raw_notion__weekly_habits__full",
    "report_marts__export__daily",
    "report_marts__full_csv__daily",
    "report_personal__summary__weekly",
}
PROGRAM = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag(sys.argv[1])
# Airflow itself imports a part of google.cloud as soon as there is an Asset.
heavy = ("google.cloud.bigquery", "notion_client", "hubspot", "dbt", "reporting.warehouse", "reporting.sources.notion", "reporting.sources.hubspot", "reporting.sources.google_contacts", "reporting.sources.google_sheets", "phonenumbers", "reporting.exports", "reporting.problems", "reporting.mail.summary", "reporting.reports.build", "reporting.reports.render", "jinja2", "pyarrow", "duckdb", "airflow.providers.smtp")
imported = [name for name in set(sys.modules) - before if (name + ".").startswith(tuple(h + "." for h in heavy))]
print(json.dumps({
    "errors": bag.import_errors,
    "imported": sorted(imported),
    "dags": {dag.dag_id: {
        "description": dag.description, "doc": dag.doc_md, "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "schedule": getattr(dag.timetable, "expression", None), "tags": sorted(dag.tags),
        "params": {name: dag.params.get_param(name).schema["type"] for name in dag.params},
        "tasks": {task.task_id: {"pool": task.pool, "type": task.task_type, "retries": task.retries} for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""
WINDOWS = """
import json
from reporting.orchestration import dags
said = []
for params in ({}, {"since": None, "until": None}, {"since": "2026-11-01", "until": "2026-11-02"}, {"until": "2026-11-02"}):
    dags.get_current_context = lambda: {"params": params}
    try:
        said.append(str(dags._window()))
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


def parse(tmp_path: Path, folder: Path, **settings: str) -> dict[str, Any]:
    found: dict[str, Any] = run(tmp_path, PROGRAM, str(folder), **settings)
    return found


def run(tmp_path: Path, program: str, *arguments: str, **settings: str) -> Any:
    """What a program prints in an environment like Airflow's own."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "logs"),
        **settings,
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(tmp_path_factory.mktemp("dags"), ROOT / "dags")


def sources(bag: dict[str, Any]) -> dict[str, Any]:
    """The DAGs but that of Airflow's own runs, which are no source: it reads no API, and has no window."""
    return {dag_id: dag for dag_id, dag in bag["dags"].items() if dag_id != "raw_airflow__runs__changed"}


def test_exactly_these_dags_and_no_error(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert set(bag["dags"]) == EXPECTED


def test_every_id_follows_the_grammar() -> None:
    for dag_id in EXPECTED:
        assert str(DagId.parse(dag_id)) == dag_id


def test_parsing_imports_nothing_heavy(bag: dict[str, Any]) -> None:
    assert bag["imported"] == []


def test_every_dag_explains_itself_and_never_overlaps_itself(bag: dict[str, Any]) -> None:
    for dag in bag["dags"].values():
        assert dag["description"]
        assert dag["doc"]
        assert dag["tags"]
        assert dag["max_active_runs"] == 1
        assert not dag["catchup"]


def test_one_reader_a_source_and_one_dbt_at_a_time(bag: dict[str, Any]) -> None:
    for dag_id, dag in sources(bag).items():
        if dag_id.startswith("raw_"):
            assert (
                dag["tasks"]["extract"]["pool"] == dag["tags"][0]
                or dag["tasks"]["extract"]["pool"] in dag["tags"]
            )
        if dag_id.startswith("mart_"):
            assert set(dag["tasks"]) == {"staging", "marts"}
            assert {task["pool"] for task in dag["tasks"].values()} == {"dbt"}


def test_only_what_was_changed_has_windows(bag: dict[str, Any]) -> None:
    text, share = ["null", "string"], ["null", "number"]
    for dag_id, dag in sources(bag).items():
        if dag_id.startswith("raw_"):
            expected = (
                {"since": text, "until": text} if dag_id.endswith("__changed") else {"tombstone_share": share}
            )
            assert dag["params"] == expected


def test_a_window_that_is_none_fails_at_once(tmp_path: Path) -> None:
    said = run(tmp_path, WINDOWS, PYTHONPATH=str(ROOT / "plugins"), REPORTING_TIMEZONE="Europe/Berlin")
    assert said[:2] == ["None", "None"]
    assert "2026, 10, 31, 23, 0" in said[2]
    assert said[3].startswith("AirflowFailException: until is '2026-11-02' and since is empty.")


def test_the_schedules_are_settings(bag: dict[str, Any], tmp_path: Path) -> None:
    assert bag["dags"]["raw_notion__daily_habits__changed"]["schedule"] == "7 * * * *"
    assert bag["dags"]["raw_notion__daily_habits__full"]["schedule"] == "17 3 * * *"
    assert bag["dags"]["ops_warehouse__schema__upgrade"]["schedule"] is None
    assert bag["dags"]["report_personal__summary__weekly"]["schedule"] == "13 6 * * 1"
    other = parse(
        tmp_path, ROOT / "dags", REPORTING_SCHEDULE_CHANGED="*/5 * * * *", REPORTING_SCHEDULE_FULL="none"
    )
    assert other["dags"]["raw_notion__daily_habits__changed"]["schedule"] == "*/5 * * * *"
    assert other["dags"]["raw_notion__daily_habits__full"]["schedule"] is None
    # What can only be swept is swept as often as the others are read, unless it seldom changes.
    assert other["dags"]["raw_notion__habit_targets__full"]["schedule"] == "*/5 * * * *"
    assert other["dags"]["raw_hubspot__associations__full"]["schedule"] == "*/5 * * * *"
    assert other["dags"]["raw_hubspot__owners__full"]["schedule"] is None


def test_a_broken_file_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "broken.py").write_text("# airflow dag\nimport nothing_of_this_name\n")
    assert parse(tmp_path, tmp_path / "dags")["errors"]
