"""`honcho start` in a fresh clone, as the Procfile's own command, and `script/server` after it."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import psutil
import pytest

from reporting.local.child import ending_with_parent
from reporting.local.serving import free_port
from reporting.settings import ROOT
from tests.support.clones import copy_to

HONCHO = ROOT / ".venv" / "airflow" / "bin" / "honcho"
# What a shell has, and nothing that says where Airflow or a warehouse is.
SHELL = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return copy_to(tmp_path / "clone")


def start(clone: Path, **variables: str) -> subprocess.Popen[bytes]:
    environment = {**SHELL, "PATH": os.defpath, "REPORTING_CONFIG": "/nowhere", **variables}
    port = free_port()
    with (clone / "honcho.log").open("wb") as out:
        return subprocess.Popen(
            ending_with_parent(HONCHO, "start", "--port", str(port)),
            cwd=clone,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def port_of(process: subprocess.Popen[bytes]) -> str:
    # As it was started: while a process becomes another program, it has no arguments for a moment.
    assert isinstance(process.args, list)
    return str(process.args[process.args.index("--port") + 1])


@pytest.mark.timeout(3600)
def test_in_a_clone_with_nothing_configured_it_runs_on_a_local_bigquery(clone: Path) -> None:
    process = start(clone)
    try:
        address = f"http://127.0.0.1:{port_of(process)}"
        await_health(process, address, clone / "honcho.log")
        said = (clone / "honcho.log").read_text()
        assert "Starting the local BigQuery ..." in said
        assert f"Airflow: {address}  user admin, password " in said
        assert (clone / "var" / "local" / "processes.json").stat().st_mode & 0o777 == 0o600
        environment = json.loads((clone / "var" / "local" / "processes.json").read_text())["environment"]
        assert environment["BIGQUERY_EMULATOR_HOST"].startswith("http://127.0.0.1:")
        looked = airflow(clone, "variables", "list")
        assert looked.returncode == 0, looked.stdout + looked.stderr
        interrupt(process)
        assert not (clone / "var" / "local" / "processes.json").exists()
        # Whether it runs or not.
        assert airflow(clone, "variables", "list").returncode == 0
    finally:
        end(process)
    _serve_again(clone, said.split("user admin, password ")[1].split()[0])


def _serve_again(clone: Path, password: str) -> None:
    """`script/server` goes on with the installation that honcho made, and its admin signs in as before."""
    ports = {name: str(free_port()) for name in ("--port", "--bigquery-port")}
    log = clone / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ending_with_parent(
                clone / "script" / "server", *(each for pair in ports.items() for each in pair)
            ),
            env={**SHELL, "PATH": os.defpath, "REPORTING_CONFIG": "/nowhere"},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{ports['--port']}"
        await_health(process, address, log)
        token = httpx.post(
            f"{address}/auth/token", json={"username": "admin", "password": password}, timeout=60
        ).json()["access_token"]
        dag = httpx.get(
            f"{address}/api/v2/dags/raw_notion__daily_habits__changed",
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        assert dag.status_code == 200, dag.text
        said = log.read_text()
        assert f"Airflow: {address}  user admin, the password that was set before" in said
        assert password not in said
        interrupt(process)
        assert "Traceback" not in log.read_text()
    finally:
        end(process)


def await_health(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until the scheduler and the dag-processor say that they work."""
    pause = threading.Event()
    for _ in range(2400):
        assert process.poll() is None, log.read_text()
        try:
            body = httpx.get(f"{address}/api/v2/monitor/health", timeout=5).json()
        except (httpx.TransportError, ValueError):
            body = {}
        if all((body.get(name) or {}).get("status") == "healthy" for name in ("scheduler", "dag_processor")):
            return
        pause.wait(0.25)
    pytest.fail(log.read_text())


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """End it as Ctrl-C does, and look that nothing of it is left."""
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGINT)
    process.wait(600)
    _, left = psutil.wait_procs(family, timeout=600)
    assert not left


@pytest.mark.parametrize("name", ["REPORTING_DATABASE_URL", "WEBSITE_SITE_NAME"])
def test_a_production_is_not_started_by_it(clone: Path, name: str) -> None:
    process = start(clone, **{name: "postgresql://owner:hush-hush@127.0.0.1/airflow"})
    try:
        assert process.wait(600) != 0
    finally:
        end(process)
    said = (clone / "honcho.log").read_text()
    assert (
        f"{name} is set, so this is a production installation. Run script/start instead, which checks and starts it."
        in said
    )
    assert "hush" not in said
    assert not (clone / "var").exists()


def test_without_environments_it_says_what_to_run(clone: Path) -> None:
    (clone / ".venv").unlink()
    process = start(clone)
    try:
        assert process.wait(600) != 0
    finally:
        end(process)
    said = (clone / "honcho.log").read_text()
    assert "there is no environment at" in said
    assert "Run script/bootstrap." in said


def test_a_look_at_an_installation_that_is_not_there_says_so_at_once(clone: Path) -> None:
    looked = airflow(clone, "dags", "list")
    assert (looked.returncode, looked.stdout) == (2, "")
    assert "there is no installation in" in looked.stderr
    assert "Run script/server, or honcho start." in looked.stderr
    helped = airflow(clone, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "dags" in helped.stdout
    assert not (clone / "var").exists()


def airflow(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "script" / "airflow", *arguments],
        env={**SHELL, "PATH": os.defpath, "REPORTING_CONFIG": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind, whatever failed."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in family:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(600)
