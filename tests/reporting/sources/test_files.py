"""Files of every format, well-made and hostile: what becomes of their values, and why something is not read."""

import gzip
import io
import json
import os
import socket
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from reporting.cli.command import call
from reporting.cli.entities import parsed_all
from reporting.deploy import configuration
from reporting.deploy.configuration import token_connection
from reporting.deploy.errors import CommandError
from reporting.settings import read_settings
from reporting.sources.base import NotFoundError, SourceError, SourceUnavailableError
from reporting.sources.files import DeclarationError, FileTable, Property, content, delimited, opening
from reporting.sources.files import rows as rows_module
from reporting.sources.files.checks import check
from reporting.sources.files.declare import column_of
from reporting.sources.files.folder import Folder
from reporting.sources.files.reader import FilesReader, open_reader
from reporting.sources.files.values import decimal_in, text_in
from reporting.sources.google_sheets import cells
from reporting.sources.registry import SOURCES
from reporting.storage.files import open_folder
from tests.support.bucket import BUCKET, bucket
from tests.support.drops import Drop, records, table

SETTINGS = read_settings({})
HEADER = "at,level,note\n"


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    (tmp_path / "files").mkdir()
    return Drop(tmp_path / "files")


def read(drop: Drop, declared: FileTable | None = None) -> list[dict[str, Any]]:
    """The rows of all files, in order."""
    declared = declared or table()
    pages = drop.reader(declared).read(None)
    return [rows_module.row(declared, each, {}, SETTINGS) for page in pages for each in page.records]


def values(drop: Drop, declared: FileTable | None = None) -> list[tuple[Any, ...]]:
    """Of each row its three columns, or why there are none."""
    return [
        (row["reject_reason"],) if row["reject_reason"] else (row["at"], row["level"], row["note"])
        for row in read(drop, declared)
    ]


def one(drop: Drop, body: str | bytes, name: str = "a.csv", **declared: Any) -> list[tuple[Any, ...]]:
    """The rows of one file."""
    drop.put(f"battery/{name}", body)
    return values(drop, table(**declared))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_separators_and_ends_of_lines_are_found(
    drop: Drop, encoding: str, separator: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        ["at", "level", "note"],
        ["2026-01-05", "7", "Äpfel, für 3 €; a|b" if separator == "\t" else "Ärger"],
    ]
    text = "".join(separator.join(each) + end for each in lines)
    caplog.set_level("INFO")
    assert one(drop, text.encode(encoding)) == [("2026-01-05", "7", lines[1][2])]
    assert f"has 1 record; {encoding if encoding != 'utf-8' else 'utf-8,'}" in caplog.text
    assert ("a guess" in caplog.text) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"at,level,note\n2026-01-05,7,\x81\n", "is in no encoding that can be told; declare `encoding` for its table"),
        ("at,level,note\n".encode("utf-16-le"), "looks like UTF-16 without its mark; declare `encoding` for its table"),
        (b"\xff\xfea\x00\x00\xd8b\x00", "is not, or not to its end, in the encoding utf-16"),
        (b"", "is empty"),
        (b"\n\n", "has no line with the names of the columns"),
        (b"at,level\n1,2\n", "lacks the column 'note'"),
        (b"at,level,note,Level\n1,2,3,4\n", "has the column 'level' twice"),
        (gzip.compress(HEADER.encode(), mtime=0)[:-3], "is cut off: its compressed data does not end"),
        (gzip.compress(HEADER.encode(), mtime=0)[:-8] + bytes(8), "is no gzip file, or is damaged"),
    ],
    ids=lambda each: str(each)[:30],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_one_reject(drop: Drop, body: bytes, reason: str) -> None:
    drop.put("battery/good.csv", HEADER + "2026-01-05,7,x\n")
    assert one(drop, body) == [(reason,), ("2026-01-05", "7", "x")]


def test_a_declared_encoding_is_taken(drop: Drop) -> None:
    body = (HEADER + "2026-01-05,7,Łódź\n").encode("cp1250")
    assert one(drop, body, encoding="cp1250") == [("2026-01-05", "7", "Łódź")]


