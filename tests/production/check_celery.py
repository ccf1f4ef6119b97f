"""Production with two Celery workers that share no disk but the landing; run by script/celery-check."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from reporting.deploy import configuration, syncs
from reporting.deploy.airflow_api import AirflowApi
from reporting.local.bigquery import LocalBigQuery
from reporting.local.serving import free_port
from reporting.naming import DagId
from reporting.settings import read_settings
from reporting.sources.notion.entities import NOTION
from reporting.warehouse.client import connect
from sandbox.serving import fake_api
from tests.end_to_end.demo import rows
from tests.support import postgres, redis
from tests.support.production_server import Production

TOKEN = "ntn_of_the_celery_check"
FULL_REFRESHES = [str(DagId("raw", entity.source, entity.name, "full")) for entity in NOTION]


@pytest.fixture
def machines(bigquery_endpoint: LocalBigQuery, tmp_path: Path) -> Iterator[list[Production]]:
    """The one with the scheduler, then two workers. Each has a folder of its own."""
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.running())
        broker = stack.enter_context(redis.running(tmp_path / "redis"))
        notion = stack.enter_context(fake_api("notion", tmp_path / "notion", None, "--days", "60"))
        made: list[Production] = []
        for name in ("main", "worker1", "worker2"):
            production = Production(
                cluster.url(),
                tmp_path / name,
                bigquery_endpoint,
                AIRFLOW_CONN_NOTION=configuration.token_connection(TOKEN, notion.address),
                AIRFLOW__CELERY__BROKER_URL=broker,
                AIRFLOW__CELERY__WORKER_CONCURRENCY="1",
                AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
                AIRFLOW__CORE__PARALLELISM="4",
                # Of each machine its own; only here they share one.
                AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=str(free_port()),
                REPORTING_LANDING_URI=str(tmp_path / "landing"),
                REPORTING_SETTLE_SECONDS="0",
            )
            stack.callback(production.kill)
            made.append(production)
        main, *workers = made
        for worker in workers:
            # Where the api-server of the first one is.
            worker.environment["PORT"] = main.environment["PORT"]
        yield made


def tasks_of(production: Production) -> set[tuple[str, str]]:
    """The DAG and the task of every log on its disk."""
    logs = (production.folder / "state" / "logs").rglob("attempt=*.log")
    return {(path.parts[-4].partition("=")[2], path.parts[-2].partition("=")[2]) for path in logs}


def until_ready(worker: Production) -> None:
    pause = threading.Event()
    for _ in range(240):
        if "ready." in worker.said():
            return
        assert worker.is_running(), worker.said()
        pause.wait(0.5)
    raise AssertionError(worker.said())


def test_two_workers_share_the_landing_alone(machines: list[Production]) -> None:
    begun_at = datetime.now(UTC)
    main, *workers = machines
    main.start()
    for worker in workers:
        worker.launch("--worker")
        until_ready(worker)
    settings = read_settings(main.environment)
    client = connect(settings)
    api = AirflowApi(main.address, main.token())
    api.await_dags(FULL_REFRESHES)
    syncs.run_sync(
        api, client, settings, Console(), FULL_REFRESHES, full_build=False, seconds=900, give_up_on_retry=True
    )
    lines = syncs.sync_log_lines(client, settings, begun_at)
    assert tasks_of(main) == set()
    done = [tasks_of(worker) for worker in workers]
    assert all(done), "one worker did everything"
    expected = {(dag_id, task_id) for dag_id in FULL_REFRESHES for task_id in ("extract", "load")}
    assert expected <= done[0] | done[1]
    # What one machine has read the other has loaded.
    assert any(
        {(dag_id, "extract")} <= one and {(dag_id, "load")} <= other
        for dag_id in FULL_REFRESHES
        for one, other in (done, done[::-1])
    )
    assert {line.entity for line in lines} == {f"{each.source}.{each.name}" for each in NOTION}
    assert rows(client, f"SELECT COUNT(*) FROM `{settings.dataset('marts')}.habit_metrics`")[0][0] > 0
    for production in machines:
        for path in (*(production.folder / "state" / "logs").rglob("*.log"), production.log):
            content = path.read_bytes()
            for secret in (TOKEN, redis.PASSWORD, postgres.PASSWORD, *production.secrets().values()):
                assert secret.encode() not in content, path
