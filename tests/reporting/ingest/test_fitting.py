"""What does not fit into a column becomes null or text that can be kept, and nothing else is touched."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy_bigquery import STRUCT

from reporting.ingest.fitting import Fitting
from reporting.sources.columns import column
from reporting.sources.shapes import as_json, repaired

COLUMNS = [
    column("text", sa.String(), ""),
    column("at", sa.TIMESTAMP(), ""),
    column("day", sa.Date(), ""),
    column("whole", sa.Integer(), ""),
    column("number", sa.Float(), ""),
    column("flag", sa.Boolean(), ""),
    column("list", sa.ARRAY(STRUCT(("at", sa.TIMESTAMP()), ("text", sa.String()))), ""),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None, categories=None))
    | st.sampled_from(
        ["", "0000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "NaN"]
    ),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=6,
)


def fit(name: str, value: object) -> tuple[object, int]:
    fitting = Fitting(COLUMNS)
    return fitting.fit({name: value})[name], fitting.misfits.total()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("at", "2026-11-29T10:00:00Z", "2026-11-29T10:00:00+00:00"),
        ("at", "2026-11-29T10:00:00.123456789Z", "2026-11-29T10:00:00.123456+00:00"),
        ("at", "2026-11-29", "2026-11-29T00:00:00"),
        ("whole", "12", 12),
        ("whole", 2**63 - 1, 2**63 - 1),
        ("whole", 3.0, 3),
        ("flag", "TRUE", True),
        ("flag", False, False),
        ("text", "NUL \0 and 🎉", "NUL \0 and 🎉"),
        ("text", {"a": [1, True]}, '{"a": [1, true]}'),
        (
            "list",
            [{"at": "2026-11-29T10:00:00Z", "text": None}],
            [{"at": "2026-11-29T10:00:00+00:00", "text": None}],
        ),
        ("list", {"at": None}, [{"at": None}]),
        ("at", None, None),
    ],
)
def test_what_fits_stays(name: str, value: object, expected: object) -> None:
    assert fit(name, value) == (expected, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("at", value)
            for value in (
                "",
                "yesterday",
                "0000-01-01T00:00:00Z",
                "+10000-01-01T00:00:00Z",
                "-0044-03-15T00:00:00Z",
                "9999-12-31T23:59:59-14:00",
                "0001-01-01T00:00:00+14:00",
                "2026-02-30T00:00:00Z",
                1764410000,
                True,
                {},
            )
        ),
        *(
            ("whole", value)
            for value in (2**63, -(2**63) - 1, 0.5, "x", True, float("inf"), float("nan"), "")
        ),
        *(("number", value) for value in (float("nan"), float("-inf"), "Infinity", "1e999", "", [])),
        *(("flag", value) for value in ("yes", 1, "")),
        ("day", "2026-13-01"),
    ],
)
def test_what_does_not_fit_is_null_and_counted(name: str, value: object) -> None:
    assert fit(name, value) == (None, 1)


def test_one_misfit_in_a_list_keeps_the_others_and_names_its_part() -> None:
    fitting = Fitting(COLUMNS)
    row = fitting.fit({"list": [{"at": "", "text": "a"}, "odd", None, {"at": None, "text": "b"}]})
    assert row == {"list": [{"at": None, "text": "a"}, {"at": None, "text": "b"}]}
    assert fitting.misfits == {"list.at": 1, "list": 1}


@given(ANYTHING)
def test_whatever_comes_what_is_kept_can_be_kept(value: object) -> None:
    text = as_json(value)
    text.encode()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    json.dumps(json.loads(text), ensure_ascii=False).encode()
    assert repaired(repaired(value)) == repaired(value)
    for each in COLUMNS:
        fitted = Fitting(COLUMNS).fit({each.name: repaired(value)})[each.name]
        json.dumps(fitted, allow_nan=False, ensure_ascii=False).encode()
        if each.name == "at" and fitted is not None:
            at = datetime.fromisoformat(fitted)
            (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