def test_lines_that_cannot_be_read_stop_no_other(drop: Drop) -> None:
    body = (
        'Export of a bank\n;;\n At ; LEVEL;note;;other\n2026-01-05;1;"a ""b"";\nc";;x\n1;2\n1;2;3;4;5;6\n1;2;3;;;;\n\n'
        '1;2;"x"y;;\n1;2;a\0b;;\n1;2;=1+2;;\n1;2;"never closed;;\n1;2;after;;\n'
    )
    drop.put("battery/a.csv", body)
    rows = read(drop)
    assert [(row["source_line"], row["note"] or row["reject_reason"]) for row in rows] == [
        ("4", 'a "b";\nc'),
        ("6", "has 2 fields, where the header has 5"),
        ("7", "has 6 fields, where the header has 5"),
        ("8", "3"),
        ("10", "has text beside a field in quotation marks"),
        ("11", "holds a NUL character"),
        ("12", "=1+2"),
        ("13", "has a quotation mark that is not closed"),
        ("14", "after"),
    ]
    [first, *_] = records(drop.reader(table()).read(None))
    assert first["record"]["other"] == "x"


def test_no_reject_holds_anything_of_its_line(drop: Drop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "hushed"
    drop.put(
        "battery/a.csv",
        f'{HEADER}{secret},{secret}\n"{secret}\n{secret}"x,1,1\n{secret}\0,,\n1,2,"{secret}\n',
    )
    drop.put("battery/b.csv", f"{secret}\n")
    drop.put("battery/c.ndjson", f"{{{secret}\n[1]\n")
    drop.put("battery/d.json", f"[{secret}")
    drop.put("battery/e.vcf", f"BEGIN:VCARD\n{secret}\nEND:VCARD\n")
    drop.put("battery/f.xlsx", secret)
    drop.put("battery/g.parquet", secret)
    found = records(drop.reader(table()).read(None))
    assert len(found) == 11
    assert all(set(each) == {"id", "file", "line", "rejected"} for each in found)
    assert secret not in json.dumps(found) + caplog.text
    assert "files__battery_log: battery/a.csv, line 2, has 2 fields, where the header has 3." in caplog.text
    assert "rejected in all: 11, single lines or whole files." in caplog.text


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        (["12,5", "1.234"], ["12.5", "1234"]),
        (["12.5", "1,234"], ["12.5", "1234"]),
        (["0.125", "1.234"], ["0.125", "1.234"]),
        # Nothing says what it is, so no cast may take it.
        (["1.234", "2.345"], ["'1.234", "'2.345"]),
        (["1,234", "7"], ["1,234", "7"]),
        # Both are there: each is read where it can be one only.
        (["12,5", "12.5", "1.234"], ["12.5", "12.5", "'1.234"]),
        (["1.234.567", "1.234"], ["1234567", "1234"]),
        (["1'234.50", "1 234.50", "€ 3.20"], ["1234.50", "1234.50", "3.20"]),
        (["(12.50)", "12.50-", "-1,234.50"], ["-12.50", "-12.50", "-1234.50"]),
        (["1.5e-3", "2E3", "NaN", "85%"], ["1.5e-3", "2E3", "NaN", "85%"]),
    ],
    ids=str,
)  # fmt: skip
def test_numbers_are_read_as_the_file_shows(drop: Drop, cells: list[str], read_as: list[str]) -> None:
    body = "at;level;note\n" + "".join(f"2026-01-05;{each};x\n" for each in cells)
    assert [level for _, level, _ in one(drop, body)] == read_as


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        (["31/12/2026 8:05", "03/04/2026"], ["2026-12-31T08:05:00", "2026-04-03"]),
        (["12/31/2026", "03/04/2026 10:00:01Z"], ["2026-12-31", "2026-03-04T10:00:01+00:00"]),
        (["03/04/2026", "05/06/2026"], ["03/04/2026", "05/06/2026"]),
        (["31/12/2026", "12/31/2026", "03/04/2026"], ["2026-12-31", "2026-12-31", "03/04/2026"]),
        (["1.2.2026, 7:30", "2026/2/1", "01.02.26"], ["2026-02-01T07:30:00", "2026-02-01", "01.02.26"]),
        (["2026-02-01 07:30", "2026-02-01T07:30:00.25+01:00"], ["2026-02-01T07:30:00", "2026-02-01T07:30:00.250000+01:00"]),
        (["31.02.2026", "1767600000", "x", "99999-01-01"], ["31.02.2026", "1767600000", "x", '"99999-01-01"']),
    ],
    ids=str,
)  # fmt: skip
def test_dates_are_read_as_the_file_shows(drop: Drop, cells: list[str], read_as: list[str]) -> None:
    body = "at;level;note\n" + "".join(f"{each};1;x\n" for each in cells)
    assert [at for at, _, _ in one(drop, body)] == read_as


