"""Fails for a Python file of more than 400 lines, unless a line of its docstring begins with `Longer than 400 lines: ` and says why.

    .ci/lengths.py [FILE ...]     without a file, all that the project runs; tests may be longer

A reason in a file that is short is an error too, so that none outlives what it was given for.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST = 400
FOLDERS = (".ci", "dags", "dbt", "docs", "migrations", "plugins", "sandbox", "script")
REASON = f"Longer than {MOST} lines: "


def errors(root: Path, names: Iterable[str]) -> Iterator[str]:
    """What is wrong with those of these files, relative to `root`, that are Python in one of the folders."""
    for name in names:
        if name.partition("/")[0] not in FOLDERS or not name.endswith(".py") or not (root / name).is_file():
            continue
        text = (root / name).read_text()
        count = len(text.splitlines())
        docstring = ast.get_docstring(ast.parse(text)) or ""
        has_reason = any(line.startswith(REASON) for line in docstring.splitlines())
        if count > MOST and not has_reason:
            yield (
                f"{name} has {count} lines. Split it by what its parts are for, into files of {MOST} lines at the most, or "
                f"say in its docstring why not, in a line that begins with '{REASON}'."
            )
        if count <= MOST and has_reason:
            yield f"{name} has {count} lines. Take the reason for more than {MOST} out of its docstring."


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    root = Path(__file__).resolve().parents[1]
    files = [Path(each).resolve() for each in sys.argv[1:]]
    if not files:
        files = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py"))]
    found = list(errors(root, (str(each.relative_to(root)) for each in files)))
    sys.stderr.writelines(f"{each}\n" for each in found)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
