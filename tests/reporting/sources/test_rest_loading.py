"""Declared sources, read and loaded: three against their fake APIs on loopback, and files in a folder."""

import ast
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from copy import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.cloud import bigquery
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from reporting.ingest import states, suppression
from reporting.ingest.addresses import address_key
from reporting.ingest.extract import extract
from reporting.ingest.landing import Landing, Manifest, Refresh
from reporting.ingest.load import TombstoneGuardError, load
from reporting.ingest.replay import kept_runs, replay
from reporting.ingest.sync_log import Counts
from reporting.ingest.verify import Verification, verify
from reporting.privacy import Person
from reporting.settings import ROOT, Settings
from reporting.sources import registry
from reporting.sources.base import Source, SourceError, SourceUnavailableError
from reporting.sources.files import FileTable
from reporting.sources.files.reader import FilesReader
from reporting.sources.registry import SOURCES
from reporting.sources.rest.client import Client
from reporting.sources.rest.declare import RestEntity
from reporting.sources.rest.reader import RestReader, reader_of
from reporting.warehouse import tables
from reporting.warehouse.tables import raw_table
from sandbox import bitpanda, stripe, todoist
from sandbox.lists import Lists, served
from tests.support import syncs as general
from tests.support.drops import Drop, table
from tests.support.rest_api import PATIENT

EXAMPLES = ROOT / "docs" / "examples"
LONGEST = 25
FAKES: dict[str, tuple[Callable[[], Lists], str]] = {
    "todoist": (todoist.fake, todoist.KEY),
    "stripe": (stripe.fake, stripe.KEY),
    "bitpanda": (bitpanda.fake, bitpanda.KEY),
}


