"""The comparison finds what is seeded, and nothing that is as it should be."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing
from reporting.ingest.load import load
from reporting.ingest.verify import Verification, verify
from reporting.settings import Settings
from reporting.sources.base import Page, Record
from tests.support.habit_syncs import DAILY, Syncs
from tests.support.hubspot_portal import SMALL, Portal, portal


def compared(habits: Syncs) -> Verification:
    return verify(habits.client, habits.settings, DAILY, habits.reader)


def test_after_a_sync_both_are_equal(habits: Syncs) -> None:
    habits.notion.pages["p00002"]["in_trash"] = True
    habits.run("full")
    # A number that no JSON column holds is kept as the nearest that one does.
    habits.notion.pages["p00001"] |= {"number": 2**70}
    habits.edit("p00001")
    habits.notion.pages["p00003"]["in_trash"] = True
    habits.run("full")
    found = compared(habits)
    assert found.is_equal
    assert (found.source_count, found.warehouse_count, found.gone) == (10, 10, {"trashed": 1})
    assert (found.changed_count, found.late_count) == (0, 0)
    assert not list(Path(habits.landing.uri).rglob("*verify*"))


def test_what_is_seeded_is_found(habits: Syncs) -> None:
    habits.run("full")
    table = f"raw.{DAILY.table}"
    habits.query(f"DELETE FROM {table} WHERE id = 'p00001'")
    habits.query(f"UPDATE {table} SET _content_hash = 'x' WHERE id = 'p00002'")
    gone = "_deleted_at = CURRENT_TIMESTAMP(), _deleted_reason = 'missing'"
    habits.query(f"UPDATE {table} SET {gone} WHERE id = 'p00003'")
    habits.query(f"INSERT INTO {table} (id, _content_hash) VALUES ('q', 'x')")
    habits.notion.pages["p00004"]["in_trash"] = True
    habits.edit("p00005")
    found = compared(habits)
    assert found.differences == {
        "missing": ("p00001",),
        "tombstoned": ("p00003",),
        "different": ("p00002", "p00005"),
        "extra": ("p00004", "q"),
    }
    assert (found.late_count, found.changed_count) == (1, 0)


class Meddling:
    """Does something between the two looks at the source."""

    def __init__(self, habits: Syncs, meddle: Callable[[], None]) -> None:
        self._reader = habits.reader()
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def would_meet(self, record_id: str) -> bool:
        return True

    def read(self, since: datetime | None) -> Iterator[Page]:
        yield from self._reader.read(since)
        self._meddle()


def test_what_changes_meanwhile_is_no_difference(habits: Syncs) -> None:
    habits.run("full")
    pages = habits.notion.pages

    def meddle() -> None:
        """One edit that is loaded at once, one that is not, one new page and one that goes."""
        habits.edit("p00001", "loaded")
        pages["new"] = {**pages["p00000"], "id": "new"}
        pages["p00002"]["in_trash"] = True
        habits.run("full")
        habits.edit("p00003", "not loaded")
        habits.query(f"UPDATE raw.{DAILY.table} SET _content_hash = 'x' WHERE id IN ('p00003', 'p00007')")

    found = verify(habits.client, habits.settings, DAILY, lambda: Meddling(habits, meddle))  # type: ignore[arg-type,return-value]
    assert found.differences == {"different": ("p00007",)}
    assert found.changed_count == 4


def test_a_page_that_the_list_lacked_and_that_is_there_is_no_difference(habits: Syncs) -> None:
    habits.run("full")
    page = habits.notion.pages.pop("p00004")
    found = verify(
        habits.client,
        habits.settings,
        DAILY,
        lambda: Meddling(habits, lambda: habits.notion.pages.update({"p00004": page})),  # type: ignore[arg-type,return-value]
    )
    assert found.is_equal
    assert found.changed_count == 1


@pytest.fixture(scope="module")
def crm(
    shared_warehouse: tuple[bigquery.Client, Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Portal]:
    """A portal with a merge and one in the recycling bin, loaded."""
    client, settings = shared_warehouse
    folder = tmp_path_factory.mktemp("verify")
    with portal(folder / "portal", *SMALL) as running:
        winner, loser, archived, erased = list(running.truth("contacts"))[:4]
        landing = Landing(str(folder / "landing"))

        def load_all() -> None:
            for kind in ("contacts", "owners", "associations"):
                reader = running.reader(kind)
                made = extract(
                    client, settings, running.entity(kind), "full", reader, landing, tombstone_share=1.0
                )
                reader.close()
                load(client, settings, running.entity(kind), landing, made, tombstone_share=1.0)

        load_all()
        running.merge("contacts", winner, loser)
        running.archive("contacts", archived)
        running.erase("contacts", erased)
        load_all()
        yield running


@pytest.mark.parametrize("kind", ["contacts", "owners", "associations"])
def test_merges_archives_and_lists_are_compared(
    crm: Portal, shared_warehouse: tuple[bigquery.Client, Settings], kind: str
) -> None:
    found = verify(*shared_warehouse, crm.entity(kind), lambda: crm.reader(kind))
    assert found.differences == {}
    assert found.source_count == found.warehouse_count > 0
    if kind == "contacts":
        assert found.gone == {"merged": 1, "archived": 1, "missing": 1}


def test_wrong_reasons_and_winners_are_found(
    crm: Portal, shared_warehouse: tuple[bigquery.Client, Settings]
) -> None:
    client, settings = shared_warehouse
    table = f"{settings.dataset('raw')}.hubspot__contacts"

    def plant(change: str, reason: str) -> str:
        (row,) = client.query_and_wait(f"SELECT id FROM {table} WHERE _deleted_reason = '{reason}'")
        client.query_and_wait(f"UPDATE {table} SET {change} WHERE id = '{row['id']}'")
        return str(row["id"])

    merged = plant("_merged_into_id = '1'", "merged")
    archived = plant("_deleted_at = NULL, _deleted_reason = NULL", "archived")
    found = verify(client, settings, crm.entity("contacts"), lambda: crm.reader("contacts"))
    assert found.differences == {"extra": (archived,), "other reason": (merged,)}


def test_a_list_is_read_again_as_a_whole(
    crm: Portal, shared_warehouse: tuple[bigquery.Client, Settings]
) -> None:
    client, settings = shared_warehouse
    table = f"{settings.dataset('raw')}.hubspot__owners"
    client.query_and_wait(f"DELETE FROM {table} WHERE id = '503'")
    opened = 0

    def reader() -> Any:
        nonlocal opened
        opened += 1
        return crm.reader("owners")

    assert verify(client, settings, crm.entity("owners"), reader).differences == {"missing": ("503",)}
    assert opened == 2


def test_the_command_prints_ids_and_no_content(
    crm: Portal,
    shared_warehouse: tuple[bigquery.Client, Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client, settings = shared_warehouse
    for variable, value in {
        **settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
        "REPORTING_CONFIG": "/nowhere",
        "AIRFLOW_CONN_HUBSPOT": json.dumps(
            {"conn_type": "http", "password": "pat-hidden", "host": crm.address}
        ),
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(variable, value)

    def run(*arguments: str) -> int:
        return call("verify", [*arguments, "--data", str(settings.state)])

    assert run("hubspot__associations") == 0
    assert "hubspot__associations" in capsys.readouterr().out
    key = next(key for key, each in crm.truth("contacts").items() if not each["archived"])
    table = f"{settings.dataset('raw')}.hubspot__contacts"
    email = crm.truth("contacts")[key]["properties"]["email"]
    client.query_and_wait(f"DELETE FROM {table} WHERE TRUE")
    assert run("hubspot.contacts") == 1
    said = capsys.readouterr().out
    assert "in the source, but not in the warehouse" in said
    assert key in said
    assert "and 9 more" in said
    assert email not in said
    assert run("hubspot__contacts", "--json") == 1
    written = capsys.readouterr().out
    (found,) = json.loads(written)
    assert (found["entity"], found["is_equal"], found["warehouse"]) == ("hubspot__contacts", False, 0)
    assert key in {each for ids in found["differences"].values() for each in ids}
    assert email not in written
    with pytest.raises(CommandError, match="not configured"):
        run("notion__daily_habits")


def test_the_latest_of_what_is_read_twice_counts(habits: Syncs) -> None:
    habits.run("full")
    page = habits.notion.pages["p00001"]

    class Twice(Meddling):
        def read(self, since: datetime | None) -> Iterator[Page]:
            yield from self._reader.read(since)
            habits.edit("p00001", "second")
            habits.run("changed")
            yield Page(datetime.now(UTC) + timedelta(seconds=1), (Record(dict(page)),))

    found = verify(habits.client, habits.settings, DAILY, lambda: Twice(habits, lambda: None))  # type: ignore[arg-type,return-value]
    assert found.is_equal
