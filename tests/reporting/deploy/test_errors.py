"""A command ends in order on Ctrl-C, however it was started."""

import os
import signal
import subprocess
import sys

from reporting.settings import ROOT

PROGRAM = """
import threading
from reporting.deploy.errors import run

def command():
    print("begun", flush=True)
    threading.Event().wait(60)
    return 0

run("script/any", command)
"""


def test_ctrl_c_ends_it_also_where_a_shell_had_it_ignored() -> None:
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT / "plugins")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert (process.returncode, said) == (130, "script/any: ended.\n")
