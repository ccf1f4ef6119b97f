"""A demo that goes on serving runs what is triggered, and ends whole however it is ended."""

import signal
import socket
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from reporting.commands.airflow_api import ENDED, AirflowApi
from reporting.commands.rounds import MART_CHANGED
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.end_to_end.demo import HEADERS, Demo, rows

pytestmark = pytest.mark.timeout(1800)
DAILY = "Daily Disciplines"


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
        assert "Serving until Ctrl-C" in said, f"the demo ended: {said}"
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
