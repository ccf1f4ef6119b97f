"""A table of a database, read by SQLAlchemy and loaded: what changed, everything, what is gone, and what goes wrong."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from google.cloud import bigquery
from sqlalchemy import make_url

from reporting.entity import Property
from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.sync_log import Counts
from reporting.settings import Settings
from reporting.sources.base import ClockError, NotFoundError, Record, SourceError, SourceUnavailableError
from reporting.sources.registry import open_reader
from reporting.sources.sql import databases
from reporting.sources.sql.databases import plain
from reporting.sources.sql.entities import SQL, SqlTable
from reporting.sources.sql.reader import SqlReader
from sandbox import sql
from tests.support import postgres
from tests.support.syncs import Syncs

[TIMES] = SQL
TODAY = date(2026, 3, 15)


class Syncs(Syncs):
    """Reads and loads the table of one SQLite file."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.path = folder / "hours.sqlite"
        super().__init__(client, settings, Landing(str(folder / "landing")))
        sql.create(self.path, TODAY)

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute(statement, values)

    def run(self, refresh: Refresh, **options: Any) -> Counts:
        reader = open_reader(self.settings, TIMES, sql.address(self.path))
        return self.synced(TIMES, refresh, reader, **options)

    def rows(self, where: str = "TRUE") -> list[dict[str, Any]]:
        table = f"{self.settings.dataset('raw')}.{TIMES.table}"
        found = self.client.query_and_wait(f"SELECT * FROM {table} WHERE {where} ORDER BY CAST(id AS INT64)")
        return [dict(row) for row in found]


@pytest.fixture
def syncs(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Syncs:
    made = Syncs(*shared_warehouse, tmp_path)
    made.forget(TIMES)
    return made


def test_a_full_refresh_brings_every_row_as_it_is(syncs: Syncs) -> None:
    with closing(sqlite3.connect(syncs.path)) as database:
        database.row_factory = sqlite3.Row
        expected = database.execute("SELECT * FROM time_entries ORDER BY id").fetchall()
    assert syncs.run("full") == Counts(*[len(expected)] * 2, 0, 0, *[len(expected)] * 2)
    found = syncs.rows()
    assert [int(row["id"]) for row in found] == [row["id"] for row in expected]
    for row, there in zip(found, expected, strict=True):
        assert (row["project"], row["task"]) == (there["project"], there["task"])
        assert datetime.fromisoformat(row["started_at"]) == datetime.fromisoformat(
            there["started_at"]
        ).replace(tzinfo=UTC)
        assert Decimal(row["minutes"]) == Decimal(str(there["minutes"]))
        assert row["is_billable"] == str(bool(there["is_billable"])).lower()
    assert syncs.run("full") == Counts(len(expected))


def test_what_changed_is_read_from_the_cursor_and_what_is_gone_by_a_full_refresh(syncs: Syncs) -> None:
    count = syncs.run("full").inserted
    now = datetime.now(UTC).replace(tzinfo=None)
    syncs.change("UPDATE time_entries SET task = 'Other', modified_at = ? WHERE id = 1", str(now))
    syncs.change("UPDATE time_entries SET task = 'Nobody says when', modified_at = NULL WHERE id = 2")
    syncs.change("DELETE FROM time_entries WHERE id = 3")
    syncs.change("INSERT INTO time_entries VALUES (9001, 'New', NULL, ?, NULL, 0, ?)", str(now), str(now))
    changed = syncs.run("changed")
    assert (changed.read, changed.inserted, changed.updated, changed.tombstoned) == (3, 1, 2, 0)
    [new] = syncs.rows("id = '9001'")
    assert (new["task"], new["minutes"], new["is_billable"]) == (None, None, "false")
    # Within the overlap it is read once more, and nothing changes.
    assert (syncs.run("changed").read, syncs.run("changed").updated) == (3, 0)
    assert syncs.run("full").tombstoned == 1
    assert [row["id"] for row in syncs.rows("_deleted_reason = 'missing'")] == ["3"]
    assert len(syncs.rows("_deleted_at IS NULL")) == count


def test_a_row_that_was_written_just_before_the_cursor_is_met(syncs: Syncs) -> None:
    syncs.run("full")
    late = (datetime.now(UTC) - timedelta(minutes=5)).replace(tzinfo=None)
    syncs.change("UPDATE time_entries SET task = 'Late', modified_at = ? WHERE id = 4", str(late))
    assert syncs.run("changed").updated == 1


def test_a_table_without_a_time_of_changes_is_read_whole(syncs: Syncs) -> None:
    entity = replace(TIMES, modified=None, has_changed=False)
    reader = SqlReader(sql.address(syncs.path), entity, "time_entries")
    reader.describe()
    read = [len(page.records) for page in reader.read(datetime.now(UTC))]
    reader.close()
    assert sum(read) == syncs.run("full").read
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
    syncs: Syncs, change: str, error: type[Exception], said: str
) -> None:
    syncs.change(change)
    with pytest.raises(error, match=said):
        syncs.run("full")


