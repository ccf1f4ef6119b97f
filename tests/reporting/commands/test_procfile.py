"""A process of the Procfile and what it leaves behind."""

import os
import subprocess
import sys
import uuid

import psutil

from reporting.settings import ROOT

PROGRAM = """
import os, sys
from reporting.commands.procfile import run
sys.exit(run(os.environ["LINES_"], os.environ))
"""


def test_what_a_process_leaves_behind_ends_with_it_and_with_it_all_others() -> None:
    """The orphan has a session of its own and keeps the output open, as a task does whose scheduler died."""
    mark = uuid.uuid4().hex
    lines = f"first: sh -c 'setsid sleep 600 {mark} & echo $PORT $OF_TOKEN; exit 3'\nsecond: sleep 600\n"
    # sleep takes no such word, so it is the shell's name for itself.
    lines = lines.replace(f"sleep 600 {mark}", f'sh -c "sleep 600; :" {mark}')
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "LINES_": lines,
            "PORT": "4000",
            "OF_TOKEN": "ntn_of_notion",
            "PYTHONPATH": str(ROOT / "plugins"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "first.1  | 4000 ***" in done.stdout
    assert not [each for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or [])]
