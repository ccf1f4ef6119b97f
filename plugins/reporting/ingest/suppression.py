"""The suppression list, the table `ops.purged_keys`: hashed keys of records and e-mail addresses of people who were erased.

Reads, loads and restores leave out what is in the list, so that nobody who was erased comes back. The hashes are salted, but
somebody who has the list can still test whether a known key is in it.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entity import Entity
from reporting.ingest.addresses import address_key, addresses_in, former_email_keys, spellings_of
from reporting.settings import Settings
from reporting.sources.base import Page, Record
from reporting.warehouse.client import WarehouseError, with_parameters
from reporting.warehouse.transfer import Row, address_of, read_rows

logger = logging.getLogger(__name__)

TABLE = "purged_keys"
# Columns that hold the key of a record in another table, by table.
KEPT_KEYS = {
    "snapshots.snap_hubspot__contacts": ("contact_id", "hubspot__contacts"),
    "snapshots.snap_hubspot__deals": ("deal_id", "hubspot__deals"),
}
# What dbt calls a version of a record in a snapshot: https://docs.getdbt.com/docs/build/snapshots#snapshot-meta-fields
VERSION_KEY = "dbt_scd_id"
# What the key of a row is called where it is selected beside its columns.
ROW_KEY = "_row_key"
PERSON_KEYS = "snapshots.person_keys"
ASSOCIATIONS = "hubspot__associations"
# Raw tables whose rows are of objects in other tables: the columns with type and id of each of these objects.
BELONGINGS = {
    ASSOCIATIONS: (("from_type", "from_id"), ("to_type", "to_id")),
    "hubspot__list_memberships": (("object_type", "object_id"),),
    "hubspot__property_history": (("object_type", "object_id"),),
}


@dataclass(frozen=True, slots=True)
class PurgedKey:
    """One hashed key. Keys that were erased together have the same `purge_id`."""

    key_hash: str
    salt: str
    purge_id: str
    purged_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "PurgedKey":
        """The key from a row of the table or of a copy of it."""
        at = row["purged_at"]
        return cls(
            row["key_hash"],
            row["salt"],
            row["purge_id"],
            at if isinstance(at, datetime) else datetime.fromisoformat(at),
        )

    def to_row(self) -> Row:
        """The key as a row."""
        return {
            "key_hash": self.key_hash,
            "salt": self.salt,
            "purge_id": self.purge_id,
            "purged_at": self.purged_at.isoformat(),
        }


def objects_of(table: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Raw table and key of each object that a row or a record of `table` belongs to; none for most tables."""
    for type_column, id_column in BELONGINGS.get(table, ()):
        yield f"hubspot__{values.get(type_column)}", values.get(id_column) or ""


def record_key(table: str, record_id: str) -> str:
    """The text that is hashed for a record of a raw table."""
    return f"record {table} {record_id}"


def hashed(keys: Iterable[str], purge_id: str, at: datetime, salt: str | None = None) -> frozenset[PurgedKey]:
    """Hash these keys for the list."""
    made = salt or secrets.token_hex(16)
    return frozenset(PurgedKey(_hash(made, key), made, purge_id, at) for key in keys)


class Matcher:
    """Decides whether a record or a row belongs to somebody who was erased."""

    def __init__(self, keys: Iterable[PurgedKey]) -> None:
        self.keys = frozenset(keys)
        self._hashes = {each.key_hash: each for each in self.keys}
        self._salts = sorted({each.salt for each in self.keys})
        # Cached, because one address occurs in many rows.
        self._found = cache(self._find)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def find(self, key: str) -> PurgedKey | None:
        """The entry of the list for `key`; None if it is not in the list."""
        return self._found(key)

    def holds_record(self, table: str, record_id: str | None) -> bool:
        """Whether the record was erased."""
        return record_id is not None and self.find(record_key(table, record_id)) is not None

    def holds_address(self, value: Any) -> bool:
        """Whether `value` contains an address that was erased."""
        return any(self.find(address_key(each)) for each in addresses_in(value))

    def may_hold_address(self, value: Any) -> bool:
        """Whether `value` contains an address that may have been erased, if an earlier purge listed only a part of it.

        It can no longer be known whose address that was, and other people whose address ends in the same way must stay.
        """
        return any(
            self.find(f"email {former}") for each in addresses_in(value) for former in former_email_keys(each)
        )

    def holds(self, table: str, record: Record) -> bool:
        """Whether a record of a source must be left out."""
        if self.holds_record(table, record.id) or self._belongs(table, record.payload):
            return True
        return self.holds_address(record.payload) or self.holds_address(record.values)

    def of_table(self, name: str) -> Callable[[Row], bool]:
        """A function that decides the same for rows of a table of the warehouse (`dataset.table`)."""
        dataset, _, table = name.partition(".")

        def is_erased(row: Row) -> bool:
            if dataset == "raw" and (self.holds_record(table, row["id"]) or self._belongs(table, row)):
                return True
            if name in KEPT_KEYS:
                column, of = KEPT_KEYS[name]
                if self.holds_record(of, row[column]):
                    return True
            if name == PERSON_KEYS and self.holds_person_key(row["record_id"]):
                return True
            return self.holds_address(row)

        return is_erased

    def holds_person_key(self, record_id: str) -> bool:
        """Whether the record with a key such as `hubspot:101`, as in the table of people's keys, was erased."""
        source, _, key = record_id.partition(":")
        return self.holds_record(f"{source}__contacts", key)

    def _belongs(self, table: str, values: Mapping[str, Any]) -> bool:
        """Whether a row is of an object that was erased."""
        return any(self.holds_record(of, key) for of, key in objects_of(table, values))

    def _find(self, key: str) -> PurgedKey | None:
        return next(
            (
                found
                for spelling in spellings_of(key)
                for salt in self._salts
                if (found := self._hashes.get(_hash(salt, spelling)))
            ),
            None,
        )