def test_another_table_can_be_named(syncs: Syncs) -> None:
    syncs.change("ALTER TABLE time_entries RENAME TO hours")
    syncs.settings = replace(syncs.settings, names={TIMES.table: "hours"})
    assert syncs.run("full").inserted > 100


@pytest.mark.parametrize(
    "address", ["hidden", "nothing://user:hidden@127.0.0.1/db", "", "postgresql+hidden://"]
)
def test_an_address_that_is_none_is_not_shown(address: str) -> None:
    with pytest.raises(SourceError, match="does not hold an address") as caught:
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
        (b"x", "eA=="),
        (memoryview(b"x"), "eA=="),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (Decimal("NaN"), "NaN"),
        ({"a": True, 1: [math.nan, b"x", None]}, {"a": True, "1": ["NaN", "eA==", None]}),
        ((1, "two"), [1, "two"]),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (timedelta(days=1, hours=2, milliseconds=500), "PT93600.5S"),
        ("half \ud83c", "half ?"),
    ],
)  # fmt: skip
def test_a_value_becomes_what_json_has(value: Any, expected: Any) -> None:
    assert plain(value) == expected


def read_all(address: str, entity: SqlTable = TIMES, since: datetime | None = None) -> list[Record]:
    reader = SqlReader(address, entity, entity.name)
    try:
        reader.describe()
        return [record for page in reader.read(since) for record in page.records]
    finally:
        reader.close()


def test_values_that_are_none_of_their_type_do_not_stop_the_others(syncs: Syncs) -> None:
    count = syncs.run("full").inserted
    strange = [
        "05/01/2026 10:00",
        1772353800000,
        "0000-00-00 00:00:00",
        "2026-02-30 10:00",
        b"\x00\xff",
        1e300,
        "",
    ]
    for number, value in enumerate(strange, 9001):
        syncs.change("INSERT INTO time_entries VALUES (?, 'P', 'T', ?, 5, 1, ?)", number, value, value)
    syncs.change(
        "INSERT INTO time_entries VALUES (9100, CAST(x'ff41' AS TEXT), 'T', '2026-03-01', 9e999, 'no', NULL)"
    )
    syncs.change(
        "INSERT INTO time_entries VALUES (9101, 'P', 'T', '2026-03-01 10:00:00', 'about 20', 7, NULL)"
    )
    # They are met by the hourly read, too: what is no time tells nothing of when it was written. SQLite takes the 30th of
    # February for a day.
    assert syncs.run("changed").inserted == len(strange) + 2 - 1
    assert syncs.run("full").inserted == 1
    assert len(syncs.rows("_deleted_at IS NULL")) == count + len(strange) + 2
    found = {row["id"]: row for row in syncs.rows("CAST(id AS INT64) > 9000")}
    assert found["9001"]["started_at"] == "05/01/2026 10:00"
    assert found["9002"]["started_at"] == "1772353800000"
    assert found["9100"]["project"] == "\N{REPLACEMENT CHARACTER}A"
    assert (found["9100"]["minutes"], found["9100"]["is_billable"]) == (None, "no")
    assert found["9100"]["_payload"]["row"]["minutes"] == "Infinity"
    assert (found["9101"]["minutes"], found["9101"]["is_billable"]) == ("about 20", "7")
    assert found["9101"]["_payload"]["row"]["started_at"] == "2026-03-01T10:00:00+00:00"


