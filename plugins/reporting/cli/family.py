"""The group of all commands behind script/reporting: their list, and the shell's completion.

Only the command whose options are completed is imported, so that completion is fast.
"""

import re
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from reporting.cli.command import HELP, command_of, module_of, path_of
from reporting.deploy.errors import CommandError
from reporting.settings import ROOT

NAME = "reporting"
PANELS = {
    "Begin": ("demo", "connect", "google-login", "doctor"),
    "Run": ("server", "sync", "start", "environment", "airflow", "memory"),
    "Use the marts": ("report", "export", "query"),
    "Check and repair": ("verify", "verify-bigquery", "replay", "mend-stamps", "cleanup", "purge-person"),
    "Back up and restore": ("backup", "restore", "upgrade"),
    "Add data": ("new-source", "new-entity", "new-revision", "run-entity"),
    "Work on the project": (
        *(
            "setup",
            "bootstrap",
            "lint",
            "test",
            "lock",
            "reference",
            "docs",
            "screenshots",
            "vendor",
            "package",
            "production-check",
            "celery-check",
        ),
        *("benchmark", "benchmark-report"),
    ),
}


class _Named(TyperCommand):
    """A command whose module is only imported when it is used."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        name = self.name or ""
        if name != "airflow" and path_of(module_of(name)).exists():
            return command_of(name).make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


class _Family(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in PANELS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        for panel, names in PANELS.items():
            if cmd_name in names:
                said = summary(cmd_name)
                return _Named(cmd_name, help=said, short_help=said, rich_help_panel=panel)
        return None


def summary(name: str) -> str:
    """The first line of the description of script/`name`: from its module, or from the comment at the top of the script."""
    module = path_of(module_of(name))
    text = (module if module.exists() else ROOT / "script" / name).read_text()
    found = re.search(r'\A"""(.*?)(?:"""|$)|^# (.*)$', text, re.MULTILINE)
    return (found[1] or found[2]) if found else ""


def family(arguments: Sequence[str]) -> int:
    """Show the help, or answer the shell's completion. Raises `CommandError` if the arguments are wrong."""
    app = typer.Typer(cls=_Family, context_settings=HELP)
    app.callback()(_reporting)
    try:
        typer.main.get_command(app).main(list(arguments), prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        raise CommandError(
            f"{error.format_message().rstrip('.')}. script/reporting --help lists the commands."
        ) from None
    return 0


def _reporting() -> None:
    """Every command of the project. `script/reporting COMMAND --help` explains one of them, and so does script/COMMAND --help.

    Exit codes: 0 if all is well, 1 if a problem was found or something failed, 2 if it was used wrongly or could not run.

    Example: script/reporting verify hubspot__contacts
    """
