"""Runs the Procfile, or the one that is named, with honcho until one process ends, and then leaves none behind.

honcho takes a process for ended when its output is closed. A scheduler's workers and the tasks that they run keep it
open after the scheduler itself has died, so plain honcho would go on without a scheduler, or wait for a task for hours.
Here what is left of a process is ended with it: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html

Airflow's scheduler repeats the logs of its tasks, and hides no secret in them as it does in the tasks' own files. Every
line passes here on its way to the platform's log, so here they are hidden.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

import psutil
from honcho.environ import expand_processes, parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

from reporting import redaction
from reporting.settings import ROOT

PR_SET_CHILD_SUBREAPER = 36
# For dbt to cancel its queries; the platform's own patience is not much longer.
GRACE_SECONDS = 3.0


class Leader(Popen):  # type: ignore[misc]  # honcho has no types
    """A process of the Procfile; when it ends, so does all that it started."""

    def __init__(self, command: str, **options: Any) -> None:
        # This is honcho's own process for the command: whoever loses a parent becomes its child and not init's.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        super().__init__(command, **options)
        threading.Thread(target=self._end_what_is_left, daemon=True).start()

    def _end_what_is_left(self) -> None:
        self.wait()
        me = psutil.Process()
        for end in (psutil.Process.terminate, psutil.Process.kill):
            left = me.children(recursive=True)
            for process in left:
                try:
                    end(process)
                except psutil.NoSuchProcess:
                    continue
            if not left:
                return
            psutil.wait_procs(left, timeout=GRACE_SECONDS)


class Watched(Process):  # type: ignore[misc]  # honcho has no types
    """A line of the Procfile."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._child_ctor = Leader


class Scrubbing(Printer):  # type: ignore[misc]  # honcho has no types
    """Writes every line without the secrets of `environment`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(sys.stdout, colour=False)
        self._secrets = redaction.ordered(environment)

    def write(self, message: Message) -> None:
        """Write one message of a process, or of honcho itself."""
        data = message.data.decode(errors="replace") if isinstance(message.data, bytes) else message.data
        super().write(message._replace(data=redaction.hide(data, self._secrets)))


def run(lines: str, environment: Mapping[str, str]) -> int:
    """Run the lines of a Procfile until one ends, and return its code. PORT grows by 100 from line to line."""
    manager = Manager(Scrubbing(environment))
    manager._process_ctor = Watched
    for each in expand_processes(parse_procfile(lines).processes, env={"PORT": environment["PORT"]}):
        manager.add_process(each.name, each.cmd, env={**environment, **each.env}, cwd=str(ROOT))
    manager.loop()
    return int(manager.returncode or 0)


def main() -> int:
    """Run a Procfile of the project."""
    name = sys.argv[1] if len(sys.argv) > 1 else "Procfile"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return run((ROOT / name).read_text(), environment)


if __name__ == "__main__":
    sys.exit(main())
