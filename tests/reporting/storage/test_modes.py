"""Whatever is written is for its owner alone, though who started it would let all the world read."""

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reporting.settings import ROOT

# What is written outside the state folder too: the landing, the report, exports, backups' files.
PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from reporting.exports.formats import FORMATS
from reporting.exports.placing import placed
from reporting.storage.files import open_folder, put_whole, write_whole
from reporting.ingest.landing import Landing
from reporting.reports.site import Site
from reporting.settings import read_settings
from reporting.sources.base import Page, Record

folder = Path(sys.argv[1])
Site(str(folder / "site")).write({"index.html": b"<html>", "assets/report-0123456789ab.css": b"a"})
settings = read_settings({"REPORTING_LANDING_URI": str(folder / "landing"), "REPORTING_STATE": str(folder / "state")})
landing = Landing.of(settings)
with landing.writer(landing.folder("notion", "daily_habits", "run")) as writer:
    writer.keep(Page(datetime.now(UTC), (Record({"id": "1"}),)))
for name, form in FORMATS.items():
    target = folder / "exports" / name / f"marts{form.suffix or ''}"
    with placed(target, form) as path:
        if form.suffix is None:
            path.mkdir(exist_ok=True)
            (path / "habits.csv").write_text("a")
        else:
            path.write_text("a")
files, root = open_folder(str(folder / "backups"))
write_whole(files, f"{root}/one/list.json", b"{}")
put_whole(files, folder / "site" / "index.html", f"{root}/two/dump")
(folder / "log").open("w").close()
"""


def others_can_use(folder: Path) -> list[str]:
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:o}"
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    ]


@pytest.mark.parametrize("umask", [0o022, 0o000, 0o002])
def test_nothing_that_is_written_is_for_others(tmp_path: Path, umask: int) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "plugins")},
        check=True,
        timeout=600,
        umask=umask,
    )
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 9
    assert others_can_use(tmp_path) == []


def test_a_script_gives_its_mask_to_all_that_it_starts(tmp_path: Path) -> None:
    """Also to what never imports the project."""
    interpreter = tmp_path / "airflow" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("#!/bin/sh\numask\n")
    interpreter.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f'source "{ROOT}/script/_common.sh"; VENV="{tmp_path}"; run_command anything'],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        umask=0o022,
    )
    assert done.stdout.strip() == "0077"


def test_airflow_gives_its_logs_to_nobody_else() -> None:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(ROOT / "airflow.cfg")
    assert configuration["logging"]["file_task_handler_new_folder_permissions"] == "0o700"
    assert configuration["logging"]["file_task_handler_new_file_permissions"] == "0o600"
