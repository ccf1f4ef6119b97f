"""Tables as snapshots in another project. There is no BigQuery here that makes them: the statements are what is checked."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.cloud import bigquery

from reporting.backup.copies import Copy, DamagedCopyError, Snapshots
from reporting.settings import SettingError, read_settings

AT = datetime(2026, 11, 21, tzinfo=UTC)
FIELDS = [bigquery.SchemaField("id", "STRING", "REQUIRED"), bigquery.SchemaField("_payload", "JSON")]
VAULT = "my-backups.reporting"
NAME = "raw.hubspot__contacts"


class FakeClient:
    """Keeps the statements, and answers as `rows` and `counts` say."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.parameters: list[Any] = []
        self.rows: list[dict[str, Any]] = []
        self.counts: dict[str, Any] = {"n": 3, "x": -5}
        self.tables: list[str] = []
        self.deleted: list[str] = []

    def query_and_wait(self, sql: str, job_config: Any = None) -> Any:
        self.statements.append(sql)
        self.parameters += job_config.query_parameters if job_config else []
        found = [self.counts] if sql.startswith("SELECT COUNT") else self.rows
        return iter(found)

    def query(self, sql: str) -> Any:
        """A job whose answer is read page by page."""
        return SimpleNamespace(result=lambda page_size: self.query_and_wait(sql))

    def list_tables(self, dataset: str) -> list[Any]:
        assert dataset == VAULT
        return [SimpleNamespace(table_id=each) for each in self.tables]

    def delete_table(self, place: str, not_found_ok: bool) -> None:
        self.deleted.append(place)


def table(modified: datetime = AT) -> bigquery.Table:
    made = bigquery.Table("mine.raw.hubspot__contacts", schema=FIELDS)
    made._properties["lastModifiedTime"] = str(int(modified.timestamp() * 1000))
    return made


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def snapshots(client: FakeClient) -> Snapshots:
    return Snapshots(cast(bigquery.Client, client), VAULT)


def test_a_snapshot_of_what_changed(snapshots: Snapshots, client: FakeClient) -> None:
    first = snapshots.keep(table(), NAME, "20261121T000000000000", None)
    place = f"{VAULT}.raw__hubspot__contacts__20261121T000000000000"
    assert client.statements[:2] == [
        f"DROP SNAPSHOT TABLE IF EXISTS `{place}`",
        f"CREATE SNAPSHOT TABLE `{place}` CLONE `mine.raw.hubspot__contacts`",
    ]
    assert (first.place, first.row_count, first.checksum) == (place, 3, "3--5")
    client.statements.clear()
    assert snapshots.keep(table(), NAME, "20261122T000000000000", first) is first
    assert client.statements == []
    later = snapshots.keep(table(AT + timedelta(hours=1)), NAME, "20261122T000000000000", first)
    assert later.place.endswith("20261122T000000000000")
    assert Copy.from_json(json.loads(json.dumps(later.to_json()))) == later


def test_a_snapshot_that_is_another_is_named(snapshots: Snapshots, client: FakeClient) -> None:
    kept = snapshots.keep(table(), NAME, "20261121T000000000000", None)
    snapshots.check(kept)
    client.counts = {"n": 2, "x": None}
    with pytest.raises(DamagedCopyError, match=rf"{kept.place} should hold {NAME} .* but has 2-0"):
        snapshots.restore(kept, table())
    client.counts = {"n": 3, "x": -5}
    snapshots.restore(kept, table())
    assert client.statements[-1] == (
        f"INSERT INTO `mine.raw.hubspot__contacts` (`id`, `_payload`) SELECT `id`, `_payload` FROM `{kept.place}`"
    )


def test_somebody_is_taken_out_of_a_snapshot(snapshots: Snapshots, client: FakeClient) -> None:
    kept = snapshots.keep(table(), NAME, "20261121T000000000000", None)
    client.rows = [{"id": "1", "_payload": "{}"}, {"id": "2", "_payload": "{}"}]
    assert snapshots.without(kept, lambda row: False, "20261123T000000000000") is None
    client.statements.clear()
    new = snapshots.without(kept, lambda row: row["id"] == "2", "20261123T000000000000")
    assert new
    assert new.place != kept.place
    assert client.parameters[-1].values == ["2"]
    clone = f"{VAULT}.erasing__raw__hubspot__contacts"
    assert client.statements[1:-1] == [
        f"DROP TABLE IF EXISTS `{clone}`",
        f"CREATE TABLE `{clone}` CLONE `{kept.place}`",
        f"DELETE FROM `{clone}` WHERE `id` IN UNNEST(@erased)",
        f"DROP SNAPSHOT TABLE IF EXISTS `{new.place}`",
        f"CREATE SNAPSHOT TABLE `{new.place}` CLONE `{clone}`",
        f"DROP TABLE `{clone}`",
    ]
    # The next backup makes its own.
    assert new.modified_at is None


def test_only_what_no_list_names_goes(snapshots: Snapshots, client: FakeClient) -> None:
    client.tables = ["raw__a__1", "raw__a__2", "erasing__raw__a"]
    assert snapshots.discard(lambda place, backup_id: backup_id == "2") == 2
    assert client.deleted == [f"{VAULT}.raw__a__1", f"{VAULT}.erasing__raw__a"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"REPORTING_BACKUP_DATASET": "nothing"}, "it takes a dataset of another project"),
        (
            {"REPORTING_BACKUP_DATASET": "mine-mine.backups", "REPORTING_BIGQUERY_PROJECT": "mine-mine"},
            "is in the project that the backup protects",
        ),
        ({"REPORTING_BACKUP_DATASET": VAULT}, "REPORTING_BACKUP_URI is not"),
        ({"REPORTING_BACKUP_DAYS": "0"}, "REPORTING_BACKUP_DAYS is '0'"),
    ],
)
def test_a_bad_place_is_refused(given: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        _ = read_settings(given).backup_dataset
