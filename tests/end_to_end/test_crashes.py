"""Real Airflow, whose processes are killed while a run is under way: what was begun ends by itself, and rightly."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.deploy.configuration import token_connection
from reporting.deploy.syncs import MART_CHANGED
from reporting.local.bigquery import LocalBigQuery, running
from reporting.local.serving import free_port
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from tests.convergence.accounts import Account, serving
from tests.support import postgres
from tests.support.production_server import Production

pytestmark = [pytest.mark.timeout(3600), pytest.mark.heavy]
TABLE = "notion__daily_habits"
DAG = f"raw_{TABLE}__full"
# What the platform starts again as a whole, by words of its title or command line.
OF_THE_PLATFORM = {
    "scheduler": ("airflow scheduler", "python"),
    "api-server": ("airflow api_server",),
    "dag-processor": ("airflow dag-processor", "python"),
}
UNDER_WAY = {"kind": "slow", "seconds": 6.0, "path": "query$"}


class Installation:
    """Production, its warehouse and a source, each a process that can be killed."""

    def __init__(self, database_url: str, folder: Path, account: Account) -> None:
        self.account = account
        self._folder = folder / "bigquery"
        self._port = free_port()
        self._stack = ExitStack()
        self.bigquery = self.start_bigquery()
        self.production = Production(
            database_url,
            folder / "production",
            self.bigquery,
            AIRFLOW_CONN_NOTION=token_connection("ntn_any", account.address),
            REPORTING_RETRY_SECONDS="1",
            # The test is as patient as it must be, and not as production is.
            AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="5",
            AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="15",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="20",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL="3",
        )
        self.production.start()
        api = self.api()
        api.await_dags([DAG, MART_CHANGED])
        # One task runs at a time, and a build would be before the next victim.
        address = f"{self.production.address}/api/v2/dags/{MART_CHANGED}"
        token = {"Authorization": f"Bearer {self.production.token()}"}
        httpx.patch(address, json={"is_paused": True}, headers=token, timeout=120).raise_for_status()

    def close(self) -> None:
        self.production.kill()
        self._stack.close()

    def api(self) -> AirflowApi:
        return AirflowApi(self.production.address, self.production.token())

    def start_bigquery(self) -> LocalBigQuery:
        return self._stack.enter_context(running(self._folder, self._port))

    def kill(self, victim: str) -> None:
        """SIGKILL, and what the platform does then."""
        if victim == "bigquery":
            for process in psutil.process_iter(["cmdline"]):
                if {str(self._port), "sandbox.bigquery"} <= set(process.info["cmdline"] or ()):
                    process.kill()
            self._stack.close()
            self.start_bigquery()
        elif victim == "task":
            self._task().kill()
        else:
            self.production.member(*OF_THE_PLATFORM[victim]).kill()
            until(lambda: not self.production.is_running(), 60, self.production.said)
            self.production.start()

    def _task(self) -> psutil.Process:
        """The process that runs the task's own code: the youngest that the scheduler started."""
        scheduler = self.production.member(*OF_THE_PLATFORM["scheduler"])
        return max(scheduler.children(recursive=True), key=lambda each: each.create_time())


def until(is_so: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Wait for it; fails with the end of what `otherwise` says."""
    pause = threading.Event()
    for _ in range(int(seconds * 5)):
        if is_so():
            return
        pause.wait(0.2)
    raise AssertionError(otherwise()[-6000:])


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("crashes")
    with postgres.running() as cluster, serving("notion", folder / "notion") as account:
        made = Installation(cluster.url(), folder, account)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize("victim", ["task", *OF_THE_PLATFORM, "bigquery"])
def test_a_run_whose_process_is_killed_comes_to_its_end(installation: Installation, victim: str) -> None:
    account = installation.account
    account.change("create", 3)
    account.change("edit", 4)
    account.change("remove", 5)
    before = account.met().get("slow", 0)
    account.fault(**UNDER_WAY)
    api = installation.api()
    run_id = api.trigger(DAG)
    until(lambda: account.met().get("slow", 0) > before, 200, installation.production.said)
    installation.kill(victim)
    # Its token may be of a process that is gone.
    api = installation.api()
    until(lambda: api.state(DAG, run_id) in ENDED, 300, installation.production.said)
    assert api.state(DAG, run_id) == "success", installation.production.said()[-6000:]
    client = connect(read_settings(installation.production.environment))
    rows = list(client.query_and_wait(f"SELECT * FROM production_raw.{TABLE}"))
    assert len({row["id"] for row in rows}) == len(rows)
    account.check(TABLE, {row["id"]: row for row in rows})
    runs = [row[0] for row in client.query_and_wait("SELECT run_id FROM production_ops.sync_runs")]
    assert len(set(runs)) == len(runs)
    assert installation.production.is_running()
