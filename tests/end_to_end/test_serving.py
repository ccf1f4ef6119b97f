"""A demo ends whole however it is ended, and does not begin where it cannot."""

import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.demo import Demo

pytestmark = pytest.mark.timeout(3600)


@pytest.mark.parametrize(
    ("number", "code"),
    [pytest.param(signal.SIGTERM, 130, marks=pytest.mark.heavy), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_demo_that_is_ended_half_way_leaves_nothing_running(tmp_path: Path, number: int, code: int) -> None:
    demo = Demo(tmp_path / "state")
    process = subprocess.Popen(demo.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    family: list[psutil.Process] = []
    for line in process.stdout:
        if "The scheduler runs" in line:
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            break
    rest = process.stdout.read()
    assert process.wait(600) == code
    assert "Traceback" not in rest
    assert len(family) >= 5
    _, alive = psutil.wait_procs(family, timeout=600)
    assert alive == []
    assert demo.open_ports() == []


def test_a_port_in_use_is_a_plain_sentence(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "state")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.ports["--bigquery-port"]))
        taken.listen()
        done = subprocess.run(
            demo.command("--once"), capture_output=True, text=True, check=False, timeout=600
        )
    assert done.returncode == 2
    assert f"port {demo.ports['--bigquery-port']}, for the local BigQuery, cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert demo.open_ports() == []
