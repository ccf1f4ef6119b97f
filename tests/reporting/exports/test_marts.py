"""What is exported is what dbt builds."""

import yaml

from reporting.exports.formats import FORMATS
from reporting.exports.marts import MARTS
from reporting.settings import EXPORT_FORMATS, ROOT
from tests.support.marts import contracts


def keys() -> dict[str, list[str]]:
    """The key of each mart, as its test of rows has it."""
    return {
        model["name"]: next(
            test["valid_rows"]["arguments"]["key"] for test in model["data_tests"] if "valid_rows" in test
        )
        for path in (ROOT / "dbt/models/marts").rglob("_*__models.yml")
        for model in yaml.safe_load(path.read_text())["models"]
    }


def test_every_mart_is_exported_in_the_order_of_its_key() -> None:
    assert {mart.name: list(mart.key) for mart in MARTS} == keys()


def test_every_time_is_a_column_of_its_type() -> None:
    declared = contracts()
    for mart in MARTS:
        if mart.time:
            assert declared[mart.name][mart.time.column].upper() == mart.time.type


def test_every_kind_can_be_set() -> None:
    assert set(FORMATS) == set(EXPORT_FORMATS)
