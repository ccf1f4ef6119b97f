"""Every test that the table of faults names is there."""

import ast
import re

import pytest

from reporting.settings import ROOT

NAMED = re.findall(
    r"`([a-z_/]+\.py)::(test_\w+)`", (ROOT / "docs" / "explanation" / "reliability.md").read_text()
)


def test_the_table_names_tests() -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "explanation" / "reliability.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    # The first is the heading.
    assert len(NAMED) == len(rows) - 1 > 15


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / "tests" / path).read_text())
    assert name in {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
