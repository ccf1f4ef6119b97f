"""Every value comes back from every kind of file as it went in."""

import math
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyarrow import parquet

from reporting.cells import FORMULA, csv_cell, guarded, unguarded
from reporting.exports.formats import FORMATS
from reporting.exports.reading import Content
from tests.reporting.exports.reading_back import READ_BACK

STAGE = pa.struct(
    [("stage", pa.string()), ("entered_at", pa.timestamp("us", "UTC")), ("amount", pa.decimal128(38, 9))]
)
SCHEMA = pa.schema(
    [
        pa.field("text", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("float", pa.float64()),
        pa.field("is_so", pa.bool_()),
        pa.field("exact", pa.decimal128(38, 9)),
        pa.field("on", pa.date32()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
        pa.field("stages", pa.list_(STAGE), nullable=False),
        pa.field("stage", STAGE),
    ]
)
# BigQuery's text is Unicode without halves of pairs.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        " ",
        ",",
        '"',
        '""',
        "a\r\nb",
        "\n",
        "=1+1",
        "+49 30 1",
        "-1",
        "@x",
        "'",
        "'=x",
        "\t=",
        "🎂",
        "null",
        "é,\"\n'",
        "NaN",
    ]
)
NUMERIC = st.decimals(
    min_value=Decimal("-99999999999999999999999999999.999999999"),
    max_value=Decimal("99999999999999999999999999999.999999999"),
    places=9,
    allow_nan=False,
)
AT = st.datetimes(timezones=st.just(UTC))
STAGES = st.fixed_dictionaries(
    {"stage": st.none() | TEXT, "entered_at": st.none() | AT, "amount": st.none() | NUMERIC}
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | TEXT,
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "float": st.none() | st.floats(allow_nan=True),
            "is_so": st.none() | st.booleans(),
            "exact": st.none() | NUMERIC,
            "on": st.none() | st.dates(),
            "at": st.none() | AT,
            "texts": st.lists(TEXT, max_size=3),
            "stages": st.lists(STAGES, max_size=2),
            "stage": st.none() | STAGES,
        }
    ),
    max_size=6,
)
EXTREME = {
    "text": '=HYPERLINK("x")',
    "number": -(2**63),
    "float": -0.0,
    "is_so": False,
    "exact": Decimal("-99999999999999999999999999999.999999999"),
    "on": date(1, 1, 1),
    "at": datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    "texts": ["", "a\nb", "🎂"],
    "stages": [{"stage": None, "entered_at": None, "amount": None}],
    "stage": {"stage": "", "entered_at": datetime(1, 1, 1, tzinfo=UTC), "amount": Decimal("0.000000001")},
}


def content(rows: list[dict[str, Any]]) -> Content:
    """The rows in batches of two."""
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return Content(SCHEMA, len(rows), iter(table.to_batches(max_chunksize=2)))


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, where NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return (math.isnan(one) and math.isnan(other)) or one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("form", sorted(FORMATS))
@hypothesis_settings(max_examples=25, deadline=None)
@given(rows=ROWS)
@example(rows=[EXTREME, dict.fromkeys(SCHEMA.names) | {"texts": [], "stages": []}])
@example(rows=[])
def test_what_goes_in_comes_back(
    form: str, rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cells") / "made"
    counted: list[int] = []
    FORMATS[form].write(path, "things", content(rows), counted.append)
    assert same(READ_BACK[form](path, "things", SCHEMA), rows)
    assert sum(counted) == len(rows)


@given(TEXT)
def test_a_guard_is_taken_away_again_and_leaves_no_formula(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in set("=+-@\t\r\n") or not text


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_every_beginning_of_a_formula_is_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert FORMULA.match(text)


def test_csv_is_what_rfc_4180_says(tmp_path: Path) -> None:
    rows = [EXTREME | {"text": 'said "a", b'}]
    FORMATS["csv"].write(tmp_path / "made", "things", content(rows), lambda _: None)
    raw = (tmp_path / "made" / "things.csv").read_bytes()
    assert raw.startswith(b'\xef\xbb\xbf"text","number",')
    assert b'\r\n"said ""a"", b","-9223372036854775808",' in raw
    assert raw.endswith(b"\r\n")


def test_types_stay_where_the_file_has_them(tmp_path: Path) -> None:
    FORMATS["parquet"].write(tmp_path / "p", "things", content([EXTREME]), lambda _: None)
    assert parquet.read_schema(tmp_path / "p" / "things.parquet").types == SCHEMA.types
    FORMATS["duckdb"].write(tmp_path / "d", "things", content([EXTREME]), lambda _: None)
    with closing(duckdb.connect(str(tmp_path / "d"), read_only=True)) as database:
        described = dict(row[:2] for row in database.execute("DESCRIBE things").fetchall())
    stage = "STRUCT(stage VARCHAR, entered_at TIMESTAMP WITH TIME ZONE, amount DECIMAL(38,9))"
    assert described == {
        "text": "VARCHAR",
        "number": "BIGINT",
        "float": "DOUBLE",
        "is_so": "BOOLEAN",
        "exact": "DECIMAL(38,9)",
        "on": "DATE",
        "at": "TIMESTAMP WITH TIME ZONE",
        "texts": "VARCHAR[]",
        "stages": f"{stage}[]",
        "stage": stage,
    }


def test_sqlite_counts_with_numbers_and_asks_json(tmp_path: Path) -> None:
    rows = [EXTREME | {"exact": Decimal("10.500000000")}, EXTREME | {"exact": Decimal("9.000000000")}]
    FORMATS["sqlite"].write(tmp_path / "s", "things", content(rows), lambda _: None)
    with closing(sqlite3.connect(tmp_path / "s")) as database:
        assert database.execute("SELECT SUM(exact), MIN(exact), COUNT(*) FROM things").fetchone() == (
            19.5,
            9,
            2,
        )
        (text,) = database.execute("SELECT json_extract(texts, '$[1]') FROM things LIMIT 1").fetchone()
    assert text == "a\nb"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66"])
@pytest.mark.parametrize(
    "before", ["", " ", "\u00a0", "\ufeff", "\u200b", "\x00", "\x1f", "\u3000", "\u2060", " \ufeff\u00a0\t"]
)
def test_what_nobody_sees_hides_no_formula(before: str, sign: str) -> None:
    text = f"{before}{sign}1+1"
    assert csv_cell(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


def test_bytes_are_guarded_and_numbers_are_numbers() -> None:
    assert csv_cell(b"\xfb\xef") == "'++8="
    assert (csv_cell(-5), csv_cell(-1.5), csv_cell("5 - 3"), csv_cell("a=b")) == (
        "-5",
        "-1.5",
        "5 - 3",
        "a=b",
    )