def test_what_a_driver_raises_is_not_shown(syncs: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("a value that is hidden")

    monkeypatch.setattr("reporting.sources.sql.databases.value_of", fail)
    with pytest.raises(SourceUnavailableError, match=r"cannot be read \(ValueError\)") as caught:
        read_all(sql.address(syncs.path))
    assert "hidden" not in str(caught.value)


def test_a_key_that_is_there_twice_is_named_and_nothing_is_lost(syncs: Syncs) -> None:
    count = syncs.run("full").inserted
    syncs.change("ALTER TABLE time_entries RENAME TO hours")
    syncs.change("CREATE VIEW time_entries AS SELECT * FROM hours UNION ALL SELECT * FROM hours WHERE id = 7")
    with pytest.raises(
        SourceError, match=r"'time_entries' .* the same id in more than one row.*HAVING COUNT"
    ) as caught:
        syncs.run("full")
    assert "7" not in str(caught.value)
    assert len(syncs.rows("_deleted_at IS NULL")) == count


def test_a_row_without_a_key_is_rejected_and_the_others_are_loaded(syncs: Syncs) -> None:
    count = len(read_all(sql.address(syncs.path)))
    syncs.change("ALTER TABLE time_entries RENAME TO hours")
    syncs.change(
        "CREATE VIEW time_entries AS SELECT * FROM hours UNION ALL SELECT NULL, 'P', 'T', 0, 0, 0, 0 FROM (SELECT 1 UNION ALL SELECT 2)"
    )
    assert syncs.run("full").inserted == count


def test_only_the_columns_that_are_named_are_read(syncs: Syncs) -> None:
    syncs.change("ALTER TABLE time_entries ADD COLUMN password TEXT DEFAULT 'hidden'")
    for record in read_all(sql.address(syncs.path)):
        assert set(record.payload["row"]) == {"id", "modified_at", *TIMES.columns}


@pytest.mark.parametrize("written", ["2026-03-15 11:00:00", "2026-03-15T11:00:00Z", "2026-03-15", "2026-03-15T06:00:00-05:00", 1773572400])  # fmt: skip
def test_a_time_of_a_change_is_met_however_it_is_written(syncs: Syncs, written: Any) -> None:
    syncs.change("UPDATE time_entries SET modified_at = '2026-03-01 10:00:00'")
    syncs.change("UPDATE time_entries SET modified_at = ? WHERE id = 5", written)
    found = read_all(sql.address(syncs.path), since=datetime(2026, 3, 15, 11, tzinfo=UTC))
    assert [each.id for each in found] == ["5"]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg2://u:hidden@db.example.com/x?sslmode=prefer",
        "postgresql+psycopg2://u:hidden@/x?host=127.0.0.1&host=db.example.com&sslmode=allow",
        "postgresql+psycopg2://u:hidden@127.0.0.1/x?hostaddr=192.0.2.1&sslmode=prefer",
    ],
)
def test_an_address_of_another_machine_is_over_tls(address: str) -> None:
    with pytest.raises(SourceError, match=r"sslmode=require.*add sslmode=disable") as caught:
        SqlReader(address, TIMES, "time_entries")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "backend", "is_refused"),
    [
        ("mysql+pymysql://u:p@db.example.com/x", "mysql", True),
        ("mysql+pymysql://u:p@db.example.com/x?ssl_ca=/ca.pem", "mysql", False),
        ("mysql+pymysql://u:p@db.example.com/x?ssl_disabled=true", "mysql", False),
        ("mysql+pymysql://u:p@127.0.0.1/x", "mysql", False),
        ("mysql+pymysql://u:p@/x?unix_socket=/run/mysql.sock", "mysql", False),
        ("mssql+pyodbc://u:p@db.example.com/x?driver=d", "mssql", True),
        ("mssql+pyodbc://u:p@db.example.com/x?driver=d&Encrypt=yes", "mssql", False),
        ("mssql+pyodbc:///?odbc_connect=Server%3Ddb", "mssql", True),
        ("postgresql+psycopg2://u:p@[::1]/x", "postgresql", False),
        ("postgresql+psycopg2://u:p@/x?host=/run/postgresql", "postgresql", False),
        ("postgresql+psycopg2://u:p@db.example.com/x?sslmode=disable", "postgresql", False),
        ("postgresql+psycopg2://u:p@db.example.com/x?sslmode=verify-full", "postgresql", False),
        ("postgresql+pg8000://u:p@db.example.com/x", "postgresql", True),
    ],
)  # fmt: skip
def test_other_drivers_say_how_they_encrypt(address: str, backend: str, is_refused: bool) -> None:
    url = make_url(address)
    if is_refused:
        with pytest.raises(SourceError, match="leads to another machine"):
            databases.encryption(url, backend)
    else:
        assert databases.encryption(url, backend) == {}


