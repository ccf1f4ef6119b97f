"""A log stays small while another process writes it."""

import subprocess
import sys
import threading
from pathlib import Path

from reporting.local.bounded import bounded_log, shorten

WRITER = """
for number in range(20_000):
    print(f"line {number}", flush=True)
input()
"""


def test_what_another_process_writes_stays_bounded_and_its_end_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    pause = threading.Event()
    with bounded_log(log, most_bytes=10_000, look_seconds=0.01) as out:
        with subprocess.Popen([sys.executable, "-c", WRITER], stdout=out, stdin=subprocess.PIPE) as writer:
            kept = tmp_path / "server.log.1"
            for _ in range(3000):
                if "line 19999\n" in log.read_text() + (kept.read_text() if kept.exists() else ""):
                    break
                pause.wait(0.01)
            writer.communicate(b"\n", timeout=600)
        for _ in range(3000):
            if log.stat().st_size <= 10_000:
                break
            pause.wait(0.01)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["server.log", "server.log.1"]
    assert all(
        path.stat().st_size <= 10_000 and path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir()
    )
    # No hole of zero bytes where the writer went on.
    assert b"\0" not in log.read_bytes()


def test_a_small_log_is_left_as_it_is_and_a_new_one_begins_empty(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_bytes(b"x" * 10)
    assert not shorten(log, 10)
    assert shorten(log, 4)
    assert ((tmp_path / "server.log.1").read_bytes(), log.read_bytes()) == (b"xxxx", b"")
    log.write_bytes(b"of an earlier run")
    with bounded_log(log) as out:
        out.write(b"new")
    assert log.read_bytes() == b"new"
