"""The demo and the round as their users run them: real Airflow, real dbt, the local BigQuery, the stand-in."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from google.cloud import bigquery

from reporting.commands.airflow_api import ENDED, AirflowApi
from reporting.commands.rounds import MART_CHANGED
from reporting.entities import ENTITIES
from reporting.settings import ROOT, read_settings
from reporting.warehouse.client import connect
from sandbox.bigquery.server import running as bigquery_running
from sandbox.serving import free_port, stand_in
from tests.hubspot_portal import portal

pytestmark = pytest.mark.timeout(900)
DAILY = "Daily Disciplines"
HEADERS = {"Authorization": "Bearer ntn_any", "Notion-Version": "2025-09-03"}


class Demo:
    """`script/demo --once` on a folder and ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ("--port", "--bigquery-port", "--notion-port", "--hubspot-port")
        self.ports = {name: free_port() for name in names}

    def command(self, *arguments: str) -> list[str]:
        ports = [str(each) for pair in self.ports.items() for each in pair]
        return [str(ROOT / "script" / "demo"), "--data", str(self.folder), *ports, *arguments]

    def run(self) -> str:
        done = subprocess.run(
            self.command("--once"), capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.open_ports() == []
        return done.stdout

    def open_ports(self) -> list[str]:
        found = []
        for name, port in self.ports.items():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(name)
        return found


def rows(client: bigquery.Client, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in client.query(sql).result()]


def ledger_since(folder: Path, since: datetime) -> dict[str, tuple[int, ...]]:
    """Rows read, inserted, updated and tombstoned by entity, from the demo's own warehouse."""
    with bigquery_running(folder / "bigquery") as endpoint:
        client = connect(read_settings({"BIGQUERY_EMULATOR_HOST": endpoint}))
        found = rows(
            client,
            "SELECT CONCAT(source, '.', entity) AS name, SUM(rows_read), SUM(rows_inserted), SUM(rows_updated), SUM(rows_tombstoned) "
            f"FROM ops.sync_runs WHERE committed_at >= '{since.isoformat()}' GROUP BY name",
        )
    return {entity: tuple(counts) for entity, *counts in found}


def change_the_crm(folder: Path) -> str:
    """One create, one edit and one merge among the contacts; the id of the loser."""
    with portal(folder / "hubspot") as crm:
        edited, winner, loser = list(crm.truth("contacts"))[:3]
        crm.create("contacts", email="new@example.com")
        crm.change("contacts", edited, city="Elsewhere")
        crm.merge("contacts", winner, loser)
        return loser


def change_three_pages(folder: Path) -> str:
    """One create, one edit, one trash among the daily habits; the id of the one in the trash."""
    with (
        stand_in("notion", folder / "notion") as address,
        httpx.Client(base_url=address, headers=HEADERS) as http,
    ):
        state = http.get("/_control/state").json()
        key = next(each["id"] for each in state["data_sources"] if each["name"] == DAILY)
        first, second = http.post(f"/v1/data_sources/{key}/query", json={"page_size": 2}).json()["results"]
        name = {"title": [{"text": {"content": "another"}}]}
        parent = {"type": "data_source_id", "data_source_id": key}
        date = {"date": {"start": state["parameters"]["today"]}}
        for answer in (
            http.post("/v1/pages", json={"parent": parent, "properties": {"Name": name, "Date": date}}),
            http.patch(f"/v1/pages/{first['id']}", json={"properties": {"Name": name}}),
            http.patch(f"/v1/pages/{second['id']}", json={"in_trash": True}),
        ):
            answer.raise_for_status()
        return str(second["id"])


def test_demo_again_from_an_empty_metadata_database_and_after_three_changes(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    said = demo.run()
    assert "notion.daily_habits" in said
    assert "Meditate" in said
    first = ledger_since(demo.folder, datetime(2000, 1, 1, tzinfo=UTC))
    assert set(first) == {f"{entity.source}.{entity.name}" for entity in ENTITIES}
    assert all(read == inserted > 0 for read, inserted, _, _ in first.values())

    (demo.folder / "airflow.db").unlink()
    since = datetime.now(UTC)
    demo.run()
    again = ledger_since(demo.folder, since)
    assert again == {entity: (counts[0], 0, 0, 0) for entity, counts in first.items()}

    trashed = change_three_pages(demo.folder)
    loser = change_the_crm(demo.folder)
    since = datetime.now(UTC)
    demo.run()
    changed = ledger_since(demo.folder, since)
    assert changed.pop("notion.daily_habits")[1:] == (1, 1, 1)
    # The winner of a merge is edited by it.
    assert changed.pop("hubspot.contacts")[1:] == (1, 2, 1)
    # The loser's associations are the winner's now.
    assert changed.pop("hubspot.associations")[1] >= 1
    assert all(counts[1:] == (0, 0, 0) for counts in changed.values())

    with bigquery_running(demo.folder / "bigquery") as endpoint:
        client = connect(read_settings({"BIGQUERY_EMULATOR_HOST": endpoint}))
        assert rows(
            client, f"SELECT _deleted_reason FROM raw.notion__daily_habits WHERE id = '{trashed}'"
        ) == [("trashed",)]
        assert rows(client, f"SELECT _deleted_reason FROM raw.hubspot__contacts WHERE id = '{loser}'") == [
            ("merged",)
        ]
        # Every change has reached the marts.
        pending = (
            "SELECT COUNT(*) FROM ops.sync_runs WHERE rows_inserted + rows_updated + rows_tombstoned > 0 "
            "AND run_id NOT IN (SELECT run_id FROM ops.dbt_builds, UNNEST(run_ids) AS run_id)"
        )
        assert rows(client, pending) == [(0,)]
    assert secrets_in_logs(demo.folder, "ntn_sample") == secrets_in_logs(demo.folder, "pat-sample") == []


def secrets_in_logs(folder: Path, secret: str) -> list[Path]:
    logs = [
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix == ".log" or "logs" in path.parts)
    ]
    assert len(logs) > 10
    return [path for path in logs if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_demo_that_is_ended_half_way_leaves_nothing_running(tmp_path: Path, number: int, code: int) -> None:
    demo = Demo(tmp_path / "state")
    process = subprocess.Popen(demo.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    family: list[psutil.Process] = []
    for line in process.stdout:
        if "The scheduler runs" in line:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            break
    rest = process.stdout.read()
    assert process.wait(120) == code
    assert "Traceback" not in rest
    assert len(family) >= 5
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    assert demo.open_ports() == []


def test_a_served_demo_runs_what_is_triggered(tmp_path: Path) -> None:
    """A change in the source reaches the mart by an event; the DAGs that only run by hand or daily succeed."""
    demo = Demo(tmp_path / "state")
    process = subprocess.Popen(demo.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Serving until Ctrl-C" in line:
                break
        address = f"http://127.0.0.1:{demo.ports['--port']}"
        password = said.partition("password ")[2].split()[0]
        login = httpx.post(f"{address}/auth/token", json={"username": "admin", "password": password})
        api = AirflowApi(address, login.json()["access_token"])
        for dag_id in (
            "ops_warehouse__schema__upgrade",
            "ops_warehouse__sources__freshness",
            "mart_personal__models__full",
        ):
            assert ended(api, dag_id, api.trigger(dag_id)) == "success"

        since = datetime.now(UTC)
        http = httpx.Client(base_url=f"http://127.0.0.1:{demo.ports['--notion-port']}", headers=HEADERS)
        state = http.get("/_control/state").json()
        key = next(each["id"] for each in state["data_sources"] if each["name"] == DAILY)
        (page,) = http.post(f"/v1/data_sources/{key}/query", json={"page_size": 1}).json()["results"]
        http.patch(
            f"/v1/pages/{page['id']}", json={"properties": {"Water": {"number": 77}}}
        ).raise_for_status()
        dag_id = "raw_notion__daily_habits__changed"
        assert ended(api, dag_id, api.trigger(dag_id)) == "success"
        made = await_run(api, MART_CHANGED, since)
        assert ended(api, MART_CHANGED, made) == "success"
        client = connect(
            read_settings({"BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{demo.ports['--bigquery-port']}"})
        )
        assert rows(client, "SELECT COUNT(*) FROM marts.habits WHERE habit = 'Water' AND amount = 77") == [
            (1,)
        ]

        # Nothing is new: no event, and so no build.
        since = datetime.now(UTC)
        assert ended(api, dag_id, api.trigger(dag_id)) == "success"
        assert {task.state for task in api.tasks(dag_id, api.runs(dag_id, since)[0]["dag_run_id"])} == {
            "success"
        }
        assert api.runs(MART_CHANGED, since) == []
        assert httpx.get(f"{address}/api/v2/dags").status_code == 401
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130
    assert demo.open_ports() == []


def ended(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """The state in which a run ends."""
    pause = threading.Event()
    for _ in range(600):
        if (state := api.state(dag_id, run_id)) in ENDED:
            return state
        pause.wait(0.3)
    raise AssertionError(f"{dag_id} has not ended: {api.tasks(dag_id, run_id)}")


def await_run(api: AirflowApi, dag_id: str, since: datetime) -> str:
    """The run that an event made."""
    pause = threading.Event()
    for _ in range(100):
        if made := api.runs(dag_id, since):
            return str(made[0]["dag_run_id"])
        pause.wait(0.3)
    raise AssertionError(f"no run of {dag_id} was made")


def test_a_port_in_use_is_a_plain_sentence(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.ports["--bigquery-port"]))
        taken.listen()
        done = subprocess.run(
            demo.command("--once"), capture_output=True, text=True, check=False, timeout=120
        )
    assert done.returncode == 1
    assert f"port {demo.ports['--bigquery-port']}, for the local BigQuery, cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert demo.open_ports() == []


def test_connect_doctor_and_rounds_from_an_empty_folder_each(tmp_path: Path, bigquery_endpoint: str) -> None:
    """One's own data: what script/connect stored is what the rounds read; the warehouse is what stays."""
    config = tmp_path / "config" / "environment"
    with stand_in("notion", tmp_path / "notion", None, "--days", "40", "--token", "ntn_own") as address:
        environment = os.environ | {
            "REPORTING_CONFIG": str(config),
            "REPORTING_NOTION_HOST": address,
            "BIGQUERY_EMULATOR_HOST": bigquery_endpoint,
            "REPORTING_DATASET_PREFIX": "own_",
            "REPORTING_LANDING_URI": str(tmp_path / "landing"),
        }

        def run(name: str, *arguments: str, answers: str = "") -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [ROOT / "script" / name, *arguments],
                env=environment,
                input=answers,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
                # Without a terminal the token is read from the input.
                start_new_session=True,
            )

        refused = run("connect", "notion", answers="ntn_wrong\n")
        assert refused.returncode == 1
        assert "Notion refused the token" in refused.stderr
        assert not config.exists()
        assert run("doctor").returncode == 1

        done = run("connect", "notion", answers="ntn_own\n\n\nnone\n\nEurope/Berlin\n")
        assert done.returncode == 0, done.stdout + done.stderr
        assert config.stat().st_mode & 0o777 == 0o600
        assert "ntn_own" not in done.stdout + done.stderr
        doctor = run("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        assert "notion__monthly_habits: is switched off" in doctor.stdout

        results = []
        for number in range(2):
            state = tmp_path / f"state{number}"
            done = run("round", "--data", str(state), "--port", str(free_port()))
            assert done.returncode == 0, done.stdout + done.stderr
            assert "ntn_own" not in done.stdout + done.stderr
            client = connect(read_settings(environment))
            builds = rows(client, "SELECT COUNT(*) FROM own_ops.dbt_builds")[0][0]
            inserted = rows(client, "SELECT SUM(rows_inserted) FROM own_ops.sync_runs")[0][0]
            results.append((builds, inserted))
            shutil.rmtree(state)
        # Nothing is new the second time, so nothing is inserted and nothing is built.
        assert results[0] == results[1]
        assert results[0][1] > 0
        refreshes = rows(client, "SELECT entity, refresh FROM own_ops.sync_runs ORDER BY committed_at")
        assert [refresh for entity, refresh in refreshes if entity == "daily_habits"] == ["full", "changed"]
