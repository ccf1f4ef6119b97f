"""Starts child processes that end when their parent process dies. Uses the standard library only.

The child itself asks the kernel for this before it runs its program. A `preexec_fn` is not used: it runs between fork and exec,
where fork handlers of libraries with threads (such as gRPC in BigQuery's client) have been seen to abort the child.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def ending_with_parent(*command: str | os.PathLike[str]) -> list[str]:
    """A command line that runs `command` so that it gets SIGTERM when its parent dies, even by SIGKILL.

    This works on Linux only; on other systems the child outlives its parent.
    """
    return [sys.executable, "-IS", __file__, str(os.getpid()), *(os.fspath(part) for part in command)]


def _end_with(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies. This also holds for the program that the process becomes.

    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # If the parent died before that call, the kernel sends no signal.
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    _end_with(int(sys.argv[1]))
    # The program replaces this process, so that signals of the parent reach it directly. S606 warns about a start without a
    # shell, but a shell between them is just what must be avoided.
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
