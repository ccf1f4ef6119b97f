"""Keeps the portal in one SQLite file: a restart, and a crash, serve the same records."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.clock import CLOCK
from sandbox.fake_api import transaction
from sandbox.hubspot.schema import (
    PRIMARY,
    PROPERTIES,
    UNLABELLED,
    Json,
    Label,
    created_property,
    definition,
    modified_property,
)

TABLES = """
CREATE TABLE IF NOT EXISTS parameters (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
    archived INTEGER, merged_into INTEGER, properties TEXT NOT NULL, PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS records_by_modification ON records (kind, modified, id);
CREATE TABLE IF NOT EXISTS former_dates (kind TEXT, id INTEGER, modified INTEGER, PRIMARY KEY (kind, id, modified));
CREATE TABLE IF NOT EXISTS definitions (kind TEXT, name TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS associations (
    from_kind TEXT, from_id INTEGER, to_kind TEXT, to_id INTEGER, type_id INTEGER, category TEXT, label TEXT,
    PRIMARY KEY (from_kind, from_id, to_kind, to_id, type_id)
);
CREATE TABLE IF NOT EXISTS versions (
    kind TEXT, id INTEGER, name TEXT, at INTEGER, value TEXT NOT NULL, PRIMARY KEY (kind, id, name, at)
);
"""
COLUMNS = "kind, id, created, modified, archived, merged_into, properties"
FIRST_ID = 1001


def now_ms() -> int:
    """This instant in milliseconds, HubSpot's resolution."""
    return int(CLOCK.now().timestamp() * 1000)


def iso(milliseconds: int) -> str:
    """An instant as HubSpot writes it."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


class Store:
    """The portal below `folder`. A record is `{"kind", "id", "created", "modified", "archived", "merged_into",
    "properties"}`, with times in milliseconds and the properties that were set. What the sample gives may have "versions", too:
    property, time and value of each change. A property without any has had its value since the record was made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = sqlite3.connect(
            folder / "hubspot.sqlite", isolation_level=None, check_same_thread=False
        )
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + TABLES)
        self.database.row_factory = sqlite3.Row

    def renew(self) -> None:
        """Take in that the file is another one: nothing of it is kept elsewhere."""

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def parameters(self) -> dict[str, str]:
        """What the portal was filled with; empty while it is new."""
        return {row["name"]: row["value"] for row in self.database.execute("SELECT * FROM parameters")}

    def fill(
        self,
        parameters: dict[str, str],
        records: Iterable[Json],
        links: Iterable[tuple[str, int, str, int, bool]],
    ) -> None:
        """Write the sample at once or not at all. A link is (from, id, to, id, is primary)."""
        with transaction(self.database):
            self.database.executemany("INSERT INTO parameters VALUES (?, ?)", parameters.items())
            self.database.executemany(
                "INSERT INTO definitions VALUES (?, ?, ?)",
                (
                    (kind, name, json.dumps(definition(name, value, kind)))
                    for kind, properties in PROPERTIES.items()
                    for name, value in properties.items()
                ),
            )
            for each in records:
                self.database.execute(
                    f"INSERT INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", _row(each)
                )
                for name, at, value in each.get("versions", ()):
                    self._put_version(each, name, at, value)
            for from_kind, from_id, to_kind, to_id, is_primary in links:
                self._link(from_kind, from_id, to_kind, to_id, is_primary)

    def record(self, kind: str, key: int) -> Json | None:
        """A record, archived or not; a merged one is itself here."""
        row = self.database.execute(
            f"SELECT {COLUMNS} FROM records WHERE kind = ? AND id = ?", (kind, key)
        ).fetchone()
        return _record(row) if row else None

    def select(
        self, kind: str, where: str, parameters: tuple[Any, ...], order: str, limit: int, offset: int = 0
    ) -> list[Json]:
        """Records by a condition on the columns."""
        sql = f"SELECT {COLUMNS} FROM records WHERE kind = ? AND {where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [_record(row) for row in self.database.execute(sql, (kind, *parameters, limit, offset))]

    def count(self, kind: str, where: str, parameters: tuple[Any, ...]) -> int:
        """How many records meet a condition on the columns."""
        sql = f"SELECT COUNT(*) FROM records WHERE kind = ? AND {where}"
        return int(self.database.execute(sql, (kind, *parameters)).fetchone()[0])

    def indexed(self, kind: str, at: int, lag: int, lags: Mapping[str, int]) -> list[tuple[Json, Json]]:
        """What the search's index holds at an instant: each record as it is found, and as it is shown.

        The index is `lag` milliseconds behind, `lags` are those of single records by id: it finds a record by the date
        that it had then, and does not know one that is newer.
        """
        former: dict[int, list[int]] = {}
        for row in self.database.execute("SELECT id, modified FROM former_dates WHERE kind = ?", (kind,)):
            former.setdefault(row["id"], []).append(row["modified"])
        found = []
        for each in self.select(kind, "archived IS NULL AND merged_into IS NULL", (), "id", -1):
            known = at - lags.get(str(each["id"]), lag)
            dates = [date for date in (each["modified"], *former.get(each["id"], ())) if date <= known]
            if dates:
                found.append(({**each, "modified": max(dates)}, each))
        return found

    def create(self, kind: str, properties: dict[str, str | None], at: int | None = None) -> Json:
        """A new record."""
        at = now_ms() if at is None else at
        made = {
            "kind": kind,
            "id": self.database.execute(
                "SELECT COALESCE(MAX(id), ?) + 1 FROM records", (FIRST_ID,)
            ).fetchone()[0],
            "created": at,
            "modified": at,
            "archived": None,
            "merged_into": None,
            "properties": properties,
        }
        with transaction(self.database):
            self._put(made)
        return made

    def change(self, record: Json, properties: dict[str, str | None], at: int | None = None) -> Json:
        """Set properties; an empty value clears one."""
        kept = {
            name: value
            for name, value in (record["properties"] | properties).items()
            if value not in (None, "")
        }
        changed = {**record, "properties": kept, "modified": now_ms() if at is None else at}
        with transaction(self.database):
            self._keep_versions(record, changed)
            self._put(changed)
        return changed

    def archive(self, record: Json) -> None:
        """Put into the recycling bin, which does not count as a modification."""
        with transaction(self.database):
            self._put({**record, "archived": now_ms()})
            self._unlink(record["kind"], record["id"])

    def restore(self, record: Json) -> None:
        """Take out of the recycling bin; its associations stay gone."""
        with transaction(self.database):
            self._put({**record, "archived": None})

    def erase(self, record: Json) -> None:
        """A privacy delete: nothing of it is left."""
        with transaction(self.database):
            self.database.execute(
                "DELETE FROM records WHERE kind = ? AND id = ?", (record["kind"], record["id"])
            )
            for table in ("former_dates", "versions"):
                self.database.execute(
                    f"DELETE FROM {table} WHERE kind = ? AND id = ?", (record["kind"], record["id"])
                )
            self._unlink(record["kind"], record["id"])

    def merge(self, winner: Json, loser: Json) -> Json:
        """The loser's id leads to the winner, which names it and takes over what it lacks."""
        merged = [
            winner["properties"].get("hs_merged_object_ids"),
            loser["properties"].get("hs_merged_object_ids"),
        ]
        names = ";".join(filter(None, [*merged, str(loser["id"])]))
        at = now_ms()
        properties = {**loser["properties"], **winner["properties"], "hs_merged_object_ids": names}
        won = {**winner, "properties": properties, "modified": at}
        with transaction(self.database):
            self._keep_versions(winner, won)
            self._put(won)
            self._put({**loser, "merged_into": winner["id"]})
            # Whoever was merged into the loser earlier now leads to the winner, too.
            self.database.execute(
                "UPDATE records SET merged_into = ? WHERE kind = ? AND merged_into = ?",
                (winner["id"], winner["kind"], loser["id"]),
            )
            links = self.database.execute(
                "SELECT to_kind, to_id FROM associations WHERE from_kind = ? AND from_id = ?",
                (loser["kind"], loser["id"]),
            ).fetchall()
            self._unlink(loser["kind"], loser["id"])
            for link in links:
                self._link(winner["kind"], winner["id"], link["to_kind"], link["to_id"], False)
        return won

    def versions(self, record: Json, name: str) -> list[tuple[int, str]]:
        """Time and value of each change of a property, the newest first."""
        sql = "SELECT at, value FROM versions WHERE kind = ? AND id = ? AND name = ? ORDER BY at DESC"
        found = [tuple(row) for row in self.database.execute(sql, (record["kind"], record["id"], name))]
        value = shown(record, name)
        return found or ([] if value is None else [(record["created"], value)])

    def definitions(self, kind: str) -> list[Json]:
        """The properties of a type."""
        rows = self.database.execute("SELECT body FROM definitions WHERE kind = ? ORDER BY name", (kind,))
        return [json.loads(row["body"]) for row in rows]

    def define(self, kind: str, body: Json) -> None:
        """Add a property, or replace its definition."""
        with transaction(self.database):
            self.database.execute(
                "INSERT OR REPLACE INTO definitions VALUES (?, ?, ?)", (kind, body["name"], json.dumps(body))
            )

    def undefine(self, kind: str, name: str) -> bool:
        """Remove a property; False when there was none."""
        with transaction(self.database):
            sql = "DELETE FROM definitions WHERE kind = ? AND name = ?"
            return self.database.execute(sql, (kind, name)).rowcount > 0

    def link(self, from_kind: str, from_id: int, to_kind: str, to_id: int, is_primary: bool = False) -> None:
        """Associate two records, in both directions; neither counts as modified."""
        with transaction(self.database):
            self._link(from_kind, from_id, to_kind, to_id, is_primary)

    def unlink(self, from_kind: str, from_id: int, to_kind: str, to_id: int) -> None:
        """Take an association away, in both directions."""
        with transaction(self.database):
            for one, first, other, second in (
                (from_kind, from_id, to_kind, to_id),
                (to_kind, to_id, from_kind, from_id),
            ):
                self.database.execute(
                    "DELETE FROM associations WHERE from_kind = ? AND from_id = ? AND to_kind = ? AND to_id = ?",
                    (one, first, other, second),
                )

    def links(self, from_kind: str, from_id: int, to_kind: str) -> list[tuple[int, list[Label]]]:
        """The records that one is associated with, each with its labels."""
        rows = self.database.execute(
            "SELECT to_id, type_id, category, label FROM associations "
            "WHERE from_kind = ? AND from_id = ? AND to_kind = ? ORDER BY to_id, type_id",
            (from_kind, from_id, to_kind),
        )
        found: dict[int, list[Label]] = {}
        for row in rows:
            found.setdefault(row["to_id"], []).append(Label(row["type_id"], row["category"], row["label"]))
        return list(found.items())

    def every_link(self) -> list[tuple[Any, ...]]:
        """Every association, in both directions."""
        sql = "SELECT from_kind, from_id, to_kind, to_id, category, type_id FROM associations"
        return [tuple(row) for row in self.database.execute(sql)]

    def _keep_versions(self, before: Json, after: Json) -> None:
        old, new = before["properties"], after["properties"]
        for name in old.keys() | new.keys():
            if old.get(name) == new.get(name):
                continue
            versions = self.versions(before, name)
            # The first change also writes down what was before it.
            for at, value in versions:
                self._put_version(before, name, at, value)
            latest = max((at for at, _ in versions), default=0)
            # No two changes of a property have the same time.
            self._put_version(before, name, max(after["modified"], latest + 1), new.get(name) or "")

    def _put_version(self, record: Json, name: str, at: int, value: str) -> None:
        self.database.execute(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?)",
            (record["kind"], record["id"], name, at, value),
        )

    def _put(self, record: Json) -> None:
        self.database.execute(
            "INSERT OR IGNORE INTO former_dates SELECT kind, id, modified FROM records "
            "WHERE kind = ? AND id = ? AND modified <> ?",
            (record["kind"], record["id"], record["modified"]),
        )
        self.database.execute(
            f"INSERT OR REPLACE INTO records ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", _row(record)
        )

    def _link(self, from_kind: str, from_id: int, to_kind: str, to_id: int, is_primary: bool) -> None:
        for one, first, other, second in (
            (from_kind, from_id, to_kind, to_id),
            (to_kind, to_id, from_kind, from_id),
        ):
            labels = [Label(UNLABELLED[one, other])]
            if is_primary and (one, other) in PRIMARY:
                labels.append(PRIMARY[one, other])
            self.database.executemany(
                "INSERT OR IGNORE INTO associations VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(one, first, other, second, each.type_id, each.category, each.label) for each in labels],
            )

    def _unlink(self, kind: str, key: int) -> None:
        self.database.execute(
            "DELETE FROM associations WHERE (from_kind = ? AND from_id = ?) OR (to_kind = ? AND to_id = ?)",
            (kind, key, kind, key),
        )


def shown(record: Json, name: str) -> str | None:
    """A property's value as answers give it; the system's own come from the record."""
    kind = record["kind"]
    if name == "hs_object_id":
        return str(record["id"])
    if name == modified_property(kind):
        return iso(record["modified"])
    if name == created_property(kind):
        return iso(record["created"])
    value: str | None = record["properties"].get(name)
    return value


def _row(record: Json) -> tuple[Any, ...]:
    names = ("kind", "id", "created", "modified", "archived", "merged_into")
    return (*(record[name] for name in names), json.dumps(record["properties"], separators=(",", ":")))


def _record(row: sqlite3.Row) -> Json:
    return {**{name: row[name] for name in row.keys()}, "properties": json.loads(row["properties"])}  # noqa: SIM118 (a Row is no mapping)
