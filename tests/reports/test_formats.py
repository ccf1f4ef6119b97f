"""Numbers as a reader sees them."""

from decimal import Decimal

import pytest

from reporting.reports import formats


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9_999, "9,999"),
        (10_000, "10K"),
        (999_499, "999K"),
        (999_500, "1M"),
        (Decimal("999999.99"), "1M"),
        (-999_999, "-1M"),
        (1_234_567, "1.23M"),
        (999_999_999, "1B"),
        (Decimal("1234567890123.45"), "1.23T"),
        (1e15, "1,000T"),
    ],
)
def test_a_short_number_has_the_letter_of_what_is_shown(value: float | Decimal, shown: str) -> None:
    assert formats.compact(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-0.04, "0"), (99.96, "100"), (1234.5, "1,234"), (-0.4, "-0.4"), (5, "5"), (Decimal("12.30"), "12.3")],
)
def test_a_number_is_rounded_before_it_is_written(value: float | Decimal, shown: str) -> None:
    assert formats.number(value) == shown
