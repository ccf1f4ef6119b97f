"""How far script/purge-person is, where the marts are built anew."""

import io
import subprocess
import sys

from rich.console import Console

from reporting.cli import purge_person

LINES = """12:00:01  1 of 12 START sql view model staging.a ... [RUN]
12:00:01  2 of 12 START test b ... [RUN]
12:00:02  2 of 12 PASS b ... [PASS in 1s]
12:00:02  Detected 3 of 4 things
12:00:02  1 of 12 OK created sql view model staging.a ... [CREATE VIEW in 1s]
"""


def test_every_node_that_has_ended_is_counted() -> None:
    console = Console(file=io.StringIO())
    program = f"print({LINES!r}, end=''); [print(f'12:00:03  {{n}} of 12 OK x') for n in range(3, 13)]; raise SystemExit(3)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert purge_person._watched(console, "staging", process) == 3
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == ["  staging: 10 of 12", "  staging: 12 of 12"]
