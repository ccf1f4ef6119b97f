"""The scheduler imports what its tasks need, and whatever cannot be imported is no trouble of its own."""

import subprocess
import sys

import pytest

from reporting.orchestration import preload
from reporting.settings import ROOT

LOADED = "reporting.ingest.extract"
# In a process of its own, which has imported nothing yet.
PROGRAM = """
import sys
sys.path.insert(0, {plugins!r})
sys.argv = ["airflow", {command!r}]
from reporting.orchestration import preload
preload.on_starting(component=None)
print("reporting.ingest.load" in sys.modules, "reporting.sources.hubspot.reader" in sys.modules)
"""


@pytest.mark.parametrize(("command", "said"), [("scheduler", "True True"), ("api-server", "False False")])
def test_only_the_scheduler_imports(command: str, said: str) -> None:
    program = PROGRAM.format(plugins=str(ROOT / "plugins"), command=command)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=600
    )
    assert done.stdout.splitlines()[-1] == said


def test_what_cannot_be_imported_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(preload, "MODULES", ("reporting.no_such_module", LOADED))
    assert preload.preload() == ["reporting.no_such_module"]
    assert "reporting.no_such_module cannot be imported (ModuleNotFoundError)" in caplog.text
