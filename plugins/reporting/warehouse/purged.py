"""Who was erased, in `ops.purged_keys`: hashed keys of records and e-mail addresses, so that nobody comes back unseen.

A read, a load and a restore leave out what is in the list. The hash is salted, and whoever has the list and guesses a key
can still find out whether it is in it: the list says that somebody was erased, to those who know whom to ask for.
"""

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entities import Entity
from reporting.settings import Settings
from reporting.sources.base import Page, Record
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.transfer import Row, address_of, read_rows

logger = logging.getLogger(__name__)

TABLE = "purged_keys"
ADDRESS = re.compile(r"[^\s<>()\[\]{}\"',;:|\\@]+@[^\s<>()\[\]{}\"',;:|\\@]+")
GMAIL = ("gmail.com", "googlemail.com")
# Columns that hold the key of a record of another table, by table.
KEPT_KEYS = {
    "snapshots.snap_hubspot__contacts": ("contact_id", "hubspot__contacts"),
    "snapshots.snap_hubspot__deals": ("deal_id", "hubspot__deals"),
}
PERSON_KEYS = "snapshots.person_keys"
ASSOCIATIONS = "hubspot__associations"


@dataclass(frozen=True, slots=True)
class PurgedKey:
    """One hashed key. `purge_id` is the same for all that was erased together."""

    key_hash: str
    salt: str
    purge_id: str
    purged_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "PurgedKey":
        """The key in a row of the table, or of a copy of it."""
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


def record_key(table: str, record_id: str) -> str:
    """What is hashed for a record of a raw table."""
    return f"record {table} {record_id}"


def email_key(address: str) -> str:
    """An address as people are compared by it; the macro of the same name in dbt/macros/people.sql says why."""
    mailbox, _, domain = address.strip().lower().partition("@")
    mailbox = mailbox.partition("+")[0]
    if domain in GMAIL:
        return f"{mailbox.replace('.', '')}@gmail.com"
    return f"{mailbox}@{domain}"


def address_key(address: str) -> str:
    """What is hashed for an e-mail address."""
    return f"email {email_key(address)}"


def addresses_in(value: Any) -> Iterator[str]:
    """The e-mail addresses in every text of `value`, as people are compared by them; JSON in a text is looked into."""
    for text in texts_in(value):
        for found in ADDRESS.findall(text) if "@" in text else ():
            yield email_key(found.rstrip(".").removeprefix("mailto:"))


def texts_in(value: Any) -> Iterator[str]:
    """Every text in `value`; of a text that is JSON, those within."""
    if isinstance(value, str):
        if value[:1] in ("{", "[", '"'):
            try:
                inner = json.loads(value)
            except ValueError:
                inner = None
            if inner is not None and inner != value:
                yield from texts_in(inner)
                return
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)


def hashed(keys: Iterable[str], purge_id: str, at: datetime, salt: str | None = None) -> frozenset[PurgedKey]:
    """These keys as they are kept."""
    made = salt or secrets.token_hex(16)
    return frozenset(PurgedKey(_hash(made, key), made, purge_id, at) for key in keys)


class Matcher:
    """Says of records and rows whether they are somebody's who was erased."""

    def __init__(self, keys: Iterable[PurgedKey]) -> None:
        self.keys = frozenset(keys)
        self._hashes = {each.key_hash: each for each in self.keys}
        self._salts = sorted({each.salt for each in self.keys})
        # An address stands in many rows.
        self._found = cache(self._find)

    def __bool__(self) -> bool:
        return bool(self.keys)

    def find(self, key: str) -> PurgedKey | None:
        """The kept key that `key` is, if it is one."""
        return self._found(key)

    def holds_record(self, table: str, record_id: str | None) -> bool:
        """Whether that record was erased."""
        return record_id is not None and self.find(record_key(table, record_id)) is not None

    def holds_address(self, value: Any) -> bool:
        """Whether an address that was erased stands anywhere in it."""
        return any(self.find(address_key(each)) for each in addresses_in(value))

    def holds(self, table: str, record: Record) -> bool:
        """Whether a record of a source is to be left out."""
        if self.holds_record(table, record.id) or self._is_between(table, record.payload):
            return True
        return self.holds_address(record.payload) or self.holds_address(record.values)

    def of_table(self, name: str) -> Callable[[Row], bool]:
        """The same of the rows of a table of the warehouse (`dataset.table`)."""
        dataset, _, table = name.partition(".")

        def is_erased(row: Row) -> bool:
            if dataset == "raw" and (self.holds_record(table, row["id"]) or self._is_between(table, row)):
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
        """Whether the record that people's keys call `hubspot:101` was erased."""
        source, _, key = record_id.partition(":")
        return self.holds_record(f"{source}__contacts", key)

    def _is_between(self, table: str, values: Mapping[str, Any]) -> bool:
        return table == ASSOCIATIONS and any(
            self.holds_record(f"hubspot__{values[f'{end}_type']}", values[f"{end}_id"])
            for end in ("from", "to")
        )

    def _find(self, key: str) -> PurgedKey | None:
        return next((found for salt in self._salts if (found := self._hashes.get(_hash(salt, key)))), None)