def example(name: str) -> Source:
    """The source that an example of the documents declares."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Source = module.SOURCE
    return found


@pytest.mark.parametrize("name", FAKES)
def test_an_example_is_short(name: str) -> None:
    """Lines of code: without docstring, comments, blank lines and imports."""
    text = (EXAMPLES / name / "__init__.py").read_text()
    declared = [
        node for node in ast.parse(text).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)
    ]
    lines = {
        number
        for node in declared
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if not text.splitlines()[number - 1].strip().startswith("#")
    }
    assert len(lines) <= LONGEST


class Syncs:
    """Reads and loads the one entity of an example from its fake API, which is served on loopback."""

    def __init__(
        self, name: str, address: str, fake: Any, warehouse: tuple[bigquery.Client, Settings], folder: Path
    ) -> None:
        self.client, settings = warehouse
        self.settings = replace(settings, state=folder)
        self.fake, self.address, self.secret = fake, address, FAKES[name][1]
        [entity] = SOURCES[name].entities
        assert isinstance(entity, RestEntity)
        self.entity = entity
        self.landing = Landing(str(folder / "landing"))
        self.manifest: Manifest
        table = raw_table(entity, sa.MetaData(), settings.dataset("raw").removesuffix("raw"))
        self.client.query_and_wait(f"DROP TABLE IF EXISTS {settings.dataset('raw')}.{entity.table}")
        self.client.query_and_wait(str(CreateTable(table).compile(dialect=BigQueryDialect())))
        states.forget(self.settings, entity)

    def reader(self) -> RestReader:
        client = Client(self.entity.api, self.secret, self.address, PATIENT)
        return reader_of(client, self.entity, "UTC")

    def extract(self, refresh: Refresh, reader: RestReader | None = None) -> str:
        reader = reader or self.reader()
        try:
            folder = extract(
                self.client, self.settings, self.entity, refresh, reader, self.landing, tombstone_share=1.0
            )
        finally:
            reader.close()
        self.manifest = self.landing.manifest(folder)
        return folder

    def run(self, refresh: Refresh) -> Counts:
        return load(
            self.client, self.settings, self.entity, self.landing, self.extract(refresh), tombstone_share=1.0
        )

    def rows(self, where: str = "TRUE") -> list[dict[str, Any]]:
        table = f"{self.settings.dataset('raw')}.{self.entity.table}"
        return [
            dict(row)
            for row in self.client.query_and_wait(f"SELECT * FROM {table} WHERE {where} ORDER BY id")
        ]


@pytest.fixture
def syncs(
    shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Syncs]]:
    with ExitStack() as stack:

        def made(name: str) -> Syncs:
            source = example(name)
            monkeypatch.setitem(SOURCES, name, source)
            monkeypatch.setattr(tables, "ENTITIES", source.entities)
            fake = FAKES[name][0]()
            return Syncs(name, stack.enter_context(served(fake)), fake, shared_warehouse, tmp_path)

        yield made


def test_todoist_is_read_by_pages_and_tells_what_was_deleted(syncs: Callable[[str], Syncs]) -> None:
    todo = syncs("todoist")
    assert todo.run("full") == Counts(25, 25, 0, 0, 25, 25)
    [row] = todo.rows("id = '6X000001'")
    assert (row["content"], row["due_date"], row["priority"]) == ("Pay the rent (1)", "2026-01-08", "2")
    assert row["checked"] == "false"
    # One is done, one deleted, one deleted for good: none of them is in the list.
    todo.fake.change(1, checked=True)
    todo.fake.change(2, is_deleted=True)
    gone = todo.fake.lists["tasks"].pop(3)["id"]
    counts = todo.run("full")
    assert (counts.updated, counts.tombstoned) == (1, 2)
    assert todo.rows("id = '6X000001'")[0]["checked"] == "true"
    told = {row["id"]: row["_deleted_reason"] for row in todo.rows("_deleted_at IS NOT NULL")}
    assert told == {"6X000002": "trashed", gone: "missing"}
    assert todo.run("full").tombstoned == 0


def test_stripe_is_read_since_a_time_with_customers_in_place(syncs: Callable[[str], Syncs]) -> None:
    pay = syncs("stripe")
    now = int(datetime.now(UTC).timestamp())
    for number, each in enumerate(pay.fake.lists["charges"]):
        each["created"] = now - 86_400 * number
    assert pay.run("full").inserted == 25
    row = pay.rows("id = 'ch_000024'")[0]
    assert (row["customer_name"], row["_source_updated_at"].timestamp()) == ("Customer 4", now)
    assert datetime.fromisoformat(row["created"]).timestamp() == now
    pay.fake.lists["charges"][1] |= {"amount_refunded": 500}
    pay.fake.lists["charges"][9] |= {"amount_refunded": 500}
    changed = pay.run("changed")
    # Within the overlap; the other one is met by the full refresh.
    assert (changed.read, changed.updated) == (4, 1)
    assert pay.run("full").updated == 1
    assert verify(pay.client, pay.settings, pay.entity, pay.reader).is_equal


def test_holdings_are_kept_day_by_day(syncs: Callable[[str], Syncs], monkeypatch: pytest.MonkeyPatch) -> None:
    hold = syncs("bitpanda")
    monkeypatch.setattr(RestReader, "_today", lambda self: datetime(2026, 3, 1, tzinfo=UTC).date())
    assert hold.run("full").inserted == 3
    hold.fake.lists["wallets"][0]["attributes"]["balance"] = "0.5"
    assert hold.run("full") == Counts(3, 0, 1)
    monkeypatch.setattr(RestReader, "_today", lambda self: datetime(2026, 3, 2, tzinfo=UTC).date())
    hold.fake.lists["wallets"].pop()
    hold.fake.lists["wallets"][1]["attributes"]["deleted"] = True
    counts = hold.run("full")
    # Nothing of the day before is touched, and a table that holds days is not held against its source.
    assert (counts.inserted, counts.tombstoned, counts.in_source) == (1, 0, None)
    living = {
        (row["snapshot_day"], row["attributes_cryptocoin_symbol"]): row["attributes_balance"]
        for row in hold.rows("_deleted_at IS NULL")
    }
    assert living == {
        ("2026-03-01", "BTC"): "0.5",
        ("2026-03-01", "ETH"): "2.40000000",
        ("2026-03-01", "ADA"): "0.00000000",
        ("2026-03-02", "BTC"): "0.5",
    }
    assert verify(hold.client, hold.settings, hold.entity, hold.reader).is_equal


def test_a_full_refresh_goes_on_where_it_was_cut_off(
    syncs: Callable[[str], Syncs], monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = syncs("todoist")
    monkeypatch.setattr("reporting.ingest.checkpoints.LINES_PER_CHECKPOINT", 1)
    served_pages = len(todo.fake.asked)
    answer = todo.fake._page

    def ends(request: Any, records: Any) -> Any:
        if len(todo.fake.asked) > served_pages + 2:
            raise ConnectionError("the server is gone")
        return answer(request, records)

    monkeypatch.setattr(todo.fake, "_page", ends)
    with pytest.raises(SourceUnavailableError):
        todo.extract("full")
    monkeypatch.setattr(todo.fake, "_page", answer)
    asked_before = len(todo.fake.asked)
    assert todo.run("full").inserted == 25
    assert len(todo.fake.asked) - asked_before == 1
    assert todo.manifest.record_count == 25


def test_what_cannot_be_loaded_whole_is_not_loaded_at_all(syncs: Callable[[str], Syncs]) -> None:
    todo = syncs("todoist")
    todo.fake.lists["tasks"][17]["id"] = None
    with pytest.raises(SourceError, match="record 8 on page 2 of todoist__tasks has no key"):
        todo.run("full")
    assert todo.rows() == []


def test_a_connection_of_another_kind_is_told(syncs: Callable[[str], Syncs]) -> None:
    todo = syncs("todoist")
    texts = [
        each.text
        for secret in (todo.secret, "wrong")
        for each in SOURCES["todoist"].checks.check(todo.settings, secret, todo.address)
    ]
    assert texts[0] == "can be read; its first page has 10 records."
    assert texts[1].startswith("Todoist refused the token (401).")


class FileSyncs(general.Syncs):
    """Reads and loads the files of `drop`."""

    drop: Drop

    def reader(self, declared: FileTable) -> FilesReader:
        return self.drop.reader(declared)

    def changed(self, declared: FileTable) -> Counts:
        return self.synced(declared, "changed", self.reader(declared))

    def full(self, declared: FileTable) -> Counts:
        return self.synced(declared, "full", self.reader(declared))


def verified(syncs: FileSyncs, declared: FileTable) -> Verification:
    return verify(syncs.client, syncs.settings, declared, lambda: syncs.reader(declared))


@pytest.fixture
def drops(
    shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Drop, FileTable, FileSyncs]:
    """A folder, its declared table, and what loads it into an empty raw table."""
    client, settings = shared_warehouse
    declared = table()
    monkeypatch.setitem(SOURCES, "files", replace(SOURCES["files"], entities=(declared,)))
    monkeypatch.setattr(tables, "ENTITIES", (declared,))
    monkeypatch.setattr(registry, "ENTITIES", (declared,))
    made = raw_table(declared, sa.MetaData(), settings.dataset("raw").removesuffix("raw"))
    client.query_and_wait(f"DROP TABLE IF EXISTS {settings.dataset('raw')}.{declared.table}")
    client.query_and_wait(str(CreateTable(made).compile(dialect=BigQueryDialect())))
    syncs = FileSyncs(client, replace(settings, state=tmp_path / "state"), Landing(str(tmp_path / "landing")))
    syncs.forget()
    return Drop(tmp_path / "files"), declared, syncs


def test_files_are_read_loaded_mended_and_removed(drops: tuple[Drop, FileTable, FileSyncs]) -> None:
    drop, declared, syncs = drops
    syncs.drop = drop
    head = "at;level;note\n"
    for number in range(4):
        drop.put(f"battery/{number}.csv", f"{head}2026-01-0{number + 1};{number},5;x\n2026-01-09;1.234;y\n")
    drop.put("battery/4.csv", f"{head}2026-01-05;1,5\n")
    drop.put("battery/5.csv", "nothing\n")
    assert syncs.changed(declared) == Counts(10, 10, 0, 0, 10, 10)
    assert (syncs.manifest.refresh, syncs.manifest.rejected_count) == ("full", 2)
    assert syncs.sync_log()[-1]["rows_rejected"] == 2
    rows = syncs.raw(declared)
    assert (rows["battery/3.csv:2"]["level"], rows["battery/3.csv:2"]["source_line"]) == ("1234", "3")
    assert rows["battery/4.csv:1"]["reject_reason"] == "has 2 fields, where the header has 3"
    assert rows["battery/5.csv:0"]["reject_reason"] == "has no line with the names of the columns"

    # Nothing new: one line in the sync log, and no load. What is mended is no reject any more.
    assert syncs.changed(declared) == Counts(0)
    drop.put("battery/4.csv", f"{head}2026-01-05;1,5;x\n")
    assert syncs.changed(declared) == Counts(1, 0, 1, 0)
    assert (syncs.manifest.refresh, syncs.manifest.rejected_count) == ("changed", 0)
    # Of a file that could not be read when nothing was known of it the table may have any number of rows.
    drop.put("battery/5.csv", f"{head}2026-01-06;1,5;x\n")
    assert syncs.changed(declared) == Counts(11, 1, 0, 1, 10, 10)
    assert (syncs.manifest.refresh, syncs.manifest.rejected_count) == ("full", 0)
    assert list(syncs.raw(declared, "reject_reason IS NOT NULL AND _deleted_at IS NULL")) == []

    # A removed file is held against the share of a table that may go, in an hourly read, too.
    drop.remove("battery/0.csv")
    with pytest.raises(TombstoneGuardError, match="misses 2 of 10 rows"):
        syncs.extracted(declared, "changed", syncs.reader(declared), 0.1)
    assert syncs.changed(declared).tombstoned == 2
    gone = syncs.raw(declared, "_deleted_at IS NOT NULL")
    assert set(gone) == {"battery/0.csv:1", "battery/0.csv:2", "battery/5.csv:0"}
    found = verified(syncs, declared)
    assert (found.is_equal, found.source_count, found.warehouse_count) == (True, 8, 8)

    # An hour later it is back, and another one is half-written, of which nothing is lost.
    drop.put("battery/0.csv", f"{head}2026-01-01;0,5;x\n2026-01-09;1.234;y\n")
    drop.put("battery/1.csv", f"{head}2026-01-02;1", is_recent=True)
    assert syncs.changed(declared) == Counts(2, 0, 2, 0)
    assert syncs.full(declared).tombstoned == 0
    assert verified(syncs, declared).is_equal
    drop.put("battery/1.csv", f"{head}2026-01-02;7,5;x\n")
    assert syncs.changed(declared).tombstoned == 1
    assert syncs.raw(declared, "_deleted_at IS NULL")["battery/1.csv:1"]["level"] == "7.5"

    # An old landing changes nothing that was read later; into an empty table it brings back what was read then.
    [*_, first] = kept_runs(syncs.landing, declared)
    assert not replay(
        syncs.client, syncs.settings, declared, syncs.landing, first, tombstone_share=1
    ).has_changes
    syncs.client.query_and_wait(f"DELETE FROM {syncs.settings.dataset('raw')}.{declared.table} WHERE TRUE")
    assert (
        replay(syncs.client, syncs.settings, declared, syncs.landing, first, tombstone_share=1).inserted == 10
    )


def test_whoever_was_erased_does_not_come_back_from_a_file(drops: tuple[Drop, FileTable, FileSyncs]) -> None:
    drop, declared, syncs = drops
    syncs.drop = drop
    drop.put("battery/a.csv", "at;level;note\n2026-01-01;1;jane@example.org\n2026-01-02;2;x\n")
    assert syncs.full(declared).inserted == 2
    nobody: frozenset[str] = frozenset()
    jane = Person(
        record_ids=nobody,
        person_ids=nobody,
        emails=frozenset(["jane@example.org"]),
        shared_emails=nobody,
        phones=nobody,
        names=nobody,
        rows={declared.table: frozenset(["battery/a.csv:1"])},
        mentions={},
    )
    # The place in the file is not hers for ever.
    assert jane.keys == {address_key("jane@example.org")}
    keys = suppression.hashed(jane.keys, "purge", datetime.now(UTC))
    suppression.add(syncs.client, syncs.settings, keys)
    try:
        matcher = suppression.Matcher(keys)
        raw = syncs.client.get_table(
            f"{syncs.settings.project}.{syncs.settings.dataset('raw')}.{declared.table}"
        )
        is_erased = matcher.of_table(f"raw.{declared.table}")
        assert suppression.erase_rows(syncs.client, raw, is_erased) == 1
        assert syncs.full(declared).inserted == 0
        drop.put("battery/a.csv", "at;level;note\n2026-01-01;7;jane@example.org\n2026-01-02;3;x\n")
        assert syncs.changed(declared) == Counts(1, 0, 1, 0)
        assert set(syncs.raw(declared)) == {"battery/a.csv:2"}
        # She is taken out of the file, and the record after her is in her place.
        drop.put("battery/a.csv", "at;level;note\n2026-01-02;3;x\n")
        assert syncs.changed(declared).tombstoned == 1
        assert set(syncs.raw(declared, "_deleted_at IS NULL")) == {"battery/a.csv:1"}
    finally:
        suppression.forget(syncs.client, syncs.settings, ["purge"])
