"""The parameters of queries."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from reporting.warehouse.client import with_parameters

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        ("text", "STRING"),
        (True, "BOOL"),
        (7, "INT64"),
        (0.5, "FLOAT64"),
        (NOW, "TIMESTAMP"),
        (NOW.date(), "DATE"),
        (date(2026, 11, 29), "DATE"),
    ],
)
def test_a_parameter_has_the_type_of_its_value(value: Any, type_name: str) -> None:
    (made,) = with_parameters(name=value).query_parameters
    assert (made.name, made.type_, made.value) == ("name", type_name, value)


def test_a_sequence_is_an_array_of_texts() -> None:
    first, second = with_parameters(some=("a", "b"), none=[]).query_parameters
    assert (first.array_type, first.values) == ("STRING", ["a", "b"])
    assert (second.array_type, second.values) == ("STRING", [])


def test_nothing_has_no_type() -> None:
    with pytest.raises(TypeError, match="the parameter since of a query cannot be a NoneType"):
        with_parameters(since=None)  # type: ignore[arg-type]
