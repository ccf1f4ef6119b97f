"""The start of production: from nothing, from anywhere half-way, and after the database went away."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.deploy.syncs import Watch
from reporting.ingest.landing import new_run_id
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT
from reporting.web.health import CANARY
from tests.support import postgres
from tests.support.production_server import ADMIN_PASSWORD, Production

CLEANUP = "ops_airflow__metadata__cleanup"
# A task that ends when its test says so.
WAITING_DAG = """
from datetime import timedelta
from pathlib import Path
from time import sleep
from airflow.sdk import dag, task

@dag(schedule=None)
def waiting():
    @task(retries=3, retry_delay=timedelta(seconds=1))
    def wait():
        Path("{folder}/begun").touch()
        while not Path("{folder}/go").exists():
            sleep(0.1)
    wait()

waiting()
"""


# A run each half hour of the last year, as the canary's.
YEAR = """
INSERT INTO dag_run (dag_id, run_id, run_type, run_after, queued_at, start_date, end_date, logical_date, state,
    clear_number, log_template_id)
SELECT %(dag)s, 'year_' || at, 'scheduled', at, at, at, at, at, 'success', 0, 1
FROM generate_series(now() - INTERVAL '365 days', now() - INTERVAL '30 minutes', INTERVAL '30 minutes') AS at
"""


def until(is_so: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
    """Wait for it; fails with what `otherwise` says."""
    pause = threading.Event()
    for _ in range(int(seconds * 10)):
        if is_so():
            return
        pause.wait(0.1)
    raise AssertionError(otherwise())


def test_the_startup_file_is_one_line_that_starts_production() -> None:
    assert (ROOT / "startup.txt").read_text() == "bash script/start --host 0.0.0.0\n"
    first, *_ = (ROOT / "Procfile").read_text().splitlines()
    assert first.startswith("api-server: script/airflow api-server --port $PORT")


@pytest.mark.heavy
def test_a_start_that_is_killed_anywhere_is_mended_by_the_next(
    cluster: postgres.Cluster, bigquery_endpoint: LocalBigQuery, tmp_path: Path
) -> None:
    """Killed while the schema is made, a second and two later, before the warehouse, and before Airflow."""
    production = Production(cluster.url(), tmp_path / "production", bigquery_endpoint)
    pause = threading.Event()
    try:
        for words, seconds in (
            ("Preparing Airflow's metadata", 3.0),
            ("Preparing Airflow's metadata", 4.5),
            ("Preparing Airflow's metadata", 6.0),
            ("Bringing the warehouse's schema", 0.3),
            ("Starting Airflow on", 1.0),
        ):
            production.log.unlink(missing_ok=True)
            process = production.launch()
            until(lambda: words in production.said() or process.poll() is not None, 120, production.said)  # noqa: B023
            # Not for a state to be reached: somewhere in between is what is wanted.
            pause.wait(seconds)
            assert production.is_running(), production.said()
            production.kill()
        production.start()
        assert httpx.get(f"{production.address}/api/v2/dags").status_code == 401
        production.token()
        with cluster.connect() as cursor:
            cursor.execute("SELECT COUNT(*) FROM ab_user")
            assert cursor.fetchone() == (1,)
        prepared = (production.folder / "state" / "prepare.log").read_text()
        for text in (production.said(), prepared):
            assert not [name for name, secret in production.secrets().items() if secret in text]
        assert postgres.PASSWORD not in production.said() + prepared
    finally:
        production.kill()


@pytest.mark.heavy
def test_the_admin_keeps_a_password_that_was_changed_and_the_variable_may_go(
    production: Production, cluster: postgres.Cluster
) -> None:
    """What is asked of the first start alone is not asked again."""
    with cluster.connect() as cursor:
        cursor.execute("SELECT password FROM ab_user")
        before = cursor.fetchone()
    environment = dict(production.environment)
    production.kill()
    del production.environment["REPORTING_ADMIN_PASSWORD"]
    try:
        production.start()
        with cluster.connect() as cursor:
            cursor.execute("SELECT password FROM ab_user")
            assert cursor.fetchone() == before
        production.token()
    finally:
        production.environment.update(environment)


@pytest.mark.heavy
def test_a_lost_connection_is_made_again(production: Production, cluster: postgres.Cluster) -> None:
    api = AirflowApi(production.address, production.token())
    before = {process.pid for process in production.family()}
    with cluster.connect("postgres") as cursor:
        cursor.execute(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s",
            (postgres.DATABASE,),
        )
        assert cursor.fetchone()[0] > 0  # type: ignore[index]
    api.await_dags(["ops_warehouse__schema__upgrade"], seconds=30)
    run_id = api.trigger("ops_warehouse__schema__upgrade")
    until(lambda: api.state("ops_warehouse__schema__upgrade", run_id) in ENDED, 120, production.said)
    assert api.state("ops_warehouse__schema__upgrade", run_id) == "success"
    # Nothing was restarted for it.
    assert production.member("scheduler").pid in before


@pytest.mark.heavy
def test_a_year_of_runs_is_cleaned_up(production: Production, cluster: postgres.Cluster) -> None:
    """Runs of every half hour, a log of each, and a landing of every day."""
    api = AirflowApi(production.address, production.token())
    api.await_dags([CLEANUP])
    now = datetime.now(UTC)
    logs, landing = production.folder / "state" / "logs", production.folder / "state" / "landing"
    with cluster.connect() as cursor:
        cursor.execute(YEAR, {"dag": CANARY})
    for day in range(365):
        at = now - timedelta(days=day, minutes=1)
        log = logs / f"dag_id={CANARY}" / f"run_id=day_{day}" / "task_id=ping" / "attempt=1.log"
        run = landing / "notion" / "daily_habits" / new_run_id("notion", "daily_habits", "full", at)
        for file in (log, run / "manifest.json"):
            file.parent.mkdir(parents=True)
            file.write_text("{}")
            os.utime(file, (at.timestamp(), at.timestamp()))

    def left() -> int:
        with cluster.connect() as cursor:
            cursor.execute("SELECT COUNT(*) FROM dag_run WHERE dag_id = %s", (CANARY,))
            found = cursor.fetchone()
        assert found is not None
        return int(found[0])

    def clean(**conf: object) -> None:
        Watch(api, Console(), give_up_on_retry=True, logs=Path("logs")).wait(
            [(CLEANUP, api.trigger(CLEANUP, conf))], 120
        )

    assert left() >= 365 * 48
    clean()
    assert 60 * 48 - 1 <= left() <= 61 * 48
    assert len(list(logs.rglob("run_id=day_*/*/*.log"))) == 60
    assert len(list(landing.glob("*/*/*"))) == 180
    clean(dag_ids=[CANARY], days=30)
    assert 30 * 48 - 1 <= left() <= 31 * 48
    clean(dag_ids=[CANARY])
    assert left() <= 48
    with cluster.connect() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE '\\_airflow\\_deleted%%'", ())
        assert cursor.fetchone() == (0,)


@pytest.fixture
def own_cluster() -> Iterator[postgres.Cluster]:
    """A PostgreSQL that no other production is on."""
    with postgres.running() as cluster:
        yield cluster


@pytest.mark.heavy
def test_a_database_that_goes_away_during_a_run_costs_a_restart_and_no_run(
    own_cluster: postgres.Cluster, bigquery_endpoint: LocalBigQuery, tmp_path: Path
) -> None:
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "waiting.py").write_text(WAITING_DAG.format(folder=tmp_path))
    production = Production(
        own_cluster.url(),
        tmp_path / "production",
        bigquery_endpoint,
        AIRFLOW__CORE__DAGS_FOLDER=str(folder),
        # The test is as patient as it must be, and not as production is.
        AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL="5",
        AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="15",
    )
    try:
        production.start()
        api = AirflowApi(production.address, production.token())
        api.await_dags(["waiting"])
        run_id = api.trigger("waiting")
        until((tmp_path / "begun").exists, 60, production.said)
        own_cluster.stop()
        # Airflow's processes end without their database, one of them ends all, and the platform starts again.
        until(lambda: not production.is_running(), 120, production.said)
        process = production.launch()
        until(lambda: "Waiting for the metadata database" in production.said(), 60, production.said)
        assert process.poll() is None
        own_cluster.start()
        (tmp_path / "go").touch()
        production.await_health()
        until(lambda: api.state("waiting", run_id) in ENDED, 200, production.said)
        assert api.state("waiting", run_id) == "success"
    finally:
        production.kill()


@pytest.mark.heavy
def test_a_scheduler_that_is_killed_ends_everything_so_that_the_platform_starts_it_again(
    production: Production,
) -> None:
    family = production.family()
    production.member("airflow scheduler", "python").kill()
    _, alive = psutil.wait_procs(family, timeout=600)
    assert alive == []
    assert not production.is_running()
    production.start()


def test_a_wrong_configuration_ends_with_every_finding_and_nothing_started(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "script" / "start"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "REPORTING_ADMIN_PASSWORD": ADMIN_PASSWORD},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert "AIRFLOW__CORE__FERNET_KEY is not set" in done.stderr
    assert "REPORTING_DATABASE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
