"""The document about adding a source is true: its code is in the project, and it is as little as it says."""

import ast
import io
import re
import tokenize
from pathlib import Path

from reporting.settings import ROOT

DOCUMENT = (ROOT / "docs" / "adding-a-source.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
LIMIT = 150


def lines_of_code(text: str) -> int:
    """Lines that hold more than blanks, comments and docstrings."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            docstrings |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    ignored = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored and token.string:
            found |= set(range(token.start[0], token.end[0] + 1))
    return len(found - docstrings)


def block_of(path: str) -> str:
    """The code block of the document that is in that file."""
    [found] = [each for each in BLOCKS if each in (ROOT / path).read_text()]
    return found


def class_of(path: Path, name: str) -> str:
    """The source of a class with its decorators."""
    text = path.read_text()
    node = next(each for each in ast.parse(text).body if isinstance(each, ast.ClassDef) and each.name == name)
    first = min(each.lineno for each in (node, *node.decorator_list))
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def counted() -> dict[str, int]:
    entities, readers = "plugins/reporting/entities.py", "plugins/reporting/readers.py"
    whole = ("plugins/reporting/sources/sql.py", "plugins/reporting/warehouse/sql.py", "dags/raw_sql.py")
    return {
        **{f"`{path}`": lines_of_code((ROOT / path).read_text()) for path in whole},
        f"`{entities}`, the block above": lines_of_code(block_of(entities)),
        "`plugins/reporting/entity.py`, `SqlTable`": lines_of_code(
            class_of(ROOT / "plugins/reporting/entity.py", "SqlTable")
        ),
        f"`{readers}`, the block above": lines_of_code(f"if True:\n{block_of(readers)}") - 1,
        "the three lines that make it known": 3,
    }


def test_its_code_is_in_the_project() -> None:
    assert len(BLOCKS) == 3
    assert block_of("dags/raw_sql.py") in BLOCKS


def test_a_source_is_as_little_as_it_says() -> None:
    said = {file: int(count) for file, count in re.findall(r"^\| (.+?) \| (\d+) \|$", DOCUMENT, re.MULTILINE)}
    assert said == counted()
    assert sum(said.values()) < LIMIT


def test_what_makes_it_known_is_a_line_each() -> None:
    for path in ("warehouse/tables.py", "entities.py", "orchestration/connections.py"):
        lines = (ROOT / "plugins" / "reporting" / path).read_text().splitlines()
        assert len([line for line in lines if line.strip().startswith('"sql": ')]) == 1


def test_counting() -> None:
    assert (
        lines_of_code(
            '"""Doc."""\n\n# Comment\ndef f():\n    """Doc\n    of two."""\n    return (\n        1\n    )\n'
        )
        == 4
    )
