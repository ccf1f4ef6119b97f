"""The grammar of DAG ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.naming import LAYERS, REFRESHES, DagId

words = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,8}){0,2}", fullmatch=True)


@pytest.mark.parametrize(
    "text",
    ["raw_notion__daily_habits__changed", "mart_personal__models__full", "ops_warehouse__schema__upgrade"],
)
def test_an_id_is_its_parts(text: str) -> None:
    assert str(DagId.parse(text)) == text


@given(st.sampled_from(LAYERS), words, words, st.sampled_from(REFRESHES))
def test_parts_come_back(layer: str, source: str, entity: str, refresh: str) -> None:
    one = DagId(layer, source, entity, refresh)
    assert DagId.parse(str(one)) == one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "raw_notion__daily_habits",
        "raw_notion_daily_habits_changed",
        "Raw_notion__daily_habits__changed",
        "bronze_notion__daily_habits__changed",
        "raw_notion__daily_habits__hourly",
        "raw___daily_habits__full",
        "raw_notion__daily__habits__full",
        "raw_notion__daily-habits__full",
        "raw_notion__daily_habits__full\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no DAG id"):
        DagId.parse(text)


def test_parts_cannot_smuggle_a_separator() -> None:
    with pytest.raises(ValueError, match="is no DAG id"):
        DagId("raw", "notion__x", "y", "full")
