"""What script/bootstrap installs for which configuration, with a uv that only says what it is told."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reporting.deploy.extras import NEEDS
from reporting.settings import ROOT
from tests.test_locks import EXTRAS

PACKAGE = "lib/python3.13/site-packages/googleapiclient/discovery_cache/documents"
# Makes an environment with three descriptions of Google's APIs, and installs what is missing of them only if it is told so.
UV = f"""#!/usr/bin/env bash
set -eu
echo "$*" >>"$WORLD/told"
case "$*" in
    --version) ;;
    venv*) for last in "$@"; do :; done; mkdir -p "$last/bin"; ln -sf "{sys.executable}" "$last/bin/python" ;;
    *sync*)
        [ ! -e "$WORLD/broken" ] || exit 1
        documents=$(dirname "$(dirname "$(sed 's/.*--python \\([^ ]*\\).*/\\1/' <<<"$*")")")/{PACKAGE}
        if [ ! -d "$documents" ] || [[ "$*" = *--reinstall-package=google-api-python-client* ]]; then
            mkdir -p "$documents"
            touch "$documents"/{{drive.v3,index,people.v1,sheets.v4}}.json
        fi ;;
esac
"""

Run = Callable[..., list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The project's script and locks."""
    root = tmp_path / "project"
    (root / "script").mkdir(parents=True)
    for name in ("bootstrap", "_common.sh"):
        shutil.copy(ROOT / "script" / name, root / "script")
    shutil.copytree(ROOT / "requirements", root / "requirements")
    shutil.copy(ROOT / "requirements.txt", root)
    shutil.copy(ROOT / ".python-version", root)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV)
    (tools / "uv").chmod(0o755)
    (tools / "python3.13").symlink_to(sys.executable)
    return root


@pytest.fixture
def run(root: Path, tmp_path: Path) -> Run:
    """Runs the script, and returns the locks that Airflow's environment was installed from, or nothing if it was not."""

    def run(*arguments: str, status: int = 0, **configuration: str) -> list[str]:
        told = tmp_path / "told"
        told.write_text("")
        done = subprocess.run(
            [root / "script" / "bootstrap", *arguments],
            env={
                "PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}",
                "WORLD": str(tmp_path),
                "HOME": str(tmp_path),
            }
            | configuration,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == status, done.stderr
        syncs = [each for each in told.read_text().splitlines() if re.search(r"sync.*/airflow/", each)]
        return [each for line in syncs for each in line.split() if each.endswith(".txt")]

    return run


@pytest.mark.parametrize(("variable", "value", "extra"), NEEDS)
def test_what_the_configuration_needs_is_installed_and_stays(
    run: Run, variable: str, value: str, extra: str
) -> None:
    added = ["requirements.txt", f"requirements/{extra}.txt"]
    assert run("--production") == ["requirements.txt"]
    assert run("--production", **{variable: value}) == added
    assert run("--production", **{variable: value}) == []
    # Nothing is taken away because a shell has not the whole configuration.
    assert run("--production") == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_one_command_adds_an_extra(run: Run, extra: str) -> None:
    assert run("--with", extra) == ["requirements.txt", f"requirements/{extra}.txt"]


def test_another_version_of_the_locks_is_installed_with_what_was_there(run: Run, root: Path) -> None:
    run("--with", "duckdb", "--with", "bigquery-operators")
    with (root / "requirements.txt").open("a") as file:
        file.write("# of the next version\n")
    expected = [
        "requirements.txt",
        "requirements/bigquery-operators.txt",
        "requirements/celery.txt",
        "requirements/duckdb.txt",
    ]
    assert run("--production", AIRFLOW__CORE__EXECUTOR="LocalExecutor,CeleryExecutor") == expected
    # A version in which one is no longer an extra.
    (root / "requirements" / "duckdb.txt").unlink()
    assert run("--production") == expected[:3]


def test_what_was_cut_off_is_installed_with_its_extra_by_the_next(run: Run, tmp_path: Path) -> None:
    run("--production")
    (tmp_path / "broken").touch()
    run("--with", "celery", status=1)
    (tmp_path / "broken").unlink()
    assert run("--production") == ["requirements.txt", "requirements/celery.txt"]


def test_the_environment_of_the_tests_has_a_lock_of_its_own(run: Run) -> None:
    run("--with", "bigquery-operators")
    assert run("airflow", AIRFLOW__CORE__EXECUTOR="CeleryExecutor") == ["requirements/dev.txt"]


@pytest.mark.parametrize("arguments", [("--with", "rust"), ("--with",)])
def test_an_unknown_extra_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, status=2) == []


def test_only_the_descriptions_that_are_read_stay_and_one_comes_back(run: Run, root: Path) -> None:
    def kept() -> list[str]:
        return sorted(path.stem for path in (root / ".venv" / "airflow" / PACKAGE).iterdir())

    run("--production")
    assert kept() == ["index", "people.v1", "sheets.v4"]
    with (root / "requirements" / "google-apis.txt").open("a") as file:
        file.write("drive.v3\n")
    run("--production")
    assert kept() == ["drive.v3", "index", "people.v1", "sheets.v4"]


def test_a_package_has_whatever_a_configuration_may_need() -> None:
    (line,) = re.findall(r"^extras=\((.*)\)$", (ROOT / "script" / "package").read_text(), re.MULTILINE)
    assert set(re.findall(r"--with (\S+)", line)) == {extra for _, _, extra in NEEDS}
