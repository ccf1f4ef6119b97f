"""The errors of commands: a command that cannot do its work prints one plain message and exits with a code other than 0."""

import signal
import sys
from collections.abc import Callable

from reporting.settings import SettingError


class CommandError(Exception):
    """A command cannot run or was used wrongly (exit code 2). The message says why, and what to do next."""


class FailedError(CommandError):
    """A command ran, and what it did failed (exit code 1)."""


def run(name: str, command: Callable[[], int]) -> None:
    """Run `command` and exit with its code: 2 if it cannot run, 1 if something failed, 130 after Ctrl-C."""
    # A shell makes commands in the background ignore SIGINT, but SIGINT is how other programs stop a command properly.
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = command()
    except (CommandError, SettingError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = 1 if isinstance(error, FailedError) else 2
    except OSError as error:
        # An error with a file that the user named or may not access needs no traceback. Other errors are faults of the code.
        if error.filename is None:
            raise
        print(f"{name}: {error.filename}: {error.strerror}.", file=sys.stderr)
        code = 2
    except KeyboardInterrupt as end:
        print(f"{name}: {str(end) or 'ended'}.", file=sys.stderr)
        code = 130
    sys.exit(code)


def confirm(is_answered: bool, question: str) -> None:
    """Ask the user to confirm. Raises `CommandError` after any other answer than yes, or if there is no terminal to ask."""
    if is_answered:
        return
    if not sys.stdin.isatty():
        raise CommandError(
            "this command asks for confirmation, but there is no terminal. Run it again with --yes."
        )
    if input(f"{question} Type yes: ").strip() != "yes":
        raise CommandError("nothing was changed.")


def end_on_signals() -> None:
    """Stop properly, as after Ctrl-C, if the terminal is closed or the system asks the process to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
