"""Production from a built package in an empty folder; run by script/production-check."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from reporting.cli import memory
from reporting.deploy import configuration, syncs
from reporting.deploy.airflow_api import AirflowApi
from reporting.local.bigquery import LocalBigQuery
from reporting.naming import DagId
from reporting.settings import read_settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse.client import connect
from reporting.web.health import PACKAGE_HEADER, PATH
from sandbox import sql
from sandbox.google import SCOPES, SPREADSHEET_LINK
from sandbox.serving import fake_api
from tests.end_to_end.demo import rows
from tests.support import postgres
from tests.support.google_account import USER, address_book
from tests.support.hubspot_portal import portal
from tests.support.production_server import FRONT_END, Production

pytestmark = pytest.mark.timeout(3600)
IDLE_MB = 900
SYNC_MB = 1200
SETTLE_SECONDS = 45
NOTION_TOKEN = "ntn_of_the_packages_check"
HUBSPOT_TOKEN = "pat-of-the-packages-check"
FULL_REFRESHES = [str(DagId("raw", each.source, each.name, "full")) for each in ENTITIES]
HOURLY = [
    str(DagId("raw", each.source, each.name, "changed" if each.has_changed else "full"))
    for each in ENTITIES
    if not each.is_slow
]
MARTS = ("habit_metrics", "relationships", "deals", "engagements", "people", "people_matches")


@pytest.fixture
def production(bigquery_endpoint: LocalBigQuery, tmp_path: Path) -> Iterator[Production]:
    """Production from the package, not started."""
    root = tmp_path / "wwwroot"
    shutil.unpack_archive(os.environ["REPORTING_PACKAGE"], root)
    prefix = Path((root / "prefix").read_text().strip())
    sql.create(tmp_path / "hours.sqlite", datetime.now(UTC).date())
    assert not prefix.exists(), f"{prefix} is there already, so nothing would show that it is unpacked"
    with (
        postgres.running() as cluster,
        fake_api("notion", tmp_path / "notion") as notion,
        portal(tmp_path / "hubspot") as hubspot,
        address_book(tmp_path / "google") as google,
    ):
        production = Production(
            cluster.url(),
            tmp_path,
            bigquery_endpoint,
            AIRFLOW_CONN_GOOGLE=configuration.google_connection(USER, SCOPES, google.address),
            AIRFLOW_CONN_HUBSPOT=configuration.token_connection(HUBSPOT_TOKEN, hubspot.address),
            AIRFLOW_CONN_NOTION=configuration.token_connection(NOTION_TOKEN, notion.address),
            AIRFLOW_CONN_SQL=configuration.token_connection(sql.address(tmp_path / "hours.sqlite")),
            REPORTING_NAME_GOOGLE_SHEETS__LEDGER=SPREADSHEET_LINK,
        )
        production.root = root
        try:
            yield production
        finally:
            production.kill()
            shutil.rmtree(prefix, ignore_errors=True)


def one_sync(production: Production, dag_ids: list[str]) -> dict[str, syncs.SyncLogLine]:
    """What the sync log says of each entity."""
    since = datetime.now(UTC)
    settings = read_settings(production.environment)
    client = connect(settings)
    api = AirflowApi(production.address, production.token())
    api.await_dags(dag_ids)
    syncs.run_sync(
        api,
        client,
        settings,
        Console(),
        dag_ids,
        full_build=False,
        upkeep=(),
        seconds=2400,
        give_up_on_retry=True,
    )
    return {line.entity: line for line in syncs.sync_log_lines(client, settings, since)}


def data(production: Production) -> dict[str, int]:
    """Rows of every raw table and of some marts."""
    settings = read_settings(production.environment)
    client = connect(settings)
    names = [("raw", entity.table) for entity in ENTITIES] + [("marts", name) for name in MARTS]
    return {
        name: rows(client, f"SELECT COUNT(*) FROM `{settings.dataset(dataset)}.{name}`")[0][0]
        for dataset, name in names
    }


def on_one_core(production: Production) -> None:
    """The smallest instance has one."""
    for process in production.family():
        process.cpu_affinity([0])


def test_the_package(production: Production) -> None:
    console = Console()
    clock = time.monotonic

    begun = clock()
    production.start()
    console.print(f"first start {clock() - begun:.0f} s")
    assert "Unpacking to" in production.said()
    first = production.family()[0]
    on_one_core(production)
    health = httpx.get(f"{production.address}{PATH}", timeout=30)
    assert health.status_code == 200
    assert health.headers[PACKAGE_HEADER] == (production.root / "digest").read_text().strip()
    assert httpx.get(f"{production.address}/api/v2/dags", timeout=30).status_code == 401
    assert (
        httpx.get(f"{production.address}/execution/health", headers=FRONT_END, timeout=30).status_code == 404
    )

    threading.Event().wait(SETTLE_SECONDS)
    with memory.watched(first.pid) as idle:
        threading.Event().wait(10)
    console.print("idle", memory.table(idle))
    begun = clock()
    with memory.watched(first.pid) as busy:
        read = one_sync(production, FULL_REFRESHES)
    console.print(f"full refreshes with their build {clock() - begun:.0f} s", memory.table(busy))
    assert set(read) == {f"{entity.source}.{entity.name}" for entity in ENTITIES}
    assert all(line.inserted > 0 for line in read.values())
    before = data(production)
    assert all(before.values())

    production.kill()
    assert not psutil.pid_exists(first.pid)
    begun = clock()
    production.start()
    console.print(f"start after a kill {clock() - begun:.0f} s")
    on_one_core(production)
    assert httpx.get(f"{production.address}{PATH}", timeout=30).status_code == 200
    begun = clock()
    with memory.watched(production.family()[0].pid) as hourly:
        again = one_sync(production, HOURLY)
    console.print(f"hourly sync {clock() - begun:.0f} s", memory.table(hourly))
    assert len(again) == len(HOURLY)
    assert all((line.inserted, line.updated, line.tombstoned) == (0, 0, 0) for line in again.values())
    assert data(production) == before

    secrets = {
        **production.secrets(),
        "notion": NOTION_TOKEN,
        "hubspot": HUBSPOT_TOKEN,
        "google": USER["client_secret"],
        "google's refresh token": USER["refresh_token"],
        "database": postgres.PASSWORD,
    }
    logs = [path for path in (production.folder / "state" / "logs").rglob("*") if path.is_file()]
    assert len(logs) > 2 * len(FULL_REFRESHES)
    for path in (*logs, production.log):
        content = path.read_bytes()
        assert not [name for name, value in secrets.items() if value.encode() in content], path
    assert sum(idle.peak.values()) < IDLE_MB * memory.MB
    assert max(sum(each.peak.values()) for each in (busy, hourly)) < SYNC_MB * memory.MB
