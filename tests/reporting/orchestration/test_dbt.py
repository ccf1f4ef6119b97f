"""What dbt said is kept, of a build that failed as well, and never at the price of the build."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from google.api_core.exceptions import ServiceUnavailable
from google.cloud import bigquery

from reporting import dbt
from reporting.orchestration.dbt import DbtBuild
from reporting.settings import Settings
from reporting.warehouse import records

NODE = "model.reporting.habits"


class Build(DbtBuild):
    """A build whose dbt writes one result, and then ends as it is told to."""

    invocation_id = "i"
    error: Exception | None = None
    written: str | None = None

    def _run(self, context: Any, settings: Settings, command: list[str], failed: Any) -> None:
        dbt.forget_results(settings)
        folder = dbt.target_folder(settings)
        folder.mkdir(parents=True, exist_ok=True)
        result = {"unique_id": NODE, "status": "error" if self.error else "success", "execution_time": 1.5}
        found = {
            "metadata": {"invocation_id": self.invocation_id, "generated_at": "2026-06-30T01:02:03Z"},
            "results": [result],
        }
        (folder / "run_results.json").write_text(self.written or json.dumps(found))
        if self.error:
            raise self.error


@pytest.fixture
def client(
    shared_warehouse: tuple[bigquery.Client, Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> bigquery.Client:
    made, settings = shared_warehouse
    for name, value in settings.emulator_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REPORTING_DATASET_PREFIX", settings.dataset_prefix)
    monkeypatch.setenv("REPORTING_STATE", str(tmp_path))
    made.query(f"DELETE FROM {settings.dataset('ops')}.dbt_results WHERE TRUE").result()
    return made


def build(**values: Any) -> dict[str, Any]:
    """Run the first step of a build of everything, and return the plan that it left."""
    task = Build(layer="staging", refresh="full")
    for name, value in values.items():
        setattr(task, name, value)
    kept: dict[str, Any] = {}
    task.execute({"ti": SimpleNamespace(xcom_push=lambda key, value: kept.update(value)), "params": {}})  # type: ignore[typeddict-item]  # all that it asks for
    return kept


def rows(client: bigquery.Client) -> list[dict[str, Any]]:
    return [dict(row) for row in client.query("SELECT * FROM shared_ops.dbt_results").result()]


def test_a_good_build_leaves_a_row_a_node(client: bigquery.Client) -> None:
    plan = build(invocation_id="good")
    [row] = rows(client)
    assert (row["build_id"], row["refresh"], row["layer"]) == (plan["build_id"], "full", "staging")
    assert (row["node_id"], row["kind"], row["name"]) == (NODE, "model", "habits")
    assert (row["status"], row["duration_seconds"], row["bytes_billed"]) == ("success", 1.5, None)


def test_a_build_that_failed_leaves_its_rows_and_fails(client: bigquery.Client) -> None:
    with pytest.raises(AirflowException, match="dbt failed"):
        build(invocation_id="bad", error=AirflowException("dbt failed: model habits"))
    assert [row["status"] for row in rows(client)] == ["error"]


def test_results_that_cannot_be_kept_fail_no_build(
    client: bigquery.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ServiceUnavailable("hidden")

    build(invocation_id="half", written='{"metadata": {')
    monkeypatch.setattr(records, "append", refuse)
    build(invocation_id="refused")
    assert rows(client) == []