class Suppression:
    """Removes erased people from pages. `count` is the number of records and tombstones that were removed.

    `doubtful` is the number of records that were kept although they may belong to somebody who was erased.
    """

    def __init__(self, entity: Entity, matcher: Matcher) -> None:
        self._entity = entity
        self._matcher = matcher
        self.count = 0
        self.doubtful = 0

    def page(self, page: Page) -> Page:
        """The page without erased people."""
        if not self._matcher:
            return page
        table = self._entity.table
        records = tuple(each for each in page.records if not self._matcher.holds(table, each))
        tombstones = tuple(each for each in page.tombstones if not self._matcher.holds_record(table, each.id))
        self.doubtful += sum(
            self._matcher.may_hold_address(each.payload) or self._matcher.may_hold_address(each.values)
            for each in records
        )
        self.count += len(page.records) - len(records) + len(page.tombstones) - len(tombstones)
        return replace(page, records=records, tombstones=tombstones)

    def pages(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Every page without erased people. A page that becomes empty is still yielded, since it may have a position."""
        return map(self.page, pages)

    def tell(self) -> None:
        """Log what was left out."""
        if self.count:
            logger.warning(
                "%s: %d records of people who were purged are still in the source, and were left out. Delete them there.",
                self._entity.table,
                self.count,
            )
        if self.doubtful:
            logger.warning(
                "%s: %d records have an address such as +4930111@fax.example.net, o'brien@example.org or one of a domain with "
                "vowel signs, and somebody was purged when the list kept only a part of such an address. They are loaded. If they are of the person who was purged, "
                "run script/purge-person with the whole address again.",
                self._entity.table,
                self.doubtful,
            )


def suppression(client: bigquery.Client, settings: Settings, entity: Entity) -> Suppression:
    """The suppression for reads of `entity`, with the list as it is now."""
    return Suppression(entity, Matcher(read(client, settings)))


def read(client: bigquery.Client, settings: Settings) -> frozenset[PurgedKey]:
    """Read the list. Raises `WarehouseError` if its table does not exist."""
    address = _address(settings)
    try:
        # Rows are listed and not queried: listing is free, and this happens with every read.
        return frozenset(map(PurgedKey.from_row, client.list_rows(client.get_table(address))))
    except NotFound as error:
        raise WarehouseError(
            f"the table {address} does not exist. Run the DAG ops_warehouse__schema__upgrade, then clear this task."
        ) from error


def add(client: bigquery.Client, settings: Settings, keys: Iterable[PurgedKey]) -> None:
    """Add keys to the list. Repeating it changes nothing."""
    rows = [key.to_row() for key in keys]
    if not rows:
        return
    names = tuple(rows[0])
    values = ", ".join(
        f"{'TIMESTAMP(' if name == 'purged_at' else ''}JSON_VALUE(each, '$.{name}'){')' if name == 'purged_at' else ''} "
        f"AS {name}"
        for name in names
    )
    sql = f"""
        MERGE `{_address(settings)}` T
        USING (SELECT {values} FROM UNNEST(JSON_QUERY_ARRAY(@keys)) AS each) S
        ON T.key_hash = S.key_hash
        WHEN NOT MATCHED THEN INSERT ({", ".join(names)}) VALUES ({", ".join(f"S.{name}" for name in names)})
    """
    client.query_and_wait(sql, job_config=with_parameters(keys=json.dumps(rows)))


def forget(client: bigquery.Client, settings: Settings, purge_ids: Iterable[str]) -> None:
    """Take everything out of the list that was erased together: these people may come again."""
    config = with_parameters(purge_ids=sorted(purge_ids))
    client.query_and_wait(
        f"DELETE FROM `{_address(settings)}` WHERE purge_id IN UNNEST(@purge_ids)", job_config=config
    )


def erase_rows(client: bigquery.Client, table: bigquery.Table, is_erased: Callable[[Row], bool]) -> int:
    """Delete the rows of a table that are to be erased, and no others, and return how many."""
    address = address_of(table)
    key = f"TO_JSON_STRING(STRUCT({', '.join(f'`{name}`' for name in _key_columns(table))}))"
    rows = read_rows(client, address, table.schema, also=[f"{key} AS {ROW_KEY}"])
    erased = [row[ROW_KEY] for row in rows if is_erased(row)]
    if erased:
        config = with_parameters(erased=sorted(set(erased)))
        client.query_and_wait(f"DELETE FROM `{address}` WHERE {key} IN UNNEST(@erased)", job_config=config)
    return len(erased)


def _key_columns(table: bigquery.Table) -> list[str]:
    """The columns that tell its rows apart: the key of a raw table, a version's own in a snapshot, else whatever is required."""
    names = [field.name for field in table.schema]
    if names[0] == "id":
        return ["id"]
    if VERSION_KEY in names:
        return [VERSION_KEY]
    return [field.name for field in table.schema if field.mode == "REQUIRED"] or names[:1]


def _hash(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt} {key}".encode()).hexdigest()


def _address(settings: Settings) -> str:
    return f"{settings.project}.{settings.dataset('ops')}.{TABLE}"
