"""The linter's rule on the length of files."""

import runpy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from reporting.settings import ROOT

RULE = runpy.run_path(str(ROOT / ".ci" / "lengths.py"))
ERRORS: Callable[[Path, Iterable[str]], Iterator[str]] = RULE["errors"]
REASON = '"""A table.\n\nLonger than 400 lines: they are one list.\n"""\n'


@pytest.mark.parametrize(
    ("name", "docstring", "count", "said"),
    [
        (
            "plugins/reporting/long.py",
            '"""A room."""\n',
            401,
            "plugins/reporting/long.py has 401 lines. Split it",
        ),
        ("plugins/reporting/long.py", "", 401, "Split it"),
        ("plugins/reporting/long.py", '"""A room."""\n', 400, None),
        ("sandbox/long.py", REASON, 401, None),
        ("sandbox/short.py", REASON, 400, "sandbox/short.py has 400 lines. Take the reason"),
        # Only a line that begins with the reason gives one.
        ("dags/long.py", '"""Not Longer than 400 lines: "."""\n', 401, "Split it"),
        ("tests/long.py", "", 401, None),
        ("plugins/reporting/long.sql", "", 401, None),
    ],
)
def test_a_long_file_says_why(
    tmp_path: Path, name: str, docstring: str, count: int, said: str | None
) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    text = docstring + "x = 1\n" * (count - docstring.count("\n"))
    (tmp_path / name).write_text(text)
    found = list(ERRORS(tmp_path, [name, "plugins/gone.py"]))
    assert len(found) == (said is not None)
    assert (said or "") in "".join(found)
