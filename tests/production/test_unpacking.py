"""What script/start does beside a package: unpack it once, to the path that it was built for, and go on there."""

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from reporting.settings import ROOT


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder as the platform unpacks one, with a small application inside."""
    application, root = tmp_path / "application", tmp_path / "wwwroot"
    environment = application / ".venv" / "airflow"
    (application / "script").mkdir(parents=True)
    (application / "script" / "start").write_text('#!/usr/bin/env bash\necho "started with $*"\n')
    (application / "script" / "start").chmod(0o755)
    (environment / "bin").mkdir(parents=True)
    # Of the machine that built it.
    (environment / "bin" / "python").symlink_to("/nowhere/python3.13")
    (environment / "pyvenv.cfg").write_text("home = /nowhere\nversion = 3.13.0\n")
    (root / "script").mkdir(parents=True)
    for name in ("start", "_common.sh"):
        shutil.copy(ROOT / "script" / name, root / "script")
    shutil.copy(ROOT / ".python-version", root)
    with tarfile.open(root / "application.tar.gz", "w:gz") as archive:
        archive.add(application, ".")
    (root / "digest").write_text(hashlib.sha256((root / "application.tar.gz").read_bytes()).hexdigest())
    (root / "prefix").write_text(f"{tmp_path / 'opt' / 'reporting'}\n")
    return root


def start(package: Path) -> str:
    done = subprocess.run(
        ["bash", "script/start", "--host", "0.0.0.0"],  # noqa: S104
        cwd=package,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return done.stdout


def test_a_package_is_unpacked_once_and_runs_with_the_machines_python(package: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt" / "reporting"
    assert start(package) == f"Unpacking to {prefix} ...\nstarted with --host 0.0.0.0\n"
    python = prefix / ".venv" / "airflow" / "bin" / "python"
    assert subprocess.run([python, "-c", ""], check=False).returncode == 0
    assert "/nowhere" not in (prefix / ".venv" / "airflow" / "pyvenv.cfg").read_text()
    assert start(package) == "started with --host 0.0.0.0\n"


def test_another_package_and_one_that_was_cut_off_are_unpacked_again(package: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt" / "reporting"
    start(package)
    (prefix / "left over").touch()
    (package / "digest").write_text("another")
    assert "Unpacking" in start(package)
    assert not (prefix / "left over").exists()
    (prefix / ".digest").unlink()
    (prefix / "script" / "start").unlink()
    assert "Unpacking" in start(package)
