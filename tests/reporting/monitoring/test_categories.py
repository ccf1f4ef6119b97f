"""Which values are spellings of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.monitoring.categories import CATEGORIES, Category, find, is_slip, plain, spellings
from tests.support.marts import contracts

COUNTRY = Category("companies", "country", "HubSpot")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Germany": 90, "germany": 2, " GERMANY ": 1}, {"Germany": [" GERMANY ", "germany"]}),
        ({"Zürich": 5, "Zurich": 4}, {"Zürich": ["Zurich"]}),
        ({"in progress": 3, "In-Progress": 8, "InProgress": 1}, {"In-Progress": ["InProgress", "in progress"]}),
        ({"Germany": 90, "Gernany": 1, "Grmany": 1, "Germanny": 1, "Gremany": 1},
         {"Germany": ["Germanny", "Gernany", "Grmany", "Gremany"]}),
        # A slip of a slip's other spelling is of the same value.
        ({"Germany": 900, "Gernany": 2, "gernany": 1}, {"Germany": ["Gernany", "gernany"]}),
        # Not rare beside the other, too short, or told apart by digits.
        ({"Austria": 40, "Austrie": 30}, {}),
        ({"Iran": 90, "Iraq": 1}, {}),
        ({"Stage 1": 90, "Stage 2": 1, "Stage 12": 1}, {}),
        ({"Slovakia": 90, "Slovenia": 1}, {}),
        ({"-": 4, "…": 2, "": 1}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_spellings(values: dict[str, int], expected: dict[str, list[str]]) -> None:
    found = spellings(values)
    assert {known: sorted(others) for known, others in found.items()} == {
        known: sorted(others) for known, others in expected.items()
    }


def test_an_incident_names_the_column_the_values_and_where_to_mend_them() -> None:
    (found,) = find({COUNTRY: {"Germany": 1200, "germany": 3, "GERMANY": 1}})
    assert found.problem_key == "categories/companies.country/Germany"
    assert found.subject == "companies.country spells 'Germany' in 3 ways"
    assert "(1,200 rows) there is 'GERMANY' (1), 'germany' (3)" in found.what
    assert "in HubSpot" in found.todo


def test_no_message_is_endless() -> None:
    letters = "abcdefghijkl"
    (found,) = find({COUNTRY: {"Germany": 900} | {f"Germany{each}": 1 for each in letters}})
    assert "and 7 more" in found.what


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_every_category_is_a_text_column_of_a_mart(category: Category) -> None:
    assert contracts()[category.mart][category.column] == "string"


def test_what_is_typed_by_hand_in_the_ledger_is_looked_at() -> None:
    assert Category("cash_flow", "category", "the ledger in Google Sheets") in CATEGORIES


@given(st.dictionaries(st.text("aeiouAEIOUäéü -_lmnr", max_size=9), st.integers(1, 500), max_size=25))
def test_nothing_is_a_spelling_of_itself_or_of_two(values: dict[str, int]) -> None:
    found = spellings(values)
    others = [each for each in found.values() for each in each]
    assert len(others) == len(set(others))
    assert set(others) <= set(values)
    for known, those in found.items():
        assert known in values
        assert known not in those


@given(st.text("abcde12", max_size=8), st.text("abcde12", max_size=8))
def test_a_slip_is_one_in_both_directions(one: str, other: str) -> None:
    assert is_slip(one, other) == is_slip(other, one)
    assert not is_slip(one, one)


@given(st.text())
def test_plain_text_is_plain(text: str) -> None:
    assert plain(plain(text)) == plain(text)
