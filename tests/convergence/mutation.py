"""Plants one bug at a time into a copy of the project and runs its history: each must turn the convergence test red.

    .venv/airflow/bin/python -m tests.convergence.mutation [words of a bug's name ...]

It prints a table, and ends with 1 if a bug was not found or a history is red without one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from reporting.local.bigquery import LocalBigQuery, running
from reporting.settings import ROOT
from tests.convergence.seeded import SEEDED_BUGS, SeededBug

TEST = "tests/convergence/test_histories.py::test_quiet_runs_settle_a_stored_history"
COPIED = ("alembic.ini", "migrations", "plugins", "pyproject.toml", "sandbox", "tests")


def main() -> int:
    """Plant what is named, or everything."""
    words = [word.lower() for word in sys.argv[1:]]
    chosen = [each for each in SEEDED_BUGS if all(word in each.name for word in words)]
    console = Console(width=160)
    table = Table("seeded bug", "source", "convergence test", "what it says")
    missed = 0
    with tempfile.TemporaryDirectory() as name, running(Path(name) / "bigquery", threads=1) as bigquery:
        copy = Path(name) / "project"
        _copy(copy)
        healthy, said = _run(copy, chosen, bigquery)
        if healthy != 0:
            raise SystemExit(f"The histories are not green without a bug: {said}")
        for seeded in chosen:
            originals = seed_bug(copy, seeded)
            code, said = _run(copy, [seeded], bigquery)
            for path, text in originals.items():
                path.write_text(text)
            missed += code != 1
            colour = {0: "green", 1: "red"}.get(code, f"ends with {code}")
            table.add_row(seeded.name, seeded.source, colour, said)
            console.print(f"{seeded.name}: {colour}")
    console.print(table)
    console.print(f"{len(chosen) - missed} of {len(chosen)} found")
    return 1 if missed or not chosen else 0


def _copy(copy: Path) -> None:
    copy.mkdir()
    for each in COPIED:
        source = ROOT / each
        if source.is_dir():
            shutil.copytree(source, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / each)
    (copy / ".venv").symlink_to((ROOT / ".venv").resolve())


def seed_bug(copy: Path, seeded: SeededBug) -> dict[Path, str]:
    """Plant a bug and return the files as they were. Raises `ValueError` when the code is not as expected."""
    originals: dict[Path, str] = {}
    for change in seeded.changes:
        path = copy / "plugins" / "reporting" / change.path
        text = path.read_text()
        originals.setdefault(path, text)
        if text.count(change.before) != 1:
            raise ValueError(
                f"'{seeded.name}' cannot be seeded: {change.path} has {text.count(change.before)} times, and not "
                f"once: {change.before!r}. Bring tests/convergence/seeded.py up to the code."
            )
        path.write_text(text.replace(change.before, change.after))
        compile(path.read_text(), str(path), "exec")
    return originals


def _run(copy: Path, chosen: Sequence[SeededBug], bigquery: LocalBigQuery) -> tuple[int, str]:
    """pytest's code for the bugs' histories (1: one failed), and the last thing that it said of an error."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--bigquery", bigquery.address),
            *(f"{TEST}[{seeded.name}]" for seeded in chosen),
        ],
        cwd=copy,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        | bigquery.variables
        | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    errors = [line for line in done.stdout.splitlines() if line.startswith("E  ")]
    # A test that could not begin tells nothing of the bug.
    code = 3 if " error" in (done.stdout.splitlines() or [""])[-1] else done.returncode
    return code, (errors[0] if errors else "").removeprefix("E").strip()[:90]


if __name__ == "__main__":
    raise SystemExit(main())
