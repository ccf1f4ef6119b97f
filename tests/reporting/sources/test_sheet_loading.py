"""A ledger in Google Sheets, from the fake API to the raw table, as its owner goes on writing."""

from collections.abc import Iterator
from copy import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.ingest.landing import Landing
from reporting.ingest.load import TombstoneGuardError
from reporting.ingest.sync_log import Counts
from reporting.ingest.verify import verify
from reporting.settings import Settings
from reporting.sources.base import NotFoundError, NotReadError
from reporting.sources.google_api import GoogleAccount
from reporting.sources.google_sheets.entities import GOOGLE_SHEETS
from reporting.sources.google_sheets.reader import SHEETS, SheetReader
from reporting.sources.google_sheets.tab import SheetError
from reporting.sources.registry import open_reader
from sandbox.google import SPREADSHEET_ID, SPREADSHEET_LINK
from tests.support.google_account import UNPACED, USER, AddressBook, address_book
from tests.support.syncs import Syncs

[LEDGER] = GOOGLE_SHEETS
HEADER = ["Date", "Description", "Category", "Account", "Amount"]
ROWS: list[list[Any]] = [
    [[46112, "date"], "Baker", "Food", "Cash", -5],
    [[46112, "date"], "Baker", "Food", "Cash", -5],
    ["01.04.2026", "Salary", "Salary", "Giro", "3.250,00"],
    [],
    [[46114, "date"], "Rent", "Housing", "Giro", -980],
    [[46115, "date"], "Gift", "Other", "Cash", "about 20"],
]


class Syncs(Syncs):
    """Reads and loads one tab."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path, book: AddressBook) -> None:
        super().__init__(client, settings, Landing(str(folder)))
        self.book = book

    def write(self, rows: list[list[Any]], header: list[str] = HEADER) -> None:
        """Make these the rows of the tab."""
        tab = {"title": "Ledger", "sheetId": 0, "rows": [header, *rows]}
        body = {"title": "Money", "locale": "de_DE", "timeZone": "Europe/Berlin", "tabs": [tab]}
        self.book.control("PUT", f"spreadsheets/{SPREADSHEET_ID}", body)

    def reader(self, columns: str | None = None) -> SheetReader:
        account = GoogleAccount(SHEETS, USER, self.book.address, UNPACED)
        return SheetReader(account, LEDGER, SPREADSHEET_LINK, columns)

    def run(self, columns: str | None = None, share: float | None = 1.0) -> Counts:
        return self.synced(LEDGER, "full", self.reader(columns), share)

    def rows(self, is_there: bool = True) -> list[tuple[Any, ...]]:
        found = self.client.query_and_wait(
            f"SELECT date, category, amount FROM {self.settings.dataset('raw')}.{LEDGER.table} "
            f"WHERE (_deleted_at IS NULL) = {is_there} ORDER BY date, amount, category"
        )
        return [tuple(row.values()) for row in found]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AddressBook]:
    with address_book(tmp_path_factory.mktemp("google")) as running:
        yield running


@pytest.fixture
def syncs(shared_warehouse: tuple[bigquery.Client, Settings], book: AddressBook, tmp_path: Path) -> Syncs:
    made = Syncs(*shared_warehouse, tmp_path / "landing", book)
    made.forget(LEDGER)
    made.write(ROWS)
    return made


def test_rows_come_as_they_are_meant(syncs: Syncs) -> None:
    assert syncs.run() == Counts(5, 5, 0, 0, 5, 5)
    assert syncs.rows() == [
        ("2026-03-31", "Food", "-5"),
        ("2026-03-31", "Food", "-5"),
        ("2026-04-01", "Salary", "3250.00"),
        ("2026-04-02", "Housing", "-980"),
        ("2026-04-03", "Other", "about 20"),
    ]
    # The second full refresh finds what the warehouse holds, and loads nothing.
    assert syncs.run() == Counts(5)
    found = verify(syncs.client, syncs.settings, LEDGER, syncs.reader)
    assert found.is_equal
    assert found.source_count == 5


def test_an_edited_row_is_one_that_is_gone_and_one_that_is_new(syncs: Syncs) -> None:
    syncs.run()
    syncs.write([*ROWS[:4], [[46114, "date"], "Rent", "Housing", "Giro", -990], ROWS[5]])
    assert syncs.run() == Counts(6, 1, 0, 1, 5, 5)
    assert syncs.rows(is_there=False) == [("2026-04-02", "Housing", "-980")]
    # Sorted another way it is the same, and what comes back is there again.
    syncs.write([*reversed(ROWS)])
    counts = syncs.run()
    assert (counts.inserted, counts.updated, counts.tombstoned) == (0, 1, 1)
    assert syncs.rows(is_there=False) == [("2026-04-02", "Housing", "-990")]


def test_a_row_with_an_id_is_edited(syncs: Syncs) -> None:
    rows = [[number, *row] for number, row in enumerate(ROWS) if row]
    syncs.write(rows, ["id", *HEADER])
    syncs.run()
    rows[0][-1] = "-1.005,5"
    syncs.write(rows, ["id", *HEADER])
    assert syncs.run() == Counts(5, 0, 1, 0, 5, 5)
    assert ("2026-03-31", "Food", "-1005.5") in syncs.rows()


def test_one_of_two_rows_that_are_alike_is_deleted(syncs: Syncs) -> None:
    syncs.run()
    syncs.write(ROWS[1:])
    assert syncs.run() == Counts(5, 0, 0, 1, 4, 4)
    assert syncs.rows()[:2] == [("2026-03-31", "Food", "-5"), ("2026-04-01", "Salary", "3250.00")]


def test_a_renamed_column_stops_and_can_be_named(syncs: Syncs) -> None:
    syncs.run()
    renamed = [*HEADER[:4], "Betrag"]
    syncs.write(ROWS, renamed)
    with pytest.raises(SheetError, match=r"REPORTING_COLUMNS_GOOGLE_SHEETS__LEDGER .amount=NAME"):
        syncs.run()
    assert len(syncs.rows()) == 5
    assert syncs.run("amount=Betrag") == Counts(5)
    sql = f"SELECT change, name_before, name_after FROM {syncs.settings.dataset('ops')}.schema_changes ORDER BY 1, 2, 3"
    assert len(list(syncs.client.query_and_wait(sql))) == 5


def test_a_tab_that_was_emptied_or_is_gone_leaves_its_rows(syncs: Syncs) -> None:
    syncs.run()
    syncs.write([])
    with pytest.raises(TombstoneGuardError, match="misses 5 of 5 rows"):
        syncs.run(share=None)
    syncs.book.control("DELETE", f"spreadsheets/{SPREADSHEET_ID}")
    with pytest.raises(NotFoundError, match="the rows stay"):
        syncs.run()
    assert len(syncs.rows()) == 5


def test_it_is_read_only_where_a_tab_is_named(syncs: Syncs) -> None:
    token = '{"client_id": "a", "client_secret": "b", "refresh_token": "c"}'
    with pytest.raises(NotReadError, match="set REPORTING_NAME_GOOGLE_SHEETS__LEDGER"):
        open_reader(syncs.settings, LEDGER, token)
    for name, error in (("none", NotReadError), ("Money", SheetError)):
        with pytest.raises(error):
            open_reader(replace(syncs.settings, names={LEDGER.table: name}), LEDGER, token)
