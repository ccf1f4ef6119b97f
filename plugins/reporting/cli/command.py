"""Shared code of the commands: makes a command from the function `main` of a module, and defines common options."""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from reporting.deploy.errors import CommandError
from reporting.naming import nearest
from reporting.settings import ROOT

if TYPE_CHECKING:
    from rich.console import Console

# Commands change to the project's folder, but paths that the user types are relative to the folder where the user is.
CALLER = Path.cwd()
LOCAL = ROOT / "var" / "local"
HELP = {"help_option_names": ["--help", "-h"]}

Data = Annotated[
    Path,
    typer.Option("--data", metavar="FOLDER", help="state folder (var/local)", show_default=False),
]
Port = Annotated[int, typer.Option("--port", metavar="PORT", help="port of Airflow's web interface")]
BigQueryPort = Annotated[
    int, typer.Option("--bigquery-port", metavar="PORT", help="port of the local BigQuery")
]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask for confirmation")]
Json = Annotated[bool, typer.Option("--json", help="write one JSON document to standard output")]


def path_of(module: str) -> Path:
    """The path of a command's module."""
    return Path(__file__).with_name(f"{module}.py")


def module_of(name: str) -> str:
    """The name of the module for script/`name`."""
    return name.replace("-", "_")


def command_of(name: str) -> TyperCommand:
    """Make the command script/`name` from its module: `main` defines the options, and the module's docstring is the help."""
    module = import_module(f"reporting.cli.{module_of(name)}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, help=_paragraphs(module.__doc__ or ""), context_settings=HELP)(module.main)
    made = typer.main.get_command(app)
    assert isinstance(made, TyperCommand)  # noqa: S101
    return made


def call(name: str, arguments: Sequence[str]) -> int:
    """Run script/`name` with `arguments`, and return its exit code. Raises `CommandError`, also if the arguments are wrong."""
    command = command_of(name)
    many = {option for each in command.params if getattr(each, "multiple", False) for option in each.opts}
    try:
        with command.make_context(f"script/{name}", repeated(arguments, many)) as context:
            return int(command.invoke(context))
    except typer.Exit as end:
        return end.exit_code
    except typer.TyperException as error:
        said = error.format_message().rstrip(".")
        stop = "" if said.endswith("?") else "."
        raise CommandError(f"{said}{stop} script/{name} --help shows what it takes.") from None


def one_of(words: Iterable[str]) -> Callable[[str], str]:
    """A parser for an argument that must be one of `words`."""
    known = tuple(dict.fromkeys(words))

    def parsed(given: str) -> str:
        if given not in known:
            raise typer.BadParameter(
                f"'{given}' is not valid. Use one of {', '.join(known)}.{nearest(given, known)}"
            )
        return given

    return parsed


def starting_with(words: Iterable[str]) -> Callable[[str], list[str]]:
    """A shell completion for an argument that must be one of `words`."""
    known = tuple(words)
    return lambda incomplete: [each for each in known if each.startswith(incomplete)]


def ask(question: str, default: str) -> str:
    """Ask in this terminal, and return the answer, or `default` if the answer is empty."""
    return input(f"{question} [{default}]: ").strip() or default


class Terminal:
    """How a source talks to the owner in this terminal: a `Dialogue`."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Show one or more lines."""
        self._console.print(text, markup=False, soft_wrap=True)

    def ask(self, question: str, default: str) -> str:
        """Ask a question, and return the answer, or `default` if the answer is empty."""
        return ask(question, default)


def print_steps(console: "Console", text: str) -> None:
    """Print numbered steps; what does not fit in a line goes on below the step's first word."""
    steps = re.sub(r"\n +", " ", text).splitlines()
    for step in steps:
        console.print(
            textwrap.fill(step, console.width, subsequent_indent="   "), markup=False, soft_wrap=True
        )


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def repeated(arguments: Sequence[str], many: set[str]) -> list[str]:
    """Convert `--marts people habits` to `--marts people --marts habits`, for the options in `many`."""
    result: list[str] = []
    option = ""
    for number, word in enumerate(arguments):
        if word == "--":
            return [*result, *arguments[number:]]
        if word.startswith("-") and len(word) > 1:
            option = word if word in many else ""
        elif option and result[-1] != option:
            result.append(option)
        result.append(word)
    return result


def _paragraphs(text: str) -> str:
    """`text` with its indented paragraphs (examples) marked, so that typer does not re-wrap them."""
    return "\n\n".join(
        f"\b\n{each}" if any(line.startswith(" ") for line in each.splitlines()) else each
        for each in text.strip().split("\n\n")
    )
