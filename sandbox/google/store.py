"""Keeps the account in one SQLite file, with every version of every record: a restart, and a crash, serve the same."""

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.clock import CLOCK
from sandbox.fake_api import transaction
from sandbox.google.schema import GROUPS, PEOPLE, Json

TABLES = """
CREATE TABLE IF NOT EXISTS parameters (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS history (
    version INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id INTEGER NOT NULL, written INTEGER NOT NULL,
    updated INTEGER NOT NULL, deleted INTEGER NOT NULL, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_record ON history (kind, id, version);
CREATE INDEX IF NOT EXISTS history_by_time ON history (written);
CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, kind TEXT NOT NULL, id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS spreadsheets (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS grants (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, issued INTEGER NOT NULL, expires INTEGER, body TEXT NOT NULL
);
"""
INSERT = (
    "INSERT INTO history (kind, id, written, updated, deleted, first_name, last_name, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
LATEST = (
    "FROM history JOIN (SELECT MAX(version) AS version FROM history WHERE kind = ? AND version <= ? GROUP BY id) "
    "USING (version)"
)
ORDERS = {
    "LAST_MODIFIED_ASCENDING": "updated",
    "LAST_MODIFIED_DESCENDING": "-updated",
    "FIRST_NAME_ASCENDING": "first_name",
    "LAST_NAME_ASCENDING": "last_name",
    # Groups are listed in the order in which they were made, system groups first.
    "ID": "CASE WHEN id < 100 THEN id ELSE 100 END",
}
EVER = 2**62
SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """A record as one version has it; `place` is where it stands in the order asked for."""

    number: int
    record: Json
    place: Any = None


class Store:
    """The account below `folder`; times are in microseconds, of a clock that can be moved."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(
            folder / "google.sqlite", isolation_level=None, check_same_thread=False
        )
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + TABLES)
        self.database.row_factory = sqlite3.Row
        if self.setting("secret") is None:
            self.set("secret", secrets.token_hex(16))
        self.secret = self.setting("secret") or ""
        self.renew()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def now(self) -> int:
        """This instant, as the fake API's clock has it."""
        return (CLOCK.now() - EPOCH) // timedelta(microseconds=1)

    def renew(self) -> None:
        """Take in that the file is another one."""
        CLOCK.passed = timedelta(microseconds=int(self.setting("clock") or 0))

    def move_clock(self, seconds: float) -> None:
        """Let so much time pass at once; kept, so that a restart does not turn it back."""
        CLOCK.passed += timedelta(seconds=seconds)
        self.set("clock", str(CLOCK.passed // timedelta(microseconds=1)))

    def parameters(self) -> dict[str, str]:
        """What the account was filled with; empty while it is new."""
        return {row["name"]: row["value"] for row in self.database.execute("SELECT * FROM parameters")}

    def setting(self, name: str) -> str | None:
        """A value that outlives a restart."""
        row = self.database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        """Keep a value."""
        self.database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def fill(self, parameters: dict[str, str], people: Iterable[Json], groups: Iterable[Json]) -> None:
        """Write the sample at once or not at all; sync reads see it without a delay."""
        with transaction(self.database):
            self.database.executemany("INSERT INTO parameters VALUES (?, ?)", parameters.items())
            for kind, records in ((GROUPS, groups), (PEOPLE, people)):
                for record in records:
                    self._write(kind, record, 0)

    def add(self, records: dict[str, list[Json]], setting: str) -> None:
        """Add to the sample, by kind, and note that `setting` is true; all at once or not at all."""
        with transaction(self.database):
            for kind, each in records.items():
                for record in each:
                    self._write(kind, record, 0)
            self.set(setting, "true")

    def put(self, kind: str, *records: Json) -> None:
        """Write new versions of records, all or none."""
        last = self.database.execute("SELECT MAX(written) FROM history").fetchone()[0]
        # A clock of the machine that was turned back must not hide what was written.
        at = max(self.now(), (last or 0) + 1)
        with transaction(self.database):
            for record in records:
                self._write(kind, {**record, "updated": at}, at)

    def next_id(self, kind: str) -> int:
        """An id that no record has had."""
        sql = "SELECT MAX(id) FROM (SELECT id FROM history WHERE kind = ? UNION ALL SELECT ?)"
        return int(self.database.execute(sql, (kind, 1 << 40)).fetchone()[0]) + 1

    def named(self, name: str) -> Version | None:
        """The latest version of the record that has or had this resource name."""
        sql = "SELECT version, body FROM history JOIN names USING (kind, id) WHERE name = ? ORDER BY version DESC LIMIT 1"
        row = self.database.execute(sql, (name,)).fetchone()
        return _version(row) if row else None

    def horizon(self, at: int) -> int:
        """The last version that was written until then."""
        row = self.database.execute("SELECT MAX(version) FROM history WHERE written <= ?", (at,)).fetchone()
        return int(row[0] or 0)

    def select(
        self,
        kind: str,
        order: str,
        horizon: int = EVER,
        since: int | None = None,
        after: tuple[Any, int] | None = None,
        limit: int = -1,
    ) -> list[Version]:
        """Records as of a version, in an order, after a place in it.

        With `since` those that changed after that version, deleted ones too; without it those that exist.
        """
        where, values = self._changed(since)
        if after is not None:
            where += f" AND ({ORDERS[order]}, id) > (?, ?)"
            values += tuple(after)
        sql = f"SELECT version, body, {ORDERS[order]} AS place {LATEST} WHERE {where} ORDER BY place, id LIMIT ?"
        return [_version(row) for row in self.database.execute(sql, (kind, horizon, *values, limit))]

    def every(self, kind: str) -> list[Version]:
        """The latest version of every record, deleted ones too."""
        return self.select(kind, "LAST_MODIFIED_ASCENDING", since=0)

    def count(self, kind: str, horizon: int = EVER, since: int | None = None) -> int:
        """How many records `select` finds without a place and a limit."""
        where, values = self._changed(since)
        sql = f"SELECT COUNT(*) {LATEST} WHERE {where}"
        return int(self.database.execute(sql, (kind, horizon, *values)).fetchone()[0])

    def member_counts(self) -> dict[str, int]:
        """How many people are in a group, by its resource name."""
        sql = (
            "SELECT json_extract(value, '$.contactGroupMembership.contactGroupResourceName') AS name, "
            f"COUNT(*) AS members {LATEST}, json_each(body, '$.fields.memberships') WHERE NOT deleted GROUP BY 1"
        )
        found = {row["name"]: row["members"] for row in self.database.execute(sql, (PEOPLE, EVER))}
        return {**found, f"{GROUPS}/all": self.count(PEOPLE)}

    def spreadsheet(self, key: str) -> Json | None:
        """A spreadsheet as it was put; None when there is none."""
        row = self.database.execute("SELECT body FROM spreadsheets WHERE id = ?", (key,)).fetchone()
        return None if row is None else json.loads(row["body"])

    def put_spreadsheet(self, key: str, body: Json | None) -> None:
        """Make it a spreadsheet's content; None deletes it."""
        if body is None:
            self.database.execute("DELETE FROM spreadsheets WHERE id = ?", (key,))
        else:
            values = (key, json.dumps(body))
            self.database.execute("INSERT OR REPLACE INTO spreadsheets VALUES (?, ?)", values)

    def grant(self, kind: str, token: str, body: Json, lifetime: float | None = None) -> None:
        """Keep a token or a code; one that is known, revoked or not, stays as it is."""
        now = self.now()
        expires = None if lifetime is None else now + round(lifetime * SECOND)
        self.database.execute(
            "INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?, ?)",
            (token, kind, now, expires, json.dumps(body)),
        )

    def granted(self, kind: str, token: str) -> tuple[Json, bool] | None:
        """What a token stands for, and whether it still does; None for an unknown one."""
        sql = "SELECT body, expires FROM grants WHERE kind = ? AND token = ?"
        row = self.database.execute(sql, (kind, token)).fetchone()
        if row is None:
            return None
        return json.loads(row["body"]), row["expires"] is None or row["expires"] > self.now()

    def revoke(self, refresh_token: str) -> None:
        """End a refresh token, and the access tokens that it gave."""
        with transaction(self.database):
            self.database.execute("UPDATE grants SET expires = 0 WHERE token = ?", (refresh_token,))
            self.database.execute(
                "UPDATE grants SET expires = 0 WHERE kind = 'access' AND json_extract(body, '$.refresh_token') = ?",
                (refresh_token,),
            )

    def end(self, kind: str, token: str) -> None:
        """End a code or a token alone."""
        self.database.execute("UPDATE grants SET expires = 0 WHERE kind = ? AND token = ?", (kind, token))

    def _changed(self, since: int | None) -> tuple[str, tuple[Any, ...]]:
        return ("NOT deleted", ()) if since is None else ("version > ?", (since,))

    def _write(self, kind: str, record: Json, written: int) -> None:
        names = record["fields"].get("names", ()) if kind == PEOPLE else ()
        first, last = (
            names[0].get(part, "").lower() if names else "" for part in ("givenName", "familyName")
        )
        body = json.dumps(record, separators=(",", ":"))
        key = (kind, record["id"], written, record["updated"], record["deleted"])
        self.database.execute(INSERT, (*key, first, last, body))
        self.database.execute(
            "INSERT OR REPLACE INTO names VALUES (?, ?, ?)", (record["name"], kind, record["id"])
        )


def _version(row: sqlite3.Row) -> Version:
    place = row["place"] if "place" in row.keys() else None  # noqa: SIM118 (a Row is no mapping)
    return Version(row["version"], json.loads(row["body"]), place)
