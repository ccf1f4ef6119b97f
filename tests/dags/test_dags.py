"""The DAGs as Airflow's parser finds them, in a process of its own."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reporting import own_entities
from reporting.ingest.checkpoints import LIFETIME
from reporting.naming import DagId
from reporting.settings import ROOT
from reporting.sources.registry import ENTITIES, OWN

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
    "tickets",
    "products",
    "line_items",
)
HUBSPOT_LISTS = (
    *("owners", "pipelines", "associations", "property_history"),
    *("lists", "list_memberships"),
)
GOOGLE_LISTS = ("contacts", "contact_groups")
EXPECTED = {
    "mart_personal__models__changed",
    "mart_personal__models__full",
    "ops_airflow__canary__ping",
    "ops_airflow__metadata__cleanup",
    "ops_airflow__pauses__lift",
    *(f"raw_hubspot__{name}__changed" for name in (*HUBSPOT_OBJECTS, "property_history")),
    *(f"raw_hubspot__{name}__full" for name in (*HUBSPOT_OBJECTS, *HUBSPOT_LISTS)),
    *(f"raw_google__{name}__{refresh}" for name in GOOGLE_LISTS for refresh in ("changed", "full")),
    "raw_airflow__runs__changed",
    "raw_google_calendar__calendars__full",
    "raw_google_calendar__events__changed",
    "raw_google_calendar__events__full",
    "raw_google_sheets__ledger__full",
    "raw_sql__time_entries__changed",
    "raw_sql__time_entries__full",
    *(
        f"raw_notion__{each.name}__{refresh}"
        for each in own_entities.NOTION
        for refresh in ("changed", "full")
    ),
    # The packages of the owner's own.
    *(
        f"raw_{each.source}__{each.name}__{refresh}"
        for each in ENTITIES
        if each.table in OWN
        for refresh in (("changed", "full") if each.has_changed else ("full",))
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
heavy = ("google.cloud.bigquery", "notion_client", "hubspot", "dbt", "reporting.warehouse", "reporting.sources.notion.reader", "reporting.sources.notion.client", "reporting.sources.hubspot.api", "reporting.sources.google_api", "reporting.sources.sql.reader", "phonenumbers", "reporting.exports", "reporting.monitoring.checks", "reporting.monitoring.record", "reporting.mail.summary", "reporting.reports.build", "reporting.reports.render", "jinja2", "pyarrow", "duckdb", "airflow.providers.smtp")
imported = [name for name in set(sys.modules) - before if (name + ".").startswith(tuple(h + "." for h in heavy))]
print(json.dumps({
    "errors": bag.import_errors,
    "imported": sorted(imported),
    "dags": {dag.dag_id: {
        "description": dag.description, "doc": dag.doc_md, "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "schedule": getattr(dag.timetable, "expression", None), "tags": sorted(dag.tags),
        "condition": type(getattr(dag.timetable, "asset_condition", None)).__name__, "assets": sorted(each.name for each in getattr(getattr(dag.timetable, "asset_condition", None), "objects", ())),
        "params": {name: dag.params.get_param(name).schema["type"] for name in dag.params},
        "schemas": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {task.task_id: {"pool": task.pool, "type": task.task_type, "retries": task.retries, "seconds": task.execution_timeout and task.execution_timeout.total_seconds(), "shown": {name: getattr(task, name) for name in task.template_fields if name == "bash_command"}} for task in dag.tasks},
    } for dag in bag.dags.values()},
}))
"""
WINDOWS = """
import json
from reporting.orchestration.dags import raw as dags
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
        timeout=600,
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


def test_what_dbt_runs_can_be_read_and_copied_and_shows_no_secret(tmp_path: Path) -> None:
    found = parse(
        tmp_path,
        ROOT / "dags",
        BIGQUERY_EMULATOR_TOKEN="hush-hush-hush",
        BIGQUERY_EMULATOR_HOST="http://127.0.0.1:1",
    )
    shown = {
        (dag_id, task_id): task["shown"]["bash_command"]
        for dag_id, dag in found["dags"].items()
        for task_id, task in dag["tasks"].items()
        if task["pool"] == "dbt"
    }
    assert len(shown) == 5
    for (dag_id, task_id), command in shown.items():
        words = shlex.split(command, comments=True)
        assert words[0] == str(ROOT / ".venv" / "dbt" / "bin" / "dbt")
        assert words[1] == ("source" if task_id == "freshness" else "build")
        assert ("# when it runs" in command) is (not dag_id.endswith("__full"))
        assert "hush" not in command
    assert "--select tag:staging" in shown["mart_personal__models__full", "staging"]


def test_a_parameter_that_leads_elsewhere_is_refused(bag: dict[str, Any]) -> None:
    patterns = {
        name: schema.get("pattern") or schema.get("items", {}).get("pattern")
        for dag in bag["dags"].values()
        for name, schema in dag["schemas"].items()
        if "array" in schema["type"] or ("string" in schema["type"] and "enum" not in schema)
    }
    assert set(patterns) == {"dag_ids", "marts", "revision", "since", "until"}
    for name, good in {
        "dag_ids": ["raw_notion__daily_habits__full", "a.b-c"],
        "marts": ["daily_habits"],
        "revision": ["0019", "own_0001", "head", "base"],
        "since": ["2026-11-01", "2026-11-01T10:00:00.5+01:00", "2026-11-01 10:00", "20261101T100000Z", ""],
    }.items():
        for value in good:
            assert re.search(patterns[name], value), (name, value)
    for pattern in patterns.values():
        for value in ("../x", "a/../../..", "/etc", "a b/c", "x\\0y", "a,b", "$(x)", "`x`", "; x", "x" * 300):
            assert not re.search(pattern, value), (pattern, value)


def test_any_source_that_was_loaded_has_the_marts_built(bag: dict[str, Any]) -> None:
    """One that fails has no event, and no other waits for it."""
    build = bag["dags"]["mart_personal__models__changed"]
    assert build["condition"] == "AssetAny"
    assert build["assets"] == sorted(f"raw.{entity.table}" for entity in ENTITIES)


def test_no_task_keeps_its_slot_for_ever(bag: dict[str, Any]) -> None:
    found = {
        f"{dag_id}.{task_id}": task["seconds"]
        for dag_id, dag in bag["dags"].items()
        for task_id, task in dag["tasks"].items()
    }
    assert [name for name, seconds in found.items() if not seconds] == []
    hours = {name: seconds / 3600 for name, seconds in found.items()}
    assert {each for name, each in hours.items() if name.endswith(".extract")} == {12}
    assert hours["raw_notion__daily_habits__full.load"] == 3
    assert {
        each for name, each in hours.items() if name.startswith("mart_") or name.endswith(".freshness")
    } == {2}
    assert max(each for name, each in hours.items() if not name.endswith(".extract")) <= 3


def test_a_read_that_was_ended_at_its_limit_is_tried_again_before_its_checkpoint_is_too_old(
    bag: dict[str, Any],
) -> None:
    for dag in sources(bag).values():
        if "extract" in dag["tasks"]:
            assert dag["tasks"]["extract"]["retries"] > 0
            # At most an hour passes before the retry.
            assert dag["tasks"]["extract"]["seconds"] + 3600 < LIFETIME.total_seconds()


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
    # What can only be fully refreshed is fully refreshed as often as the others are read, unless it seldom changes.
    assert other["dags"]["raw_notion__habit_targets__full"]["schedule"] == "*/5 * * * *"
    assert other["dags"]["raw_hubspot__associations__full"]["schedule"] == "*/5 * * * *"
    assert other["dags"]["raw_hubspot__owners__full"]["schedule"] is None


def test_a_wrong_value_of_another_part_stops_no_dag_from_being_parsed(tmp_path: Path) -> None:
    found = parse(
        tmp_path,
        ROOT / "dags",
        REPORTING_SUMMARY_EMAIL="nobody",
        REPORTING_MAIL_MEGABYTES="0",
        REPORTING_EXPORT_FORMAT="xlsx",
        REPORTING_BACKUP_DAYS="never",
        REPORTING_ALERT_WEBHOOK="nowhere",
        REPORTING_ENTRA_EXPIRES_ON="soon",
    )
    assert found["errors"] == {}
    assert set(found["dags"]) == EXPECTED


def test_a_broken_file_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "broken.py").write_text("# airflow dag\nimport nothing_of_this_name\n")
    assert parse(tmp_path, tmp_path / "dags")["errors"]