def test_a_declared_locale_is_taken(drop: Drop) -> None:
    body = "at;level;note\n03/04/2026 08:00;1.234;x\n"
    assert one(drop, body, locale="en_GB") == [("2026-04-03T08:00:00", "1.234", "x")]
    assert one(drop, body, locale="en_US") == [("2026-03-04T08:00:00", "1.234", "x")]
    assert one(drop, "at;level;note\n03.04.2026;1.234;x\n", locale="de_AT")[0][:2] == ("2026-04-03", "1234")


@settings(max_examples=300)
@given(
    whole=st.integers(0, 10**9),
    fraction=st.integers(0, 99),
    is_comma=st.booleans(),
    grouping=st.sampled_from(["", "other", " "]),
)
def test_an_amount_is_never_read_as_another(whole: int, fraction: int, is_comma: bool, grouping: str) -> None:
    """Whatever way it is written in: it is read right, or stays text."""
    decimal, other = (",", ".") if is_comma else (".", ",")
    group = other if grouping == "other" else grouping
    for text, value in (
        (f"{whole:,}".replace(",", group) + f"{decimal}{fraction:02}", f"{whole}.{fraction:02}"),
        (f"{whole:,}".replace(",", group), str(whole)),
    ):
        for shown in (decimal, None):
            found = text_in(text, "number", shown, None, None)
            assert found in (value, text, f"'{text}")
            if shown or decimal_in(text):
                assert found == value


@settings(max_examples=200)
@given(text=st.from_regex(r"-?[0-9]{1,9}([.,][0-9]{1,6})?", fullmatch=True))
def test_a_plain_number_is_read_as_by_its_locale(text: str) -> None:
    for separator, locale in ((",", "de_DE"), (".", "en_US")):
        if decimal_in(text) in ("", None, separator):
            assert text_in(text, "number", separator, None, None) == cells.as_text(text, "number", locale)


@settings(max_examples=200)
@given(text=st.text(max_size=80), kind=st.sampled_from(["text", "number", "date", "datetime", "bool"]))
def test_no_text_stops_a_row(text: str, kind: str) -> None:
    for locale in (None, "de_DE"):
        found = text_in(text, kind, None, None, locale)
        assert found is None or isinstance(found, str)


@settings(max_examples=150, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.text('",;\n\r\0ab1', max_size=120).map(lambda each: (HEADER + each).encode()),
    )
)
def test_no_bytes_stop_a_read(body: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    drop = Drop(tmp_path_factory.mktemp("drop"))
    for ending in ("csv", "csv.gz", "ndjson", "json", "vcf", "ics", "xlsx", "parquet"):
        drop.put(f"battery/a.{ending}", body)
    drop.put("battery/z.csv", HEADER + "2026-01-05,7,x\n")
    rows = read(drop)
    assert rows[-1]["level"] == "7"
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids))


def test_long_lines_are_passed_by(drop: Drop) -> None:
    long = content.LONGEST_LINE
    body = f"{HEADER}1,2,{'a' * long}\n1,2,{'b' * delimited.LONGEST_FIELD}x\n1,2,last\n"
    assert one(drop, body) == [
        (f"is longer than {long} characters",),
        (f"is longer than {long} characters",),
        ("1", "2", "last"),
    ]


def test_marks_that_are_never_closed_are_looked_for_so_often_only(drop: Drop) -> None:
    # Each begins a field, and none of the lines after it has another one within bounds.
    gap = "1,2,x\n" * (delimited.MOST_LINES + 1)
    body = HEADER + ('1,2,"a\n' + gap) * (delimited.MOST_UNCLOSED + 1)
    assert one(drop, body)[-1] == (
        f"has more than {delimited.MOST_UNCLOSED} quotation marks that are not closed",
    )


