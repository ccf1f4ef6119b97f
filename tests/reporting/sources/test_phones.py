"""Telephone numbers in one form, and never in a guessed one."""

import pytest

from reporting.settings import SettingError
from reporting.sources.phones import check_region, e164


@pytest.mark.parametrize(
    ("number", "canonical", "region", "expected"),
    [
        ("+49 171 5550200", None, None, "+491715550200"),
        ("+49 (0)171/555-0200", None, "AT", "+491715550200"),
        ("0171 5550200", None, "DE", "+491715550200"),
        ("0049 171 5550200", None, "AT", "+491715550200"),
        ("1-800-FLOWERS", None, "US", "+18003569377"),
        # A switchboard with an extension is its switchboard.
        ("+43 1 5550100 ext. 9", "+43155501009", None, "+4315550100"),
        # What the source says of a number's country is better than a default.
        ("0171 5550200", "+491715550200", "AT", "+491715550200"),
        ("0171 5550200", None, None, None),
        ("0049 171 5550200", None, None, None),
        ("110", None, "DE", None),
        ("555-0123", None, "US", None),
        ("+49 171 55502001234567", None, None, None),
        ("ask Ravi", None, "DE", None),
        ("", None, "DE", None),
        (None, None, "DE", None),
    ],
)
def test_a_number_has_one_form(
    number: str | None, canonical: str | None, region: str | None, expected: str | None
) -> None:
    assert e164(number, canonical, region) == expected


def test_a_region_is_a_country_with_telephones() -> None:
    for region in (None, "DE", "GB", "US"):
        check_region(region)
    for region in ("UK", "XX", "de"):
        with pytest.raises(SettingError, match=f"REPORTING_DEFAULT_REGION is '{region}'"):
            check_region(region)
