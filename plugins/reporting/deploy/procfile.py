"""Runs a Procfile with honcho until one process ends, and then stops all others and their child processes.

honcho thinks that a process has ended when its output is closed. But a scheduler's workers and their tasks keep the output open
after the scheduler itself has died, so plain honcho would go on without a scheduler, or wait for a task for hours. Here the
children of a process are stopped when it ends: https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html

Airflow's scheduler also prints the logs of its tasks, but does not hide secrets in them as in the tasks' own log files. Every
line passes through this program on its way to the platform's log, so it hides them.
"""

import ctypes
import os
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from honcho.environ import expand_processes, parse_procfile
from honcho.manager import Manager
from honcho.printer import Message, Printer
from honcho.process import Popen, Process

from reporting import redaction

# Not imported from the settings: this process runs for months, and pydantic would need 20 MB of memory.
ROOT = Path(__file__).resolve().parents[3]

PR_SET_CHILD_SUBREAPER = 36
# The time that processes get to end, for example for dbt to cancel its queries. The platform does not wait much longer.
GRACE_SECONDS = 3.0
API_SERVER = "api-server"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
# How long a process of Airflow that is not the api-server waits while another one writes to SQLite. On a busy machine a write has
# taken half a minute, and a scheduler that gives up ends everything else with it.
PATIENCE_SECONDS = 300


class Leader(Popen):  # type: ignore[misc]  # honcho has no types
    """A process of the Procfile. When it ends, its child processes are stopped as well."""

    def __init__(self, command: str, **options: Any) -> None:
        # This runs in honcho's process for the command. Processes whose parent dies become its children instead of init's.
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
    """Prints every line with the secrets of `environment` replaced."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(sys.stdout, colour=False)
        self._secrets = redaction.ordered(environment)

    def write(self, message: Message) -> None:
        """Print one message of a process or of honcho itself."""
        data = message.data.decode(errors="replace") if isinstance(message.data, bytes) else message.data
        super().write(message._replace(data=redaction.hide(data, self._secrets)))


def patient(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the long patience for SQLite, for every process of Airflow but the api-server.

    The api-server keeps the short one: a request that waits in its event loop may block the very request that it waits for.
    """
    address = environment.get(DATABASE, "")
    longer = re.sub(r"\A(sqlite:.*\?timeout=)\d+\Z", rf"\g<1>{PATIENCE_SECONDS}", address, flags=re.DOTALL)
    return {**environment, DATABASE: longer} if longer != address else dict(environment)


def run(lines: str, environment: Mapping[str, str]) -> int:
    """Run the lines of a Procfile until one of them ends, and return its exit code. Each line gets a PORT 100 higher than
    the line before."""
    manager = Manager(Scrubbing(environment))
    manager._process_ctor = Watched
    for each in expand_processes(parse_procfile(lines).processes, env={"PORT": environment["PORT"]}):
        inherited = environment if each.name.startswith(API_SERVER) else patient(environment)
        manager.add_process(each.name, each.cmd, env={**inherited, **each.env}, cwd=str(ROOT))
    manager.loop()
    return int(manager.returncode or 0)


def main() -> int:
    """Run the Procfile that the first argument names, or else the project's own."""
    name = sys.argv[1] if len(sys.argv) > 1 else "Procfile"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return run((ROOT / name).read_text(), environment)


if __name__ == "__main__":
    sys.exit(main())