def test_a_bomb_is_not_unpacked(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "HARMLESS", 2**20)
    assert one(drop, gzip.compress(b"0" * 2**24), "a.csv.gz") == [
        ("unpacks to more than 250 times its size, so it is not unpacked",)
    ]
    book = io.BytesIO()
    with (
        zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/sharedStrings.xml", "w") as part,
    ):
        for _ in range(150):
            part.write(b"0" * 2**20)
    (drop.folder / "battery/a.csv.gz").unlink()
    assert one(drop, book.getvalue(), "a.xlsx") == [
        ("has texts or styles of more than 128 MiB, so it is not unpacked",)
    ]


def test_a_file_beyond_every_bound_is_not_read(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST_FILE", 2**20)
    body = HEADER + "1,2,x\n" * 200_000
    assert one(drop, body) == [("has more than 0 GiB, which is the most that is read",)]
    assert one(drop, gzip.compress(body.encode())) == [
        ("has more than 0 GiB, which is the most that is read",)
    ]


def test_more_rejects_than_a_file_has_are_one(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MOST_REJECTS", 3)
    assert one(drop, HEADER + "1\n" * 4) == [("has more than 3 lines that cannot be read",)]


def test_json_is_read_by_paths_and_as_deep_as_is_stored(drop: Drop) -> None:
    deep = "[" * 200_000 + "]" * 200_000
    middle = "[" * 450 + "]" * 450
    columns = {"a.b": Property("number", "."), "tags": Property("text", "."), "on": Property("bool", ".")}
    declared = table(columns=columns, records="data.items")
    items = (
        f'{{"a":{{"b":1.50}},"tags":["x"],"on":true}},{{"a":{{"b":12345678901234567890}}}},7,{{"a":{middle}}}'
    )
    drop.put("battery/a.json", f'{{"data":{{"items":[{items}]}}}}')
    drop.put("battery/b.json", f'{{"data":{{"items":{deep}}}}}')
    drop.put("battery/c.json", '{"data":[]}')
    found = [(row["reject_reason"], row["a_b"], row["tags"], row["on"]) for row in read(drop, declared)]
    assert found == [
        (None, "1.5", '["x"]', "true"),
        (None, "12345678901234567890", None, None),
        ("is no object", None, None, None),
        ("has too many lists or objects within each other", None, None, None),
        ("is no valid JSON, or is cut off", None, None, None),
        ("has no list of objects at 'data.items'", None, None, None),
    ]


def test_ndjson_is_read_line_by_line(drop: Drop) -> None:
    body = (
        '{"at":"2026-01-05T08:00:00Z","level":7,"note":"\\ud800"}\n\n{"level":\n['
        + "[" * 3000
        + '\n{"level":"12,5"}'
    )
    assert one(drop, body, "a.jsonl") == [
        ("2026-01-05T08:00:00+00:00", "7", "\ud800"),
        ("is no valid JSON",),
        ("is no valid JSON",),
        (None, "12.5", None),
    ]


def book(rows: list[list[Any]], title: str = "Sheet") -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = title
    for each in rows:
        sheet.append(each)
    kept = io.BytesIO()
    made.save(kept)
    return kept.getvalue()


def test_a_workbook_is_read_without_computing(drop: Drop) -> None:
    rows = [
        ["Log of a battery"],
        ["At", "Level", "Note"],
        [datetime(2026, 1, 5, 8, 30), 12.5, "x"],  # noqa: DTZ001 (a workbook has no time zones)
        [date(2026, 1, 6), 1234, "=1+2"],
        [None, None, None],
        ["05.01.2026", "12,5", "'=1"],
    ]
    body = book(rows)
    assert one(drop, body, "a.xlsx") == [
        ("2026-01-05T08:30:00", "12.5", "x"),
        ("has a formula without a result in column 3; open the workbook, and save it",),
        ("2026-01-05", "12.5", "'=1"),
    ]
    assert one(drop, body, "a.xlsx", sheet="Other") == [("has no sheet 'Other'",)]
    assert one(drop, book(rows[:3], "Other"), "a.xlsx", sheet="Other")[0][1] == "12.5"
    assert one(drop, body[:-30], "a.xlsx") == [("is no Excel workbook, or is cut off",)]
    drop.put("battery/~$a.xlsx", b"of Excel itself")
    assert len(values(drop)) == 1


def test_parquet_is_read_in_batches(drop: Drop) -> None:
    kept = io.BytesIO()
    stamps = [datetime(2026, 1, 5, 8, tzinfo=UTC)] * 3
    levels = [Decimal("1.234"), None, Decimal("12345678901234567890.123")]
    columns = {"at": stamps, "level": levels, "note": ["a", None, "c"], "more": [[1], [], None]}
    parquet.write_table(pa.table(columns), kept)
    assert one(drop, kept.getvalue(), "a.parquet") == [
        ("2026-01-05T08:00:00+00:00", "1.234", "a"),
        ("2026-01-05T08:00:00+00:00", None, None),
        ("2026-01-05T08:00:00+00:00", "12345678901234567890.123", "c"),
    ]
    assert one(drop, kept.getvalue()[:-9], "a.parquet")[0][0].startswith("is no Parquet file, or is cut off")


CARDS = """BEGIN:VCARD\r
VERSION:3.0\r
UID:1\r
FN:Jane\r
  Doe\\, MD\r
item1.EMAIL;TYPE=HOME:jane@example.org\r
EMAIL:j@example.org\r
PHOTO;ENCODING=b;TYPE=JPEG:AAAA\r
NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:f=C3=BCr=\r
 dich\r
END:VCARD\r
BEGIN:VCARD\r
nothing\r
END:VCARD\r
BEGIN:VCARD\r
FN:No end\r
BEGIN:VCARD\r
UID:3\r
END:VCARD\r
"""
EVENTS = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Europe/Vienna
END:VTIMEZONE
BEGIN:VEVENT
UID:1
SUMMARY:Lunch\\nwith J
DTSTART;TZID=Europe/Vienna:20260705T123000
RRULE:FREQ=DAILY;COUNT=3
BEGIN:VALARM
SUMMARY:Alarm
END:VALARM
END:VEVENT
BEGIN:VTODO
UID:2
DUE;VALUE=DATE:20260705
END:VTODO
BEGIN:VEVENT
UID:3
DTSTART:20269905
END:VEVENT
END:VCALENDAR
"""


def test_vcards_are_read(drop: Drop) -> None:
    columns = {name: Property("text", ".") for name in ("uid", "fn", "email", "note", "photo")}
    drop.put("battery/a.vcf", CARDS)
    found = read(drop, table(columns=columns))
    assert [row["reject_reason"] for row in found] == [
        None,
        "has a line that is no property",
        "does not end",
        None,
    ]
    assert [row["source_line"] for row in found] == ["1", "12", "15", "17"]
    assert [found[0][name] for name in columns] == [
        "1",
        "Jane Doe, MD",
        '["jane@example.org", "j@example.org"]',
        "für dich",
        None,
    ]


def test_calendars_are_read(drop: Drop) -> None:
    columns = {
        "uid": Property("text", "."),
        "component": Property("text", "."),
        "summary": Property("text", "."),
        "dtstart": Property("datetime", "."),
        "due": Property("date", "."),
    }
    drop.put("battery/a.ics", EVENTS)
    found = [
        tuple(row[name] for name in (*columns, "reject_reason")) for row in read(drop, table(columns=columns))
    ]
    assert found == [
        ("1", "vevent", "Lunch\nwith J", "2026-07-05T12:30:00+02:00", None, None),
        ("2", "vtodo", None, None, "2026-07-05", None),
        (None, None, None, None, None, "has a line that is no property"),
    ]


def test_keys_tell_records_apart_across_files(drop: Drop) -> None:
    declared = table(key=("note", "at"), required=("level",))
    drop.put("battery/a.csv", HEADER + "1,1,a b\n2,2,c\n")
    drop.put("battery/b.csv", HEADER + "1,3,a b\n,4,d:1/2\n,5,\n1,6,a b\n")
    found = {row["id"]: row["reject_reason"] or row["level"] for row in read(drop, declared)}
    assert found == {
        "a b/1": "3",
        "d%3A1%2F2/": "4",
        "battery/b.csv:3": "has no value in note and at that can be a key",
        "battery/b.csv:4": "has the same key as an earlier record of the file",
        "c/2": "2",
    }


def test_nothing_outside_of_the_folder_is_opened(
    drop: Drop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text(HEADER + "1,1,hushed\n")
    (drop.folder / "battery").mkdir()
    (drop.folder / "battery/link.csv").symlink_to(outside / "secret.csv")
    (drop.folder / "battery/linked").symlink_to(outside)
    (drop.folder / "away").symlink_to(outside)
    os.mkfifo(drop.folder / "battery/pipe.csv")
    with socket.socket(socket.AF_UNIX) as listening:
        # Their paths have a shortest length.
        monkeypatch.chdir(drop.folder / "battery")
        listening.bind("socket.csv")
    (drop.folder / os.fsdecode(b"battery/\xff.csv")).write_text(HEADER)
    assert {row["id"]: row["reject_reason"] for row in read(drop, table(pattern="**/*.csv"))} == {
        "battery/link.csv:0": "is a symbolic link, which is not followed; put the file itself into the folder",
        "battery/pipe.csv:0": "is no plain file",
        "battery/socket.csv:0": "is no plain file",
        "battery/\N{REPLACEMENT CHARACTER}.csv:0": "has a name with characters that cannot be shown",
    }
    assert read(drop, table(pattern="away/*.csv")) == []


def test_a_folder_that_becomes_a_link_after_it_was_listed_is_not_followed(drop: Drop, tmp_path: Path) -> None:
    drop.put("battery/a.csv", HEADER + "1,1,x\n")
    reader = drop.reader(table())
    (drop.folder / "battery").rename(tmp_path / "moved")
    (drop.folder / "battery").symlink_to(tmp_path / "moved")
    assert [each["rejected"] for each in records(reader.read(None))] == [
        "lies behind a symbolic link, which is not followed"
    ]


def test_a_folder_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    declared = table()
    reader = FilesReader(Folder(str(tmp_path / "nowhere")), declared, declared.pattern)
    with pytest.raises(NotFoundError, match="is not there, or its disk is not mounted"):
        reader.describe()


@pytest.mark.parametrize("address", ["battery", "", "nothing://x", "s3://bucket/folder"])
def test_an_address_that_cannot_be_used_is_told_and_not_shown(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_reader(SETTINGS, table(), address, None)
    assert not address or f"'{address}'" not in str(caught.value)
    if address.startswith("s3"):
        assert "Install fsspec's own for it (s3fs for s3://" in str(caught.value)


def test_a_bucket_is_read_and_what_it_raises_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    files.pipe_file("/drop/battery/a.csv", (HEADER + "1,2,x\n").encode())
    files.pipe_file("/drop/battery/b.csv.gz", gzip.compress((HEADER + "1,3,y\n").encode()))
    files.pipe_file("/drop/other/c.csv", b"x")
    declared = table()
    reader = FilesReader(Folder("memory://drop"), declared, declared.pattern)
    reader.describe()
    # It was written just now, and so is read again.
    assert [each["record"]["level"] for each in records(reader.read(None))] == ["2", "3"]

    def fails(*_: object, **__: object) -> None:
        raise OSError("https://user:hushed@example.org refused it")

    reader.describe()
    with monkeypatch.context() as patch:
        patch.setattr(type(files), "_open", fails)
        with pytest.raises(SourceUnavailableError, match=r"does not answer \(OSError\)") as caught:
            list(reader.read(None))
        assert "hushed" not in str(caught.value)
    files.rm("/drop", recursive=True)
    with pytest.raises(NotFoundError):
        reader.describe()


def test_a_bucket_of_googles_is_read_with_the_key_of_the_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    with bucket(monkeypatch) as connection:
        variables = {
            "AIRFLOW_CONN_BIGQUERY": connection,
            "AIRFLOW_CONN_FILES": token_connection(f"{BUCKET}/drop"),
        }
        with_key = read_settings(variables)
        files, root = open_folder(f"{BUCKET}/drop", with_key.google_key)
        body = gzip.compress((HEADER + "2026-01-05,1.5,x\n").encode())
        for name in ("battery/a.csv.gz", "battery/deep/b.csv.gz", "other/c.csv"):
            files.pipe_file(f"{root}/{name}", body)
        declared = table(pattern="battery/*")
        reader = open_reader(with_key, declared, f"{BUCKET}/drop", None)
        reader.describe()
        [record] = records(reader.read(None))
        assert (record["id"], record["record"]["level"]) == ("battery/a.csv.gz:1", "1.5")
        [listed] = Folder(f"{BUCKET}/drop", with_key.google_key).files("battery/*")
        assert listed.modified_at is not None
        files.pipe_file(f"{root}/battery/a.csv.gz", gzip.compress((HEADER + "2026-01-05,2.5,x\n").encode()))
        [changed] = Folder(f"{BUCKET}/drop", with_key.google_key).files("battery/*")
        assert changed.stamp != listed.stamp


@pytest.mark.parametrize("package", ["openpyxl", "pyarrow", "icalendar.parser"])
def test_a_package_that_is_not_installed_is_named(
    drop: Drop, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    kept = io.BytesIO()
    parquet.write_table(pa.table({"at": [1], "level": [1], "note": [1]}), kept)
    bodies = {"openpyxl": ("a.xlsx", book([["at"]])), "pyarrow": ("a.parquet", kept.getvalue())}
    name, body = bodies.get(package, ("a.vcf", CARDS.encode()))
    drop.put(f"battery/{name}", body)
    with pytest.raises(
        SourceError, match=f"need the package {package.partition('.')[0]}, which is not installed"
    ):
        read(drop)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"pattern": "/etc/*"}, "its pattern is a path below the folder"),
        ({"pattern": "a/../b"}, "its pattern is a path below the folder"),
        ({"pattern": ""}, "its pattern is a path below the folder"),
        ({"name": "Battery"}, "a name has letters"),
        ({"columns": {}}, "it has no columns"),
        ({"columns": {"source file": Property("text", ".")}}, "the column 'source_file' is there already"),
        ({"columns": {"a b": Property("text", "."), "a_b": Property("text", ".")}}, "the column 'a_b' is there already"),
        ({"columns": {"%": Property("text", ".")}}, "'%' makes no name of a column"),
        ({"required": ("nothing",)}, "'nothing' is required and no column"),
        ({"format": "doc"}, "its format is one of csv, tsv"),
        ({"separator": '"'}, "its separator is one character"),
        ({"encoding": "nothing"}, "'nothing' is no encoding"),
        ({"encoding": "base64"}, "'base64' is no encoding"),
        ({"locale": "xx_YY"}, "'xx_YY' is no locale"),
    ],
    ids=lambda each: str(each)[:40],
)  # fmt: skip
def test_a_wrong_declaration_is_told(declared: dict[str, Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=r"the table '.*' of files: ") as caught:
        table(**declared)
    assert said in str(caught.value)


def test_names_of_columns() -> None:
    assert [column_of(each) for each in ("Battery %", "dueDate", "Größe (€)", "due.date", "N°")] == [
        "battery",
        "due_date",
        "grosse",
        "due_date",
        "n",
    ]


def test_a_folder_is_connected(
    drop: Drop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "configuration"
    monkeypatch.setenv("REPORTING_CONFIG", str(path))
    monkeypatch.setattr("builtins.input", lambda _: "Europe/Vienna")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tmp_path / 'hushed'}\n"))
    with pytest.raises(CommandError, match="the folder of the connection 'files' is not there") as caught:
        call("connect", ["files"])
    assert "hushed" not in str(caught.value) + capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{drop.folder}\n"))
    assert call("connect", ["files"]) == 0
    assert str(drop.folder) in configuration.read_owner_file(path)["AIRFLOW_CONN_FILES"]
    # Of a source without tables no command takes those of all others.
    with pytest.raises(typer.BadParameter, match="'files' has no table yet"):
        parsed_all("files")


def test_the_doctor_looks_into_the_last_file(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*tables: FileTable, address: str = str(drop.folder)) -> list[tuple[str, bool, str]]:
        from copy import replace

        with monkeypatch.context() as patch:
            patch.setitem(SOURCES, "files", replace(SOURCES["files"], entities=tables))
            return [(each.subject, each.is_well, each.text) for each in check(SETTINGS, address, None)]

    assert told() == [
        ("Files", True, "the folder can be read, and no table is declared: docs/guides/files.md says how.")
    ]
    assert told(address="nowhere")[0][1] is False
    subject = "files__battery_log"
    assert told(table()) == [(subject, True, "no file matches battery/* yet.")]
    drop.put("battery/a.csv", HEADER + "2026-01-05,12.5,x\n1\n")
    assert told(table()) == [
        (
            subject,
            True,
            "1 file matches battery/*; battery/a.csv has 2 records, 1 of which cannot be read; utf-8, commas; decimal points.",
        )
    ]
    drop.put("battery/b.csv", "at\n")
    assert told(table()) == [
        (subject, False, "2 files match battery/*; battery/b.csv lacks the column 'level'.")
    ]
