"""Starts programs that end with the one that started them. Standard library only.

The kernel is asked in the child itself, between its start and its program, and not in a `preexec_fn`: that one
runs between fork and exec, where the fork handlers of libraries with threads (gRPC's, which BigQuery's client
brings) have been seen to abort the child.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def ending_with_parent(*command: str | os.PathLike[str]) -> list[str]:
    """The command line that runs `command` in a child which gets SIGTERM when its parent dies, even of SIGKILL.

    Elsewhere than on Linux the child outlives its parent.
    """
    return [sys.executable, "-IS", __file__, str(os.getpid()), *(os.fspath(part) for part in command)]


def _end_with(parent: int) -> None:
    """Have the kernel end this process, and the program that it becomes, when the parent dies.

    https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # Of a parent that died before the call the kernel says nothing.
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    _end_with(int(sys.argv[1]))
    # In this process's place: the id that the parent signals is the program's. S606 warns of a start without a shell,
    # and a shell is what must not be between them.
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606
