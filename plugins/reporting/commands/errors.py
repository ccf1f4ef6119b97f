"""How a command ends when something is wrong: one plain sentence, and an exit code that is not 0."""

import signal
import sys
from collections.abc import Callable


class CommandError(Exception):
    """What is wrong, and what to do about it."""


def run(name: str, command: Callable[[], int]) -> None:
    """Run `command` and exit with its code; 1 for what is wrong, 130 for Ctrl-C."""
    try:
        code = command()
    except CommandError as error:
        print(f"{name}: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print(f"{name}: ended.", file=sys.stderr)
        code = 130
    sys.exit(code)


def confirm(is_answered: bool, question: str) -> None:
    """Go on only after a yes. Raises `CommandError` when it is another answer, or nobody is there to give one."""
    if is_answered:
        return
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked. Run it again with --yes.")
    if input(f"{question} Type yes: ").strip() != "yes":
        raise CommandError("nothing was changed.")


def end_on_signals() -> None:
    """End in order, as on Ctrl-C, when the terminal closes or the system asks for it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