class Screen:
    """Takes out of pages what was erased; `count` is how many records and tombstones that were."""

    def __init__(self, entity: Entity, matcher: Matcher) -> None:
        self._entity = entity
        self._matcher = matcher
        self.count = 0

    def page(self, page: Page) -> Page:
        """The page without them."""
        if not self._matcher:
            return page
        table = self._entity.table
        records = tuple(each for each in page.records if not self._matcher.holds(table, each))
        tombstones = tuple(each for each in page.tombstones if not self._matcher.holds_record(table, each.id))
        self.count += len(page.records) - len(records) + len(page.tombstones) - len(tombstones)
        return replace(page, records=records, tombstones=tombstones)

    def pages(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Every page without them; a page that holds nothing else stays, as it may have a position."""
        return map(self.page, pages)

    def tell(self) -> None:
        """Say in the log what was left out."""
        if self.count:
            logger.warning(
                "%s: %d records of people who were purged are still in the source, and are left out. Delete them there.",
                self._entity.table,
                self.count,
            )


def screen(client: bigquery.Client, settings: Settings, entity: Entity) -> Screen:
    """What takes erased people out of what is read of `entity`."""
    return Screen(entity, Matcher(read(client, settings)))


def read(client: bigquery.Client, settings: Settings) -> frozenset[PurgedKey]:
    """The list. Raises `WarehouseError` where there is no table of it."""
    address = _address(settings)
    try:
        # Not a query: listing rows is billed nothing, and this is asked with every read.
        return frozenset(map(PurgedKey.from_row, client.list_rows(client.get_table(address))))
    except NotFound as error:
        raise WarehouseError(
            f"the table {address} does not exist. Run the DAG ops_warehouse__schema__upgrade, then clear this task."
        ) from error


def add(client: bigquery.Client, settings: Settings, keys: Iterable[PurgedKey]) -> None:
    """Put keys into the list, once however often it is called."""
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
    parameters = [bigquery.ScalarQueryParameter("keys", "STRING", json.dumps(rows))]
    client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()


def forget(client: bigquery.Client, settings: Settings, purge_ids: Iterable[str]) -> None:
    """Take everything out of the list that was erased together: these people may come again."""
    parameters = [bigquery.ArrayQueryParameter("purge_ids", "STRING", sorted(purge_ids))]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    client.query(
        f"DELETE FROM `{_address(settings)}` WHERE purge_id IN UNNEST(@purge_ids)", job_config=config
    ).result()


def erase_rows(client: bigquery.Client, table: bigquery.Table, is_erased: Callable[[Row], bool]) -> int:
    """Delete the rows of a table that are to be erased, and return how many. Its first column is the rows' key."""
    address, key = address_of(table), table.schema[0].name
    erased = [row[key] for row in read_rows(client, address, table.schema) if is_erased(row)]
    if erased:
        parameters = [bigquery.ArrayQueryParameter("erased", "STRING", sorted(set(erased)))]
        config = bigquery.QueryJobConfig(query_parameters=parameters)
        client.query(f"DELETE FROM `{address}` WHERE `{key}` IN UNNEST(@erased)", job_config=config).result()
    return len(erased)


def _hash(salt: str, key: str) -> str:
    return hashlib.sha256(f"{salt} {key}".encode()).hexdigest()


def _address(settings: Settings) -> str:
    return f"{settings.project}.{settings.dataset('ops')}.{TABLE}"
