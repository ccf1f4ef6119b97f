"""Tabs of Google Sheets: what cells mean in a locale, what keys rows, and what is said when a tab is another."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from hypothesis import example, given
from hypothesis import strategies as st

from reporting.sources.base import AccessDeniedError, NotFoundError, Record, SourceError
from reporting.sources.google_api import GoogleAccount
from reporting.sources.google_sheets.cells import as_text
from reporting.sources.google_sheets.entities import GOOGLE_SHEETS
from reporting.sources.google_sheets.reader import SHEETS, SheetReader
from reporting.sources.google_sheets.tab import (
    Address,
    SheetError,
    content_hash,
    header_of,
    records_of,
    renamed_columns,
)
from sandbox.google import CONTACTS_SCOPE, SPREADSHEET_ID, SPREADSHEET_LINK
from tests.support.google_account import UNPACED, USER, AddressBook, address_book, assert_no_secret

[LEDGER] = GOOGLE_SHEETS
HEADER = ["Date", "Description", "Category", "Account", "Amount", "Note"]


@pytest.mark.parametrize("kind", ["number", "date", "text"])
@pytest.mark.parametrize("odd", ["-{0}x", "({0}x", "1{0}x", "1 -{0}-", "\u20ac{0}\u20ac"])
@pytest.mark.parametrize("filling", [" ", "1", "1.234", "1 234 "])
def test_the_longest_cell_that_can_be_typed_is_looked_through_once(kind: str, odd: str, filling: str) -> None:
    cell = odd.format(filling * (50_000 // len(filling)))
    # Looked through in every way, it took hours.
    assert as_text(cell, kind, "de_DE") == cell


@pytest.mark.parametrize(
    ("cell", "locale", "expected"),
    [
        (1234.5, "de_DE", "1234.5"),
        (-12, "de_DE", "-12"),
        (0.1 + 0.2, "en_US", "0.3"),
        (1e15, "en_US", "1000000000000000"),
        ("1.234,56", "de_DE", "1234.56"),
        ("1.234", "de_DE", "1234"),
        ("1.234", "en_US", "1.234"),
        ("1,234.56", "en_US", "1234.56"),
        (" - 1.234,56 € ", "de_DE", "-1234.56"),
        ("\N{MINUS SIGN}12,50", "de_DE", "-12.50"),
        ("12,50-", "de_DE", "-12.50"),
        ("(12.50)", "en_US", "-12.50"),
        ("$1,000", "en_US", "1000"),
        ("EUR 12,50", "de_DE", "12.50"),
        ("12,50 EUR", "de_DE", "12.50"),
        ("1'234.50", "de_CH", "1234.50"),
        ("1 234,50", "fr_FR", "1234.50"),
        ("1\N{NARROW NO-BREAK SPACE}234,50", "fr_FR", "1234.50"),
        ("12.5", "no such locale", "12.5"),
        ("Rs. 500", "en_IN", "500"),
        ("Rs.1,00,000.50", "en_IN", "100000.50"),
        ("12,34,567", "hi_IN", "1234567"),
        ("1,234,567", "en_IN", "1234567"),
        ("5,50 kr.", "da_DK", "5.50"),
        ("5,50 zł", "pl_PL", "5.50"),
        ("R$ 5,00", "pt_BR", "5.00"),
        ("US$5", "en_GB", "5"),
        ("1.234,50", "no_NO", "1.234,50"),
        ("1\N{NO-BREAK SPACE}234,50 kr", "no_NO", "1234.50"),
        ("1.234,56", "de_AT", "1234.56"),
        ("1\N{NO-BREAK SPACE}234.50", "en_US", "1234.50"),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660", "ar_EG", "1234.50"),
        ("\uff11\uff12\uff13", "ja_JP", "123"),
        ("-€5", "de_DE", "-5"),
        ("€-5", "de_DE", "-5"),
        ("5 €-", "de_DE", "-5"),
        ("($5.00)", "en_US", "-5.00"),
        ("+5", "en_US", "5"),
        (".5", "en_US", "0.5"),
        ("-.5", "en_US", "-0.5"),
        # Not understood, and so as it was typed.
        ("1,234.56", "de_DE", "1,234.56"),
        ("12.5", "de_DE", "'12.5"),
        ("-1.50", "fr_FR", "'-1.50"),
        # A cast would take it for a number.
        ("1e3", "en_US", "'1e3"),
        ("5.", "en_US", "'5."),
        ("1.5", "de_DE", "'1.5"),
        ("0.125", "de_DE", "'0.125"),
        ("about 20", "en_US", "about 20"),
        ("#REF!", "en_US", "#REF!"),
        ("NaN", "en_US", "NaN"),
        *(
            (typed, locale, typed)
            for locale, texts in {
                "en_US": (
                    "5k",
                    "5 K",
                    "2h",
                    "5.00 DR",
                    "2000.00 CR",
                    "5%",
                    "5\N{CENT SIGN}",
                    "5 EUR USD",
                    "5 XAU",
                    "5 eur",
                    "(-5)",
                    "-(5)",
                    "--5",
                    "-5-",
                    "(5",
                    "5)",
                    "((5))",
                    "(5)-",
                    "12 34",
                    "1 234",
                    "1,5",
                    "12,34,567",
                    "1,234,56",
                    "0,125",
                    "1'234",
                    "1/2",
                    "1\N{NO-BREAK SPACE}23",
                    "\u0661\uff12",
                    "$5 of 6",
                    "5 6",
                    "USD .50",
                    "5x",
                ),
                "de_DE": (
                    "1,5 Mio",
                    "2,5 Mrd €",
                    "1.234.5",
                    "5,-",
                    "12,- €",
                    "1.234,56,7",
                    "1,234.56",
                    "5 Tsd.",
                    "5 St.",
                ),
                "en_IN": ("5 lakh", "5 cr", "Rs", "Rs. .", "Rs -", "1,2,345", "Rs. 5 DR"),
                "en_ZM": ("5 K",),
                "fr_FR": ("1 2345", "12 34", "1 234 56", "1\N{NARROW NO-BREAK SPACE}234 567"),
            }.items()
            for typed in texts
        ),
        (True, "en_US", "TRUE"),
        ("", "en_US", None),
        ("  ", "en_US", None),
        (None, "en_US", None),
    ],
)
def test_an_amount_is_read_as_its_locale_writes_it(cell: Any, locale: str, expected: str | None) -> None:
    assert as_text(cell, "number", locale) == expected


@pytest.mark.parametrize(
    ("cell", "locale", "expected"),
    [
        (46112, "de_DE", "2026-03-31"),
        (46112.75, "de_DE", "2026-03-31"),
        ("31.03.2026", "de_DE", "2026-03-31"),
        ("1.3.26", "de_DE", "2026-03-01"),
        ("03/04/2026", "en_US", "2026-03-04"),
        ("03/04/2026", "en_GB", "2026-04-03"),
        ("2026-03-31", "de_DE", "2026-03-31"),
        ("2026-3-1", "en_US", "2026-03-01"),
        ("2026-13-01", "en_US", "2026-13-01"),
        ("30.02.2026", "de_DE", "30.02.2026"),
        ("in March", "en_US", "in March"),
        ("room 12 of 3, 2026", "en_US", "room 12 of 3, 2026"),
        ("25/12/2026", "en_US", "25/12/2026"),
        ("05/12/2026", "en_US", "2026-05-12"),
        ("31.03.202", "de_DE", "31.03.202"),
        ("31.03.20266", "de_DE", "31.03.20266"),
        ("31.03.0202", "de_DE", "31.03.0202"),
        ("3/4/5", "en_US", "3/4/5"),
        ("31-12/2026", "de_DE", "31-12/2026"),
        ("31-12/2026", "nl_NL", "31-12/2026"),
        ("31/03/2026", "de_DE", "31/03/2026"),
        ("12.05.2026", "en_US", "12.05.2026"),
        ("31-12-2026", "nl_NL", "2026-12-31"),
        ("31. 3. 2026", "cs_CZ", "2026-03-31"),
        ("2026. 3. 1.", "hu_HU", "2026-03-01"),
        ("26. 3. 1.", "ko_KR", "2026-03-01"),
        ("26/3/1", "ja_JP", "26/3/1"),
        ("1.3.29", "de_DE", "2029-03-01"),
        ("1.3.30", "de_DE", "1930-03-01"),
        # Years of another calendar.
        ("31/3/2569", "th_TH", "31/3/2569"),
        ("31/3/69", "th_TH", "31/3/69"),
        ("\u0663\u0661/\u0663/\u0662\u0660\u0662\u0666", "ar_EG", "2026-03-31"),
        ("03/04/2026", "no such locale", "03/04/2026"),
        ("2026-03-31", "no such locale", "2026-03-31"),
        ("29.02.2026", "de_DE", "29.02.2026"),
        ("3 1.03.2026", "de_DE", "3 1.03.2026"),
        # A time alone is no day.
        (0.5, "de_DE", "0.5"),
        (0.999, "de_DE", "0.999"),
        (0, "de_DE", "0"),
        (1, "de_DE", "1899-12-31"),
        (-5, "en_US", "-5"),
        (10**9, "en_US", "1000000000"),
        # A year is no day of 1905.
        (2026, "de_DE", "2026"),
        (2026.0, "de_DE", "2026"),
        (True, "en_US", "TRUE"),
        ("", "en_US", None),
    ],
)
def test_a_date_is_a_serial_number_or_read_as_its_locale_writes_it(
    cell: Any, locale: str, expected: str | None
) -> None:
    assert as_text(cell, "date", locale) == expected


@pytest.mark.parametrize(
    ("cell", "expected"), [(" Rent ", "Rent"), (7.0, "7"), (False, "FALSE"), ("0", "0"), (0, "0")]
)
def test_a_text_is_trimmed(cell: Any, expected: str) -> None:
    assert as_text(cell, "text", "en_US") == expected


locales = st.sampled_from(("de_DE", "de_CH", "en_US", "en_GB", "fr_FR", "nl_NL", "sv_SE", "pl_PL", "ja_JP"))


# Locales of Google Sheets, among them some of every way to write numbers.
written_locales = st.sampled_from(
    [
        *("ar_EG", "cs_CZ", "da_DK", "de_AT", "de_CH", "en_IN", "en_ZA", "es_ES", "fa_IR", "fr_CH", "hi_IN", "hu_HU"),
        *("it_IT", "iw_IL", "ko_KR", "lv_LV", "nb_NO", "no_NO", "pt_BR", "pt_PT", "ru_RU", "sr_RS", "th_TH", "tr_TR"),
        *("uk_UA", "vi_VN", "zh_TW"),
    ]
)  # fmt: skip


@given(
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
    written_locales,
    st.sampled_from(("EUR", "USD", "INR", "CHF")),
)
def test_an_amount_with_a_currency_that_a_locale_writes_is_read_again(
    amount: Decimal, locale: str, currency: str
) -> None:
    babels = locale.replace("no_", "nb_")
    written = format_currency(amount, currency, locale=babels, numbering_system="default")
    assert Decimal(as_text(written, "number", locale) or "") == amount


@example("+0\u0661", "ar_EG")
@given(st.text(alphabet="0123456789.,-+() '%kKmhDRCE€$\u00a0\u202f\u0661/", max_size=12), written_locales)
def test_what_is_read_as_an_amount_has_the_digits_that_were_typed(text: str, locale: str) -> None:
    found = as_text(text, "number", locale)
    if found in (None, text.strip(), f"'{text.strip()}"):
        return
    assert re.fullmatch(r"-?\d+(\.\d+)?", found)
    digits = "".join(str(int(char)) for char in text if char.isdecimal())
    assert found.replace(".", "").lstrip("-0") == digits.lstrip("0")
    assert found.startswith("-") == any(char in text for char in "-(")


@given(st.from_regex(r"\s?[-+]?[0-9]{0,4}[.,]?[0-9]{0,3}(e[0-9])?", fullmatch=True), written_locales)
def test_what_is_not_understood_is_castable_nowhere(text: str, locale: str) -> None:
    """A cast knows one way of writing alone, and would read `12.5` where it means something else or nothing."""
    found = as_text(text, "number", locale) or ""
    if not re.fullmatch(r"-?\d+(\.\d+)?", found):
        with pytest.raises(ValueError, match="could not convert"):
            float(found)


@given(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), locales)
def test_what_a_locale_writes_is_read_again(amount: Decimal, locale: str) -> None:
    written = format_decimal(amount, "#,##0.00", locale=locale)
    assert Decimal(as_text(written, "number", locale) or "") == amount


@given(st.dates(date(1970, 1, 1), date(2099, 12, 31)), st.sampled_from(("de_DE", "en_US", "en_GB", "fr_FR")))
def test_a_date_that_a_locale_writes_is_read_again(day: date, locale: str) -> None:
    pattern = {"de_DE": "dd.MM.y", "en_US": "M/d/y", "en_GB": "dd/MM/y", "fr_FR": "dd/MM/y"}[locale]
    assert as_text(format_date(day, pattern, locale=locale), "date", locale) == day.isoformat()


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_every_number_of_a_sheet_can_be_cast(number: float) -> None:
    text = as_text(number, "number", "de_DE")
    assert text
    assert Decimal(text) == Decimal(format(number, ".15g"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SPREADSHEET_LINK, Address(SPREADSHEET_ID, None, 0)),
        (f"https://docs.google.com/spreadsheets/d/{SPREADSHEET_ID}/edit#gid=42", Address(SPREADSHEET_ID, None, 42)),
        (f"https://docs.google.com/spreadsheets/u/1/d/{SPREADSHEET_ID}/edit", Address(SPREADSHEET_ID)),
        (f"{SPREADSHEET_LINK}!Our money", Address(SPREADSHEET_ID, "Our money")),
        (f" {SPREADSHEET_ID} ", Address(SPREADSHEET_ID)),
        (f"{SPREADSHEET_ID}!Ledger 2026", Address(SPREADSHEET_ID, "Ledger 2026")),
    ],
)  # fmt: skip
def test_a_tab_is_named_by_link_or_id(text: str, expected: Address) -> None:
    assert Address.parse(LEDGER, text) == expected


@pytest.mark.parametrize("text", ["Money", "https://example.com/x", "!Ledger", "1234 5678 9012"])
def test_what_is_no_address_is_not_shown(text: str) -> None:
    with pytest.raises(
        SheetError, match="REPORTING_NAME_GOOGLE_SHEETS__LEDGER does not name a spreadsheet"
    ) as caught:
        Address.parse(LEDGER, text)
    assert "example" not in str(caught.value)


def records(rows: list[list[Any]], header: list[Any] = HEADER, columns: str | None = None) -> list[Record]:
    found = header_of(LEDGER, header, "Ledger", renamed_columns(LEDGER, columns))
    return list(records_of(LEDGER, found, rows, "Ledger", "de_DE"))


def test_names_of_columns_are_compared_without_case_and_spaces_and_in_any_order() -> None:
    [made] = records([["x", -5, "Food", 46112]], [" memo", "AMOUNT ", "Cate gory", "date"])
    assert made.payload["columns"] == {"date": 46112, "category": "Food", "amount": -5}
    assert made.payload["others"] == {"memo": "x"}


def test_columns_can_have_other_names() -> None:
    header = ["Datum", "Kategorie", "Betrag"]
    [made] = records([[46112, "Food", -5]], header, "date=Datum, category = Kategorie,amount=betrag")
    assert made.payload["columns"] == {"date": 46112, "category": "Food", "amount": -5}


@pytest.mark.parametrize(
    ("header", "columns", "said"),
    [
        (["Date", "Category", "Sum"], None, "lacks the column 'amount' .* first row has 'Date', 'Category', 'Sum'"),
        (["Date", "Category", "Amount"], "amount=Betrag", "lacks the column 'Betrag'"),
        ([], None, "first row has nothing"),
        (["Date", "Category", "Amount", "date "], None, r"the column 'date' twice \(A and D\)"),
        (["Date", "Category", "Amount", "", "AM OUNT"], None, r"the column 'AM OUNT' twice \(C and E\)"),
        (["id", "Date", "Category", "Amount", "ID"], None, r"the column 'ID' twice \(A and E\)"),
        (["Date", "Category", "Amount"], "sum=Betrag", "names 'sum', which is not a column"),
        (["Date", "Category", "Amount"], "amount", "takes NAME=NAME IN THE SHEET"),
    ],
)  # fmt: skip
def test_a_tab_that_is_another_is_named(header: list[str], columns: str | None, said: str) -> None:
    with pytest.raises(SheetError, match=said):
        records([], header, columns)


def test_a_column_that_is_there_twice_does_not_stop_the_others() -> None:
    header = [*HEADER, "note ", "", "NOTE", "description", "note (G)"]
    row = [46112, "Baker", "Food", "Cash", -5, "one", "two", "unnamed", "three", "other", "four"]
    found = header_of(LEDGER, header, "Ledger", {})
    assert found.names == [
        *LEDGER.columns, "Note", "note (G)", "NOTE (I)", "description (J)", "note (G) (K)",
    ]  # fmt: skip
    [made] = records_of(LEDGER, found, [row], "Ledger", "de_DE")
    # Of a column that the entity knows the first one counts, and nothing of the others is lost.
    assert made.payload["columns"]["description"] == "Baker"
    assert list(made.payload["others"].values()) == ["one", "two", "three", "other", "four"]
    [once] = records([row])
    assert made.id == once.id


def test_a_column_that_is_there_twice_is_named(book: AddressBook, caplog: pytest.LogCaptureFixture) -> None:
    put(
        book,
        {"title": "Ledger", "sheetId": 0, "rows": [[*HEADER, "Note"], [46112, "", "Food", "", -5, "a", "b"]]},
    )
    opened = reader(book)
    assert "Note (G)" in opened.describe()["properties"]
    [page] = opened.read(None)
    opened.close()
    assert [each.payload["others"] for each in page.records] == [{"Note": "a", "Note (G)": "b"}]
    [said] = [each.getMessage() for each in caplog.records if "twice" in each.getMessage()]
    assert "the tab 'Ledger' has the column 'Note' twice (F and G)" in said


def test_empty_rows_are_no_rows_and_short_ones_are() -> None:
    found = records([[], ["", "", " "], [46112], ["", "", "", "", "", "only a note"], ["", "", "", "", 5]])
    assert [each.payload["columns"] for each in found] == [{"date": 46112}, {"amount": 5}]


def test_a_row_without_an_id_is_keyed_by_what_the_entity_knows_of_it() -> None:
    row = [46112, "Baker", "Food", "Cash", -5]
    first, twin, other = records([row, row, [*row[:4], -6]])
    assert first.id is not None
    assert twin.id == first.id.removesuffix("1") + "2"
    assert other.id not in (first.id, twin.id)
    # A note is no part of the key, and an entry elsewhere in the sheet is the same one.
    assert [each.id for each in records([[*row[:4], -6], [*row, "with a note"]])] == [other.id, first.id]
    assert len({first.id, *(each.id for each in records([["46112", *row[1:]]]))}) == 2


def test_a_column_of_ids_keys_rows() -> None:
    header = ["ID", *HEADER]
    found = records([[7.0, 46112, "", "Food", "", -5], ["b", 46112, "", "Food", "", -5], ["", 46112]], header)
    assert [each.id for each in found] == ["7", "b", None]
    with pytest.raises(SheetError, match="rows 2 and 3 of the tab 'Ledger' have the same id"):
        records([[7, 46112], ["7", 46113]], header)


@pytest.fixture
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AddressBook]:
    with address_book(tmp_path_factory.mktemp("google")) as running:
        yield running


def reader(book: AddressBook, address: str = SPREADSHEET_LINK) -> SheetReader:
    return SheetReader(GoogleAccount(SHEETS, USER, book.address, UNPACED), LEDGER, address)


def put(book: AddressBook, *tabs: dict[str, Any], **properties: Any) -> None:
    body = {"title": "Money", "locale": "de_DE", "timeZone": "Europe/Berlin", "tabs": list(tabs)}
    book.control("PUT", f"spreadsheets/{SPREADSHEET_ID}", body | properties)


def test_the_sample_is_read_to_its_end(book: AddressBook) -> None:
    opened = reader(book)
    description = opened.describe()
    assert description["spreadsheet"]["locale"] == "de_DE"
    assert set(description["properties"]) == {*LEDGER.columns, "Note"}
    [page] = opened.read(None)
    opened.close()
    rows = book.control("GET", f"spreadsheets/{SPREADSHEET_ID}")["tabs"][0]["rows"][1:]
    assert len(page.records) == sum(bool(row) for row in rows)
    assert len({record.id for record in page.records}) == len(page.records)
    for record in page.records:
        values = record.payload["columns"]
        assert date.fromisoformat(as_text(values["date"], "date", "de_DE") or "")
        assert Decimal(as_text(values["amount"], "number", "de_DE") or "")
    # What a sheet makes of a date comes as a number, and what was pasted as text.
    assert {type(record.payload["columns"]["date"]) for record in page.records} == {int, str}
    # An access token, the properties, the first row, and the values.
    assert opened.request_count == 4


def test_a_tab_is_found_by_number_and_by_title(book: AddressBook) -> None:
    row = [46112, "Food", -5]
    put(
        book,
        {"title": "First", "sheetId": 3, "rows": [["no", "ledger"]]},
        {"title": "It's mine!", "sheetId": 42, "rows": [["Date", "Category", "Amount"], row]},
        {"title": "Chart", "sheetId": 43, "sheetType": "OBJECT", "rows": []},
    )
    for address in (
        f"{SPREADSHEET_ID}!It's mine!",
        f"https://docs.google.com/spreadsheets/d/{SPREADSHEET_ID}/edit#gid=42",
    ):
        opened = reader(book, address)
        opened.describe()
        [page] = opened.read(None)
        assert [list(each.payload["columns"].values()) for each in page.records] == [row]
        opened.close()
    for address in (f"{SPREADSHEET_ID}!Chart", f"{SPREADSHEET_ID}!Ledger", SPREADSHEET_LINK):
        opened = reader(book, address)
        with pytest.raises(NotFoundError, match=r"has no tab .* it has 'First', 'It's mine!'"):
            opened.describe()
        opened.close()


def test_a_spreadsheet_that_is_gone_or_not_shared_is_said_to_be(book: AddressBook) -> None:
    put(book, {"title": "Ledger", "sheetId": 0, "rows": [HEADER]}, isPrivate=True)
    with pytest.raises(AccessDeniedError, match="Share it with that account"):
        reader(book).describe()
    book.control("DELETE", f"spreadsheets/{SPREADSHEET_ID}")
    with pytest.raises(NotFoundError, match=r"does not exist .404.* the rows stay"):
        reader(book).describe()


def test_a_tab_that_is_renamed_while_it_is_read_is_not_loaded(book: AddressBook) -> None:
    opened = reader(book)
    opened.describe()
    put(book, {"title": "Other", "sheetId": 0, "rows": [HEADER]})
    with pytest.raises(SheetError, match=r"does not find the tab 'Ledger' .* any more"):
        list(opened.read(None))
    opened.close()


def test_a_login_without_the_scope_says_so(book: AddressBook) -> None:
    code = book.http.get(
        "/o/oauth2/v2/auth",
        params={
            "client_id": USER["client_id"],
            "redirect_uri": "http://127.0.0.1:1/",
            "response_type": "code",
            "scope": CONTACTS_SCOPE,
        },
    ).next_request
    assert code is not None
    form = {
        "code": code.url.params["code"],
        "redirect_uri": "http://127.0.0.1:1/",
        "grant_type": "authorization_code",
    }
    granted = book.http.post("/token", data={**form, **USER}).json()
    user = {**USER, "refresh_token": granted["refresh_token"]}
    opened = SheetReader(GoogleAccount(SHEETS, user, book.address, UNPACED), LEDGER, SPREADSHEET_LINK)
    with pytest.raises(
        AccessDeniedError, match=r"spreadsheets.readonly \(403\). Run script/google-login"
    ) as caught:
        opened.describe()
    assert_no_secret(str(caught.value))
    opened.close()


def test_what_passes_is_asked_for_again(book: AddressBook) -> None:
    for status in (429, 503):
        book.fault(kind="status", status=status, path="values")
        opened = reader(book)
        opened.describe()
        assert len(list(opened.read(None))) == 1
        opened.close()
    book.fault(kind="status", status=400, path="values")
    with pytest.raises(SourceError):
        reader(book).describe()


def test_a_content_hash_knows_the_locale() -> None:
    payload = {"id": "a", "locale": "de_DE", "columns": {"amount": "1.234"}, "others": {}}
    hashes = {content_hash(Record({**payload, "locale": locale})) for locale in ("de_DE", "en_US")}
    assert len(hashes) == 2