def test_postgresql_asks_for_tls_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_url("postgresql+psycopg2://u:p@db.example.com/x")
    assert databases.encryption(url, "postgresql") == {"sslmode": "require"}
    nowhere = make_url("postgresql+psycopg2:///x")
    assert databases.encryption(nowhere, "postgresql") == {}
    # What libpq takes from the environment counts.
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert databases.encryption(nowhere, "postgresql") == {"sslmode": "require"}


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Cluster]:
    with postgres.running() as cluster:
        yield cluster


def with_driver(server: postgres.Cluster) -> str:
    return server.url().replace("postgresql://", "postgresql+psycopg2://")


def test_types_of_postgresql_become_json(server: postgres.Cluster) -> None:
    kinds = {
        "d": "jsonb", "a": "text[]", "b": "bytea", "u": "uuid", "i": "interval", "m": "mood", "n": "int[][]", "r": "int4range",
        "c": "pair", "f": "float8", "x": "numeric", "t": "timestamptz[]", "o": "time", "j": "json", "s": "mood[]", "p": "inet",
        "big": "bigint", "money": "numeric(30,10)", "day": "date",
    }  # fmt: skip
    columns = {name: Property("text", "x.") for name in kinds}
    with server.connect() as cursor:
        cursor.execute(
            "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE pair AS (left_one int, right_one text)"
        )
        cursor.execute(
            f"CREATE TABLE kinds (id int, {', '.join(f'{name} {kind}' for name, kind in kinds.items())})"
        )
        cursor.execute(
            """INSERT INTO kinds VALUES (1, '{"a": true, "n": [1, 0.1, 12345678901234567890.123]}', '{a,NULL,"b c"}', '\\x00ff',
            '00000000-0000-0000-0000-000000000001', '1 day 02:00', 'good', '{{1,2},{3,4}}', '[1,5)', '(1,"x")', 'Infinity', 'NaN',
            '{"0044-03-15 00:00 BC","2026-03-01 10:00+02"}', '10:30', '{"z": "\\u0000", "a": 1e400}', '{bad}', '192.0.2.1',
            9223372036854775807, 0.10, '2026-03-01')"""
        )
        cursor.execute("INSERT INTO kinds (id) VALUES (2)")
    first, second = read_all(with_driver(server), SqlTable(name="kinds", description="x", columns=columns))
    assert set(second.payload["row"].values()) == {2, None}
    assert first.payload["row"] == {
        "id": 1,
        "d": {"a": True, "n": [1, 0.1, "12345678901234567890.123"]},
        "a": ["a", None, "b c"],
        "b": "AP8=",
        "u": "00000000-0000-0000-0000-000000000001",
        "i": "P1DT2H",
        "m": "good",
        "n": [[1, 2], [3, 4]],
        "r": "[1,5)",
        "c": {"left_one": 1, "right_one": "x"},
        "f": "Infinity",
        "x": "NaN",
        "t": ["0044-03-15T00:00:00+00:00 BC", "2026-03-01T08:00:00+00:00"],
        "o": "10:30:00",
        "j": {"z": "\x00", "a": "1e400"},
        "s": ["bad"],
        "p": "192.0.2.1",
        "big": 9223372036854775807,
        "money": "0.1000000000",
        "day": "2026-03-01",
    }


def create_times(server: postgres.Cluster, zone: str) -> None:
    with server.connect() as cursor:
        cursor.execute(f"ALTER DATABASE {postgres.DATABASE} SET timezone TO '{zone}'")
    with server.connect() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS time_entries; CREATE TABLE time_entries (id int PRIMARY KEY, project text, task text, "
            "started_at timestamp, minutes float8, is_billable bool, modified_at timestamp DEFAULT now())"
        )
        cursor.execute("INSERT INTO time_entries (id, modified_at) VALUES (1, '2020-01-01')")


