"""The demo as its users run it: real Airflow, real dbt, the local BigQuery, the stand-ins."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from google.cloud import bigquery

from reporting.entities import ENTITIES
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from sandbox.bigquery.server import running as bigquery_running
from sandbox.google import AUTHORIZED_USER
from sandbox.serving import stand_in
from tests.end_to_end.demo import HEADERS, Demo, rows
from tests.google_account import AddressBook
from tests.hubspot_portal import portal

pytestmark = pytest.mark.timeout(1800)
DAILY = "Daily Disciplines"


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


def change_the_address_book(folder: Path) -> tuple[str, str]:
    """One create, one delete and one change of a resource name; the name before and after."""
    with stand_in("google", folder / "google") as address:
        book = AddressBook(address)
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


def test_demo_again_from_an_empty_metadata_database_and_after_changes(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    said = demo.run()
    assert "notion.daily_habits" in said
    assert "Meditate" in said
    assert "google and hubspot" in said
    assert "one e-mail, several names" in said
    report = Path(said.partition("Report: ")[2].split("\n")[0])
    assert report == demo.folder / "site" / "index.html"
    assert "Meditate" in (report.parent / "habits.html").read_text()
    first = ledger_since(demo.folder, datetime(2000, 1, 1, tzinfo=UTC))
    assert set(first) == {f"{entity.source}.{entity.name}" for entity in ENTITIES}
    assert all(read == inserted > 0 for read, inserted, _, _ in first.values())

    # The cursors are in the warehouse, so a metadata database that is lost costs nothing.
    (demo.folder / "airflow.db").unlink()
    since = datetime.now(UTC)
    demo.run()
    again = ledger_since(demo.folder, since)
    assert again == {entity: (counts[0], 0, 0, 0) for entity, counts in first.items()}

    trashed = change_three_pages(demo.folder)
    loser = change_the_crm(demo.folder)
    before, after = change_the_address_book(demo.folder)
    since = datetime.now(UTC)
    demo.run()
    changed = ledger_since(demo.folder, since)
    assert changed.pop("notion.daily_habits")[1:] == (1, 1, 1)
    # The winner of a merge is edited by it.
    assert changed.pop("hubspot.contacts")[1:] == (1, 2, 1)
    assert changed.pop("google.contacts")[1:] == (2, 0, 2)
    # The loser's associations are the winner's now.
    assert changed.pop("hubspot.associations")[1] >= 1
    assert changed == {name: (first[name][0], 0, 0, 0) for name in changed}

    with bigquery_running(demo.folder / "bigquery") as endpoint:
        client = connect(read_settings({"BIGQUERY_EMULATOR_HOST": endpoint}))
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
    secrets = (
        "ntn_sample",
        "pat-sample",
        *(AUTHORIZED_USER[name] for name in ("client_secret", "refresh_token")),
    )
    assert [secrets_in_logs(demo.folder, secret) for secret in secrets] == [[]] * len(secrets)


def secrets_in_logs(folder: Path, secret: str) -> list[Path]:
    logs = [
        path
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix == ".log" or "logs" in path.parts)
    ]
    assert len(logs) > 10
    return [path for path in logs if secret.encode() in path.read_bytes()]
