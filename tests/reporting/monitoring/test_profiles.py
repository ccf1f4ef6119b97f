"""What a profile says of a raw table, when one is taken, and what stays out of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.monitoring import profiles, records
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES, entity_named
from reporting.warehouse.tables import describe

GROUPS, CONTACTS = entity_named("google.contact_groups"), entity_named("google.contacts")
# Each test has days of its own: a profile is kept once a day.
AT = datetime(2026, 6, 30, 3, 41, tzinfo=UTC)
DAY = timedelta(days=1)


class SampleWarehouse:
    """The raw tables of one warehouse, and their profiles."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        self.client, self.settings = client, settings

    def query(self, sql: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.client.query_and_wait(sql)]

    def raw(self, entity: Entity) -> str:
        return f"{self.settings.dataset('raw')}.{entity.table}"

    def load(self, entity: Entity, at: datetime, changes: int = 1) -> None:
        """A run in the sync log."""
        self.query(
            f"""
            INSERT INTO {self.settings.dataset("ops")}.sync_runs
                (run_id, source, entity, refresh, committed_at, rows_inserted, rows_updated, rows_tombstoned, is_complete)
            VALUES ('{entity.table}-{at:%Y%m%dT%H%M%S}', '{entity.source}', '{entity.name}', 'full',
                TIMESTAMP '{at.isoformat()}', {changes}, 0, 0, TRUE)
            """
        )

    def due(self, now: datetime) -> list[Entity]:
        return profiles.due(self.client, self.settings, now)

    def take(self, entity: Entity, now: datetime) -> dict[str, dict[str, Any]]:
        """Take a profile, and return the rows of that moment by column."""
        profiles.take(self.client, self.settings, entity, now)
        sql = f"SELECT * FROM {self.settings.dataset('ops')}.table_profiles"
        taken = (
            row for row in self.query(sql) if (row["table_name"], row["profiled_at"]) == (entity.table, now)
        )
        return {row["column_name"]: row for row in taken}


@pytest.fixture
def sample_warehouse(shared_warehouse: tuple[bigquery.Client, Settings]) -> SampleWarehouse:
    made = SampleWarehouse(*shared_warehouse)
    ops = made.settings.dataset("ops")
    for table in (f"{ops}.sync_runs", f"{ops}.table_profiles", made.raw(GROUPS), made.raw(CONTACTS)):
        made.query(f"DELETE FROM {table} WHERE TRUE")
    return made


def test_rows_empty_cells_values_and_bounds_are_told(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.query(
        f"""
        INSERT INTO {sample_warehouse.raw(GROUPS)} (id, name, member_count, updated_at, _deleted_at)
        VALUES ('a', 'Family', 3, TIMESTAMP '2026-01-02 03:04:05+00', NULL),
            ('b', 'Ünal', 0, TIMESTAMP '2026-02-02 03:04:05+00', NULL),
            ('c', NULL, 12, NULL, NULL),
            ('d', 'gone', 99, NULL, TIMESTAMP '2026-03-02 03:04:05+00')
        """
    )
    found = sample_warehouse.take(GROUPS, AT)
    told = {
        name: tuple(row[each] for each in ("kind", "null_count", "distinct_count", "minimum", "maximum"))
        for name, row in found.items()
    }
    assert told["id"] == ("text", 0, 3, "1", "1")
    assert told["name"] == ("text", 1, 2, "4", "6")
    assert told["member_count"] == ("number", 0, 3, "0", "12")
    assert told["updated_at"] == ("time", 1, 2, "2026-01-02T03:04:05Z", "2026-02-02T03:04:05Z")
    assert told["etag"] == ("text", 3, 0, None, None)
    assert {(row["row_count"], row["deleted_count"]) for row in found.values()} == {(3, 1)}
    assert {row["table_name"] for row in found.values()} == {"google__contact_groups"}


def test_of_texts_and_lists_only_lengths_are_kept(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.query(
        f"""
        INSERT INTO {sample_warehouse.raw(CONTACTS)} (id, contact_id, previous_resource_names)
        VALUES ('people/secret', 'secret', ['secret', 'other']), ('people/b', NULL, [])
        """
    )
    found = sample_warehouse.take(CONTACTS, AT)
    assert "secret" not in str(found)
    lists = found["previous_resource_names"]
    assert (lists["kind"], lists["null_count"], lists["minimum"], lists["maximum"]) == ("list", 1, "0", "2")
    assert lists["distinct_count"] is None
    assert found["birthdays"]["kind"] == "list"
    assert not [name for name in found if name in ("_payload", "_content_hash", "_run_id", "_deleted_at")]


def test_an_empty_table_has_a_profile(sample_warehouse: SampleWarehouse) -> None:
    found = sample_warehouse.take(GROUPS, AT + 10 * DAY)
    assert {(row["row_count"], row["null_count"], row["maximum"]) for row in found.values()} == {(0, 0, None)}


def test_every_raw_table_can_be_profiled(sample_warehouse: SampleWarehouse) -> None:
    for entity in ENTITIES:
        found = sample_warehouse.take(entity, AT + 20 * DAY)
        described = {column.name for column in describe().tables[f"raw.{entity.table}"].columns}
        expected = {name for name in described if not name.startswith("_")} | set(profiles.LOADER_TIMES)
        assert found.keys() == expected, entity.table


def test_a_table_is_profiled_after_a_change_and_once_a_day(sample_warehouse: SampleWarehouse) -> None:
    now = AT + 30 * DAY
    assert sample_warehouse.due(now) == []
    sample_warehouse.load(CONTACTS, now - DAY, changes=0)
    sample_warehouse.load(GROUPS, now - DAY)
    assert sample_warehouse.due(now) == [GROUPS]
    assert sample_warehouse.take(GROUPS, now)
    assert sample_warehouse.due(now + DAY) == []
    # A change within the same day waits for the next.
    sample_warehouse.load(GROUPS, now + timedelta(hours=1))
    assert sample_warehouse.due(now + timedelta(hours=2)) == []
    assert sample_warehouse.due(now + DAY) == [GROUPS]


def test_a_profile_that_is_repeated_is_one(sample_warehouse: SampleWarehouse) -> None:
    first = sample_warehouse.take(CONTACTS, AT + 40 * DAY)
    assert first
    assert sample_warehouse.take(CONTACTS, AT + 40 * DAY + timedelta(minutes=1)) == {}


def test_old_profiles_go(sample_warehouse: SampleWarehouse) -> None:
    sample_warehouse.take(GROUPS, AT + 50 * DAY)
    assert (
        records.forget(sample_warehouse.client, sample_warehouse.settings, AT + 50 * DAY + records.KEPT) == 0
    )
    removed = records.forget(sample_warehouse.client, sample_warehouse.settings, AT + 51 * DAY + records.KEPT)
    assert removed == len(
        list(profiles.profiled(sample_warehouse.client.get_table(sample_warehouse.raw(GROUPS))))
    )
