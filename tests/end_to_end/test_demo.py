"""The demo as its users run it: real Airflow, real dbt, the local BigQuery, the fake APIs."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from google.cloud import bigquery

from reporting.deploy.airflow_api import ENDED, AirflowApi
from reporting.deploy.syncs import MART_CHANGED
from reporting.local.bigquery import LocalBigQuery
from reporting.local.bigquery import running as bigquery_running
from reporting.settings import read_settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse.client import connect
from sandbox.google import AUTHORIZED_USER
from sandbox.serving import fake_api
from tests.end_to_end.demo import HEADERS, WIDE, Demo, rows
from tests.support.control import client as client_of
from tests.support.google_account import AddressBook
from tests.support.hubspot_portal import portal

pytestmark = pytest.mark.timeout(3600)
DAILY = "Daily Disciplines"


def sync_log_since(folder: Path, since: datetime) -> dict[str, tuple[int, ...]]:
    """Rows read, inserted, updated and tombstoned by entity, from the demo's own warehouse."""
    with bigquery_running(folder / "bigquery") as local:
        return sync_log(local, since)


def sync_log(
    local: LocalBigQuery, since: datetime = datetime(2000, 1, 1, tzinfo=UTC)
) -> dict[str, tuple[int, ...]]:
    """Rows read, inserted, updated and tombstoned by entity, from a warehouse."""
    found = rows(
        connect(read_settings(local.variables)),
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


def change_the_address_book(folder: Path) -> tuple[str, str]:
    """One create, one delete and one change of a resource name; the name before and after."""
    with fake_api("google", folder / "google") as served:
        book = AddressBook(served)
        renamed, deleted = [
            name for name, each in book.truth().items() if each["origin"]["case"] == "same_email"
        ][:2]
        book.create(names=[{"givenName": "New"}])
        book.delete(deleted)
        return renamed, book.rename(renamed)


def person_of(client: bigquery.Client, resource_name: str) -> str:
    found = rows(
        client, f"SELECT person_id FROM snapshots.person_keys WHERE record_id = 'google:{resource_name}'"
    )
    return str(found[0][0])


def change_three_pages(folder: Path) -> str:
    """One create, one edit, one trash among the daily habits; the id of the one in the trash."""
    with (
        fake_api("notion", folder / "notion") as served,
        client_of(served, headers=HEADERS) as http,
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


@contextmanager
def serving(demo: Demo) -> Iterator[str]:
    """What a demo that goes on serving has said; it is ended as by Ctrl-C, and leaves nothing running."""
    process = subprocess.Popen(
        demo.command(),
        env=os.environ | WIDE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Serving until Ctrl-C" in line:
                break
        assert "Serving until Ctrl-C" in said, f"the demo ended: {said}"
        yield said
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=600)
    assert process.returncode == 130
    assert demo.open_ports() == []


def run_what_is_triggered(demo: Demo, password: str) -> None:
    """A change in the source reaches the mart by an event; the DAGs that only run by hand or daily succeed."""
    address = f"http://127.0.0.1:{demo.ports['--port']}"
    login = httpx.post(f"{address}/auth/token", json={"username": "admin", "password": password})
    api = AirflowApi(address, login.json()["access_token"])
    for dag_id in (
        "ops_warehouse__schema__upgrade",
        "ops_warehouse__sources__freshness",
        "mart_personal__models__full",
    ):
        assert ended(api, dag_id, api.trigger(dag_id)) == "success"

    since = datetime.now(UTC)
    http = client_of(demo.served("notion"), headers=HEADERS)
    state = http.get("/_control/state").json()
    key = next(each["id"] for each in state["data_sources"] if each["name"] == DAILY)
    (page,) = http.post(f"/v1/data_sources/{key}/query", json={"page_size": 1}).json()["results"]
    http.patch(f"/v1/pages/{page['id']}", json={"properties": {"Water": {"number": 77}}}).raise_for_status()
    dag_id = "raw_notion__daily_habits__changed"
    assert ended(api, dag_id, api.trigger(dag_id)) == "success"
    made = await_run(api, MART_CHANGED, since)
    assert ended(api, MART_CHANGED, made) == "success"
    # What dbt ran is shown, as it can be run again.
    task = api._call("GET", f"dags/{MART_CHANGED}/dagRuns/{made}/taskInstances/staging")
    command = task["rendered_fields"]["bash_command"]
    assert "/dbt build " in command
    assert "--select source:" in command
    assert "#" not in command
    client = connect(read_settings(demo.bigquery().variables))
    assert rows(client, "SELECT COUNT(*) FROM marts.habits WHERE habit = 'Water' AND amount = 77") == [(1,)]

    # Nothing is new: no event, and so no build.
    since = datetime.now(UTC)
    assert ended(api, dag_id, api.trigger(dag_id)) == "success"
    assert {task.state for task in api.tasks(dag_id, api.runs(dag_id, since)[0]["dag_run_id"])} == {"success"}
    assert api.runs(MART_CHANGED, since) == []
    assert httpx.get(f"{address}/api/v2/dags").status_code == 401


def ended(api: AirflowApi, dag_id: str, run_id: str) -> str:
    """The state in which a run ends."""
    pause = threading.Event()
    for _ in range(3000):
        if (state := api.state(dag_id, run_id)) in ENDED:
            return state
        pause.wait(0.3)
    raise AssertionError(f"{dag_id} has not ended: {api.tasks(dag_id, run_id)}")


def await_run(api: AirflowApi, dag_id: str, since: datetime) -> str:
    """The run that an event made."""
    pause = threading.Event()
    for _ in range(3000):
        if made := api.runs(dag_id, since):
            return str(made[0]["dag_run_id"])
        pause.wait(0.3)
    raise AssertionError(f"no run of {dag_id} was made")


def test_the_demo_loads_builds_and_serves(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    with serving(demo) as said:
        first = sync_log(demo.bigquery())
        # One build takes what every source brought.
        client = connect(read_settings(demo.bigquery().variables))
        assert rows(client, "SELECT COUNT(*) FROM ops.dbt_builds") == [(1,)]
        run_what_is_triggered(demo, said.partition("password ")[2].split()[0])
    assert "notion.daily_habits" in said
    assert "Meditate" in said
    assert "google and hubspot" in said
    assert "one e-mail, several names" in said
    report = Path(said.partition("Report: ")[2].split("\n")[0])
    assert report == demo.folder / "site" / "index.html"
    assert "Meditate" in (report.parent / "habits.html").read_text()
    assert set(first) == {f"{entity.source}.{entity.name}" for entity in ENTITIES}
    assert all(read == inserted > 0 for read, inserted, _, _ in first.values())
    secrets = (
        "ntn_sample",
        "pat-sample",
        *(AUTHORIZED_USER[name] for name in ("client_secret", "refresh_token")),
    )
    assert [secrets_in_logs(demo.folder, secret) for secret in secrets] == [[]] * len(secrets)


@pytest.mark.heavy
def test_demo_again_from_an_empty_metadata_database_and_after_changes(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    began = datetime.now(UTC)
    demo.run()
    first = sync_log_since(demo.folder, began)

    # The cursors are in the warehouse, so a metadata database that is lost costs nothing: what did not change is read again,
    # and changes nothing.
    (demo.folder / "airflow.db").unlink()
    trashed = change_three_pages(demo.folder)
    loser = change_the_crm(demo.folder)
    before, after = change_the_address_book(demo.folder)
    since = datetime.now(UTC)
    demo.run()
    changed = sync_log_since(demo.folder, since)
    assert changed.pop("notion.daily_habits")[1:] == (1, 1, 1)
    # The winner of a merge is edited by it.
    assert changed.pop("hubspot.contacts")[1:] == (1, 2, 1)
    assert changed.pop("google.contacts")[1:] == (2, 0, 2)
    # The loser's associations are the winner's now.
    assert changed.pop("hubspot.associations")[1] >= 1
    # It is in no list any more, and what it was stays.
    for name in ("lists", "list_memberships"):
        del changed[f"hubspot.{name}"]
    assert changed.pop("hubspot.property_history")[1:] == (0, 0, 0)
    assert changed == {name: (first[name][0], 0, 0, 0) for name in changed}

    with bigquery_running(demo.folder / "bigquery") as local:
        client = connect(read_settings(local.variables))
        assert rows(
            client, f"SELECT _deleted_reason FROM raw.notion__daily_habits WHERE id = '{trashed}'"
        ) == [("trashed",)]
        assert rows(client, f"SELECT _deleted_reason FROM raw.hubspot__contacts WHERE id = '{loser}'") == [
            ("merged",)
        ]
        assert person_of(client, after) == person_of(client, before)
        # Every change has reached the marts.
        pending = (
            "SELECT COUNT(*) FROM ops.sync_runs WHERE rows_inserted + rows_updated + rows_tombstoned > 0 "
            "AND run_id NOT IN (SELECT run_id FROM ops.dbt_builds, UNNEST(run_ids) AS run_id)"
        )
        assert rows(client, pending) == [(0,)]


def secrets_in_logs(folder: Path, secret: str) -> list[Path]:
    logs = [
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix == ".log" or "logs" in path.parts)
    ]
    assert len(logs) > 10
    return [path for path in logs if secret.encode() in path.read_bytes()]
