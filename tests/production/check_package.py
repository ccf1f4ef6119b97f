"""Production from a built package in an empty folder; run by script/production-check."""

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from reporting.commands import configuration, memory, rounds
from reporting.commands.airflow_api import AirflowApi
from reporting.entities import NOTION
from reporting.naming import DagId
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from reporting.web.health import PATH
from sandbox.serving import stand_in
from tests import postgres
from tests.production_server import Production

pytestmark = pytest.mark.timeout(3600)
IDLE_MB = 900
ROUND_MB = 1200
SETTLE_SECONDS = 45
TOKEN = "ntn_of_the_packages_check"
SWEEPS = [str(DagId("raw", entity.source, entity.name, "full")) for entity in NOTION]


@pytest.fixture
def production(bigquery_endpoint: str, tmp_path: Path) -> Iterator[Production]:
    """Production from the package, not started."""
    root = tmp_path / "wwwroot"
    shutil.unpack_archive(os.environ["REPORTING_PACKAGE"], root)
    prefix = Path((root / "prefix").read_text().strip())
    assert not prefix.exists(), f"{prefix} is there already, so nothing would show that it is unpacked"
    with postgres.running() as cluster, stand_in("notion", tmp_path / "notion") as notion:
        production = Production(
            cluster.url(),
            tmp_path,
            bigquery_endpoint,
            AIRFLOW_CONN_NOTION=configuration.notion_connection(TOKEN, notion),
        )
        production.root = root
        try:
            yield production
        finally:
            production.kill()
            shutil.rmtree(prefix, ignore_errors=True)


def one_round(production: Production) -> dict[str, tuple[int, int]]:
    """Rows read and inserted by entity."""
    since = datetime.now(UTC)
    settings = read_settings(production.environment)
    client = connect(settings)
    api = AirflowApi(production.address, production.token())
    api.await_dags(SWEEPS)
    rounds.run_round(
        api, client, settings, Console(), SWEEPS, full_build=False, seconds=1800, give_up_on_retry=True
    )
    return {line.entity: (line.read, line.inserted) for line in rounds.ledger_lines(client, settings, since)}


def test_the_package(production: Production) -> None:
    console = Console()
    production.start()
    assert "Unpacking to" in production.said()
    first = production.family()[0]
    for process in production.family():
        # The smallest instance has one.
        process.cpu_affinity([0])
    assert httpx.get(f"{production.address}{PATH}", timeout=30).status_code == 200
    assert httpx.get(f"{production.address}/api/v2/dags", timeout=30).status_code == 401

    threading.Event().wait(SETTLE_SECONDS)
    with memory.watched(first.pid) as idle:
        threading.Event().wait(10)
    console.print("idle", memory.table(idle))
    with memory.watched(first.pid) as busy:
        read = one_round(production)
    console.print("round", memory.table(busy))
    assert set(read) == {f"{entity.source}.{entity.name}" for entity in NOTION}
    assert all(rows == inserted > 0 for rows, inserted in read.values())

    production.kill()
    production.start()
    assert httpx.get(f"{production.address}{PATH}", timeout=30).status_code == 200
    assert one_round(production) == {name: (rows, 0) for name, (rows, _) in read.items()}

    secrets = {**production.secrets(), "token": TOKEN, "database": postgres.PASSWORD}
    logs = [path for path in (production.folder / "state" / "logs").rglob("*") if path.is_file()]
    for path in (*logs, production.log):
        content = path.read_bytes()
        assert not [name for name, value in secrets.items() if value.encode() in content], path
    assert sum(idle.peak.values()) < IDLE_MB * memory.MB
    assert sum(busy.peak.values()) < ROUND_MB * memory.MB
    assert not psutil.pid_exists(first.pid)
