"""What production tells, and whom: a new channel, a failed task, the canary's ping, and a part that is dead."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator

import httpx
import pytest

from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.local.bigquery import LocalBigQuery
from reporting.settings import ROOT
from reporting.web.health import CANARY, PATH
from tests.support import postgres, receivers
from tests.support.production_server import Production

TOKEN = "ntn_token_of_the_failing_task"
FAILING_DAG = """
from airflow.sdk import Param, dag, task
from reporting.orchestration.callbacks import hide_secrets, task_failed

def failing(name):
    @dag(
        dag_id=name,
        schedule=None,
        params={"is_well": Param(False, type="boolean")},
        default_args={"on_execute_callback": hide_secrets, "on_failure_callback": task_failed},
    )
    def failing():
        @task
        def fail(params):
            if not params["is_well"]:
                raise ValueError("Notion refused ntn_token_of_the_failing_task")
        fail()
    return failing()

one, other = failing("failing"), failing("failing_too")
"""
ALERT = "ops_warehouse__problems__alert"
pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def web() -> Iterator[receivers.Received]:
    with receivers.http_server() as server:
        yield server


@pytest.fixture(scope="module")
def mail() -> Iterator[receivers.Received]:
    with receivers.mail_server("password-of-mail") as server:
        yield server


@pytest.fixture(scope="module")
def alerting(
    cluster: postgres.Cluster,
    bigquery_endpoint: LocalBigQuery,
    tmp_path_factory: pytest.TempPathFactory,
    web: receivers.Received,
    mail: receivers.Received,
) -> Iterator[Production]:
    """Production with every channel."""
    folder = tmp_path_factory.mktemp("alerting")
    (folder / "dags").mkdir()
    (folder / "dags" / "failing.py").write_text(FAILING_DAG)
    for name in ("ops_airflow.py", "ops_warehouse.py"):
        shutil.copy(ROOT / "dags" / name, folder / "dags")
    production = Production(
        cluster.url(),
        folder,
        bigquery_endpoint,
        AIRFLOW_CONN_NOTION=f'{{"conn_type": "http", "password": "{TOKEN}"}}',
        AIRFLOW__CORE__DAGS_FOLDER=str(folder / "dags"),
        AIRFLOW__DAG_PROCESSOR__HEALTH_CHECK_THRESHOLD="20",
        AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="20",
        REPORTING_ALERT_EMAIL="owner@example.org",
        REPORTING_SMTP_URL=f"smtp://robot:password-of-mail@127.0.0.1:{mail.port}",
        REPORTING_ALERT_WEBHOOK=f"http://127.0.0.1:{web.port}/hook",
        REPORTING_PING_URL=f"http://127.0.0.1:{web.port}/ping",
    )
    try:
        production.start()
        yield production
    finally:
        production.kill()


@pytest.fixture(scope="module")
def api(alerting: Production) -> AirflowApi:
    api = AirflowApi(alerting.address, alerting.token())
    api.await_dags(["failing", "failing_too", ALERT, CANARY])
    return api


def run(api: AirflowApi, dag_id: str, **params: bool) -> str:
    """The state in which a run of the DAG ends."""
    run_id = api.trigger(dag_id, params)
    pause = threading.Event()
    for _ in range(600):
        if (state := api.state(dag_id, run_id)) in ENDED:
            return state
        pause.wait(0.2)
    raise AssertionError(api.tasks(dag_id, run_id))


def about(received: receivers.Received, what: str) -> str:
    """The next message that says so. The canary has its own schedule, and may ping or fail meanwhile."""
    text = received.next()[1]
    while what not in text:
        text = received.next()[1]
    return text


def rest(received: receivers.Received) -> str:
    """Everything that has come."""
    texts = []
    while not received.is_empty():
        texts.append(received.next()[1])
    return "\n".join(texts)


def status(production: Production, wanted: int) -> dict[str, str]:
    """What the health endpoint says once it answers `wanted`."""
    pause = threading.Event()
    for _ in range(240):
        answer = httpx.get(f"{production.address}{PATH}", timeout=120)
        if answer.status_code == wanted:
            states: dict[str, str] = answer.json()
            return states
        pause.wait(0.5)
    raise AssertionError(answer.text)


def test_new_channels_are_tried_once(
    alerting: Production, web: receivers.Received, mail: receivers.Received
) -> None:
    assert {web.next()[0], web.next()[0]} == {"/hook", "/ping"}
    assert "test of this channel" in mail.next()[1]
    alerting.kill()
    alerting.start()
    assert mail.is_empty()
    alerting.kill()
    alerting.environment["REPORTING_SMTP_URL"] += "/changed"
    web.status = 500
    try:
        alerting.launch().wait(600)
        assert "an alert would not arrive: the webhook failed: status 500" in alerting.said()
    finally:
        web.status = 200
        alerting.start()
    while not web.is_empty():
        web.next()
    while not mail.is_empty():
        mail.next()


def test_a_failed_task_is_one_message_by_each_channel_without_its_secret(
    alerting: Production, api: AirflowApi, web: receivers.Received, mail: receivers.Received
) -> None:
    assert run(api, "failing") == "failed"
    text, letter = about(web, "failing: fail failed"), about(mail, "failing: fail failed")
    for said in (text, letter):
        assert "ValueError: Notion refused ***" in said
        assert TOKEN not in said
    assert "https://reporting.example/dags/failing/runs/" in text
    assert "failing: fail failed" not in rest(mail)


def test_the_same_again_is_not_told_and_its_end_is(
    alerting: Production, api: AirflowApi, web: receivers.Received, mail: receivers.Received
) -> None:
    assert run(api, "failing") == "failed"
    assert run(api, ALERT) == "success"
    assert "failing: fail failed" not in rest(web) + rest(mail)
    assert run(api, "failing", is_well=True) == "success"
    assert run(api, ALERT) == "success"
    about(web, "*Resolved: failing: fail failed*")
    about(mail, "Resolved: failing: fail failed")
    assert run(api, ALERT) == "success"
    assert "failing: fail failed" not in rest(web) + rest(mail)


def test_a_channel_that_is_broken_changes_nothing(
    alerting: Production, api: AirflowApi, web: receivers.Received, mail: receivers.Received
) -> None:
    web.status = 500
    try:
        assert run(api, "failing_too") == "failed"
        assert run(api, ALERT) == "success"
    finally:
        web.status = 200
    about(mail, "failing_too: fail failed")
    rest(web)


def test_the_canary_pings(alerting: Production, api: AirflowApi, web: receivers.Received) -> None:
    assert run(api, CANARY) == "success"
    assert web.next() == ("/ping", "")


@pytest.mark.parametrize(
    ("words", "part"), [("airflow scheduler", "scheduler"), ("airflow dag-processor", "dag_processor")]
)
def test_a_part_that_hangs_is_no_health(alerting: Production, words: str, part: str) -> None:
    assert set(status(alerting, 200).values()) == {"healthy"}
    process = alerting.member("python", words)
    process.send_signal(signal.SIGSTOP)
    try:
        states = status(alerting, 503)
    finally:
        process.send_signal(signal.SIGCONT)
    assert states.pop(part) == "unhealthy"
    assert set(states.values()) == {"healthy"}
    status(alerting, 200)


def test_a_canary_that_has_not_succeeded_for_long_is_no_health(
    alerting: Production, cluster: postgres.Cluster
) -> None:
    """The server is told that it started long ago, and the runs that they ended then."""
    done = ask_for_canary(alerting)
    assert done == "healthy"
    with cluster.connect() as cursor:
        cursor.execute(
            "UPDATE dag_run SET end_date = end_date - INTERVAL '2 hours' WHERE dag_id = %s", (CANARY,)
        )
    assert ask_for_canary(alerting) == "unhealthy"


def ask_for_canary(alerting: Production) -> str:
    program = (
        "from datetime import UTC, datetime; from reporting.web.health import look; "
        "print(look(datetime(2020, 1, 1, tzinfo=UTC))['canary'])"
    )
    done = subprocess.run(
        [ROOT / ".venv" / "airflow" / "bin" / "python", "-W", "ignore", "-c", program],
        env={**alerting.airflow_environment(), "PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout.split()[-1]


def test_no_log_has_a_secret(alerting: Production) -> None:
    """Not even of a task that shows one it has never fetched from Airflow."""
    secrets = {
        **alerting.secrets(),
        "token": TOKEN,
        "mail": "password-of-mail",
        "database": postgres.PASSWORD,
    }
    logs = [
        path
        for path in alerting.folder.rglob("*")
        if path.is_file() and (path.suffix == ".log" or "logs" in path.parts)
    ]
    assert len(logs) >= 5
    found = [
        (path, name)
        for path in logs
        for name, value in secrets.items()
        if value.encode() in path.read_bytes()
    ]
    assert found == []
