"""A table of a database, read by SQLAlchemy and loaded: what changed, everything, what is gone, and what goes wrong."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.entities import SQL
from reporting.extract import extract
from reporting.landing import Landing, Refresh
from reporting.readers import open_reader
from reporting.settings import Settings
from reporting.sources.base import NotFoundError, SourceError, SourceUnavailableError
from reporting.sources.sql import SqlReader, _plain
from reporting.warehouse import states
from reporting.warehouse.ledger import Counts
from reporting.warehouse.load import load
from sandbox import sql

[TIMES] = SQL
TODAY = date(2026, 3, 15)


class Rounds:
    """Reads and loads the table of one SQLite file."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.client, self.settings = client, settings
        self.path = folder / "hours.sqlite"
        self.landing = Landing(str(folder / "landing"))
        sql.create(self.path, TODAY)

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(statement, values)

    def run(self, refresh: Refresh, **options: Any) -> Counts:
        reader = open_reader(self.settings, TIMES, sql.address(self.path))
        try:
            folder = extract(
                self.client,
                self.settings,
                TIMES,
                refresh,
                reader,
                self.landing,
                tombstone_share=1.0,
                **options,
            )
        finally:
            reader.close()
        return load(self.client, self.settings, TIMES, self.landing, folder, tombstone_share=1.0)

    def rows(self, where: str = "TRUE") -> list[dict[str, Any]]:
        table = f"{self.settings.dataset('raw')}.{TIMES.table}"
        found = self.client.query(f"SELECT * FROM {table} WHERE {where} ORDER BY CAST(id AS INT64)").result()
        return [dict(row) for row in found]


@pytest.fixture
def rounds(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Rounds:
    made = Rounds(*shared_warehouse, tmp_path)
    for name in (f"raw.{TIMES.table}", "ops.sync_runs"):
        dataset, _, table = name.partition(".")
        made.client.query(f"DELETE FROM {made.settings.dataset(dataset)}.{table} WHERE TRUE").result()
    states.forget(made.settings, TIMES)
    return made


def test_a_sweep_brings_every_row_as_it_is(rounds: Rounds) -> None:
    with closing(sqlite3.connect(rounds.path)) as database:
        database.row_factory = sqlite3.Row
        expected = database.execute("SELECT * FROM time_entries ORDER BY id").fetchall()
    assert rounds.run("full") == Counts(*[len(expected)] * 2, 0, 0, *[len(expected)] * 2)
    found = rounds.rows()
    assert [int(row["id"]) for row in found] == [row["id"] for row in expected]
    for row, there in zip(found, expected, strict=True):
        assert (row["project"], row["task"]) == (there["project"], there["task"])
        assert datetime.fromisoformat(row["started_at"]) == datetime.fromisoformat(
            there["started_at"]
        ).replace(tzinfo=UTC)
        assert Decimal(row["minutes"]) == Decimal(str(there["minutes"]))
        assert row["is_billable"] == str(bool(there["is_billable"])).lower()
    assert rounds.run("full") == Counts(len(expected))


def test_what_changed_is_read_from_the_cursor_and_what_is_gone_by_a_sweep(rounds: Rounds) -> None:
    count = rounds.run("full").inserted
    now = datetime.now(UTC).replace(tzinfo=None)
    rounds.change("UPDATE time_entries SET task = 'Other', modified_at = ? WHERE id = 1", str(now))
    rounds.change("UPDATE time_entries SET task = 'Nobody says when', modified_at = NULL WHERE id = 2")
    rounds.change("DELETE FROM time_entries WHERE id = 3")
    rounds.change("INSERT INTO time_entries VALUES (9001, 'New', NULL, ?, NULL, 0, ?)", str(now), str(now))
    changed = rounds.run("changed")
    assert (changed.read, changed.inserted, changed.updated, changed.tombstoned) == (3, 1, 2, 0)
    [new] = rounds.rows("id = '9001'")
    assert (new["task"], new["minutes"], new["is_billable"]) == (None, None, "false")
    # Within the overlap it is read once more, and nothing changes.
    assert (rounds.run("changed").read, rounds.run("changed").updated) == (3, 0)
    assert rounds.run("full").tombstoned == 1
    assert [row["id"] for row in rounds.rows("_deleted_reason = 'missing'")] == ["3"]
    assert len(rounds.rows("_deleted_at IS NULL")) == count


def test_a_row_that_was_written_just_before_the_cursor_is_met(rounds: Rounds) -> None:
    rounds.run("full")
    late = (datetime.now(UTC) - timedelta(minutes=5)).replace(tzinfo=None)
    rounds.change("UPDATE time_entries SET task = 'Late', modified_at = ? WHERE id = 4", str(late))
    assert rounds.run("changed").updated == 1


def test_a_table_without_a_time_of_changes_is_read_whole(rounds: Rounds) -> None:
    entity = replace(TIMES, modified=None, has_changed=False)
    reader = SqlReader(sql.address(rounds.path), entity, "time_entries")
    reader.describe()
    read = [len(page.records) for page in reader.read(datetime.now(UTC))]
    reader.close()
    assert sum(read) == rounds.run("full").read
    assert max(read) == entity.page_size


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("DROP TABLE time_entries", NotFoundError, "has no table 'time_entries' for sql__time_entries"),
        ("ALTER TABLE time_entries RENAME COLUMN minutes TO m", SourceError, "lacks minutes"),
        ("ALTER TABLE time_entries RENAME COLUMN modified_at TO m", SourceError, "lacks modified_at"),
    ],
)  # fmt: skip
def test_a_table_that_is_another_is_named(
    rounds: Rounds, change: str, error: type[Exception], said: str
) -> None:
    rounds.change(change)
    with pytest.raises(error, match=said):
        rounds.run("full")


def test_another_table_can_be_named(rounds: Rounds) -> None:
    rounds.change("ALTER TABLE time_entries RENAME TO hours")
    rounds.settings = replace(rounds.settings, names={TIMES.table: "hours"})
    assert rounds.run("full").inserted > 100


@pytest.mark.parametrize(
    "address", ["hidden", "nothing://user:hidden@127.0.0.1/db", "", "postgresql+hidden://"]
)
def test_an_address_that_is_none_is_not_shown(address: str) -> None:
    with pytest.raises(SourceError, match="holds no address") as caught:
        SqlReader(address, TIMES, "time_entries")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"no database" * 200)]
)
def test_a_database_that_cannot_be_read_is_not_shown(make: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "hidden.sqlite"
    make(path)
    reader = SqlReader(sql.address(path), TIMES, "time_entries")
    with pytest.raises(SourceUnavailableError, match=r"cannot be read \(\w+\)") as caught:
        reader.describe()
    reader.close()
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (datetime(2026, 3, 1, 8, 30), "2026-03-01T08:30:00+00:00"),  # noqa: DTZ001 (as a database gives it)
        (datetime(2026, 3, 1, 8, 30, tzinfo=UTC), "2026-03-01T08:30:00+00:00"),
        (date(2026, 3, 1), "2026-03-01"),
        (True, True),
        (None, None),
        (b"x", "b'x'"),
    ],
)  # fmt: skip
def test_a_value_becomes_what_json_has(value: Any, expected: Any) -> None:
    assert _plain(value) == expected
