"""What dbt said is kept, of a build that failed as well, and never at the price of the build."""

import json
import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout
from google.api_core.exceptions import ServiceUnavailable
from google.cloud import bigquery

from reporting.monitoring import records
from reporting.orchestration.dbt import DbtBuild, DbtTask
from reporting.settings import Settings, read_settings
from reporting.transform import dbt

NODE = "model.reporting.habits"


class Build(DbtBuild):
    """A build whose dbt writes one result, and then ends as it is told to."""

    invocation_id = "i"
    error: Exception | None = None
    written: str | None = None

    def _run(self, context: Any, settings: Settings, command: list[str], failed: Any) -> None:
        dbt.prepare(settings)
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
    made.query_and_wait(f"DELETE FROM {settings.dataset('ops')}.dbt_results WHERE TRUE")
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
    return [dict(row) for row in client.query_and_wait("SELECT * FROM shared_ops.dbt_results")]


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


@pytest.mark.parametrize("listens", [True, False], ids=["one that listens", "one that does not"])
def test_a_dbt_whose_time_is_up_ends_with_what_it_has_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listens: bool
) -> None:
    """Nothing of it goes on beside the next attempt, or writes results while they are read."""
    monkeypatch.setattr("reporting.orchestration.dbt.ENDING_SECONDS", 0.2)
    settings = read_settings(
        {"REPORTING_STATE": str(tmp_path), "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}
    )
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    trap = "" if listens else "trap '' TERM; "
    command = ["bash", "-c", f"{trap}sleep 300 & echo $$ $! >{pids}; wait"]
    started: list[int] = []

    def end_the_time(*_: object) -> None:
        raise AirflowTaskTimeout("Timeout")

    def await_it() -> None:
        started.extend(map(int, pids.read_text().split()))
        # The process writes before whoever starts it has heard that it is there.
        while task.subprocess_hook.sub_process is None:
            pause.wait(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)

    task = DbtTask(command="dbt", task_id="staging")
    pause = threading.Event()
    before = signal.signal(signal.SIGUSR1, end_the_time)
    watch = threading.Thread(target=await_it)
    watch.start()
    try:
        with pytest.raises(AirflowTaskTimeout):
            task._run({}, settings, command, lambda _: [])
    finally:
        signal.signal(signal.SIGUSR1, before)
        watch.join()
    assert len(started) == 2
    # A signal that was sent ends a process only when it runs next.
    for _ in range(3000):
        if not any(is_running(pid) for pid in started):
            break
        pause.wait(0.01)
    assert not any(is_running(pid) for pid in started)
    # Airflow's own call after it.
    task.on_kill()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