def test_times_that_no_calendar_here_has_do_not_stop_the_others(server: postgres.Cluster) -> None:
    create_times(server, "UTC")
    with server.connect() as cursor:
        cursor.execute(
            "INSERT INTO time_entries (id, started_at, minutes, modified_at) VALUES (2, '0044-03-15 BC', 'NaN', '0044-03-15 BC'), "
            "(3, '20000-01-01', 'Infinity', '20000-01-01'), (4, 'infinity', 1, 'infinity'), (5, '2026-03-01 10:00', 2, NULL)"
        )
    found = {each.id: each.payload["row"] for each in read_all(with_driver(server))}
    assert {key: row["started_at"] for key, row in found.items()} == {
        "1": None, "2": "0044-03-15T00:00:00 BC", "3": "20000-01-01T00:00:00", "4": "infinity", "5": "2026-03-01T10:00:00+00:00",
    }  # fmt: skip
    assert [found[key]["minutes"] for key in "2345"] == ["NaN", "Infinity", 1.0, 2.0]


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Asia/Tokyo", "UTC", "Pacific/Kiritimati", "<+03>-03", "Etc/GMT+12"]
)
def test_a_change_is_met_whatever_the_time_zone_of_the_database(server: postgres.Cluster, zone: str) -> None:
    create_times(server, zone)
    since = datetime.now(UTC)
    with server.connect() as cursor:
        cursor.execute("INSERT INTO time_entries (id) VALUES (2)")
        # An application that writes UTC, whatever the database's zone is.
        cursor.execute("INSERT INTO time_entries (id, modified_at) VALUES (3, now() AT TIME ZONE 'UTC')")
    assert [each.id for each in read_all(with_driver(server), since=since)] == ["2", "3"]


def test_a_zone_of_the_user_who_writes_counts(server: postgres.Cluster) -> None:
    create_times(server, "UTC")
    with server.connect() as cursor:
        cursor.execute(
            "DROP ROLE IF EXISTS writer; CREATE ROLE writer; ALTER ROLE writer SET timezone TO 'America/Denver'"
        )
        cursor.execute(
            "INSERT INTO time_entries (id, modified_at) VALUES (2, now() AT TIME ZONE 'America/Denver')"
        )
    assert [each.id for each in read_all(with_driver(server), since=datetime.now(UTC))] == ["2"]
    with server.connect() as cursor:
        cursor.execute("DROP ROLE writer")


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tokyo"]
)
def test_a_change_is_met_around_every_change_of_the_clocks(server: postgres.Cluster, zone: str) -> None:
    create_times(server, zone)
    reader = SqlReader(with_driver(server), TIMES, "time_entries")
    reader.describe()
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in range(0, 366 * 24, 7):
        since = begun + timedelta(hours=hours)
        start = since + reader._offset
        for later in (0, 30, 61, 24 * 60):
            written = (since + timedelta(minutes=later)).astimezone(ZoneInfo(zone))
            assert written.replace(tzinfo=UTC) >= start
    reader.close()


def test_the_clock_of_the_database_is_the_cursor(server: postgres.Cluster) -> None:
    create_times(server, "Asia/Tokyo")
    before = datetime.now(UTC)
    reader = SqlReader(with_driver(server), TIMES, "time_entries")
    reader.describe()
    reader.close()
    assert reader.server_started_at
    assert before - timedelta(seconds=5) < reader.server_started_at < datetime.now(UTC) + timedelta(seconds=5)


def test_a_clock_that_is_another_than_the_databases_stops_the_read(
    server: postgres.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_times(server, "UTC")
    ahead = datetime.now(UTC) + timedelta(days=365)
    monkeypatch.setattr("reporting.sources.sql.databases.clock", lambda _: (ahead, timedelta()))
    reader = SqlReader(with_driver(server), TIMES, "time_entries")
    with pytest.raises(ClockError, match="365 days behind that of the database"):
        reader.describe()
    reader.close()
