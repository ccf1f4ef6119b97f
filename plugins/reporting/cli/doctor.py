"""Checks each connection and says what is wrong and what to do.

A line begins with a check mark or a cross, with an exclamation mark if it is a warning, and with a dash if it is a note. The exit
code is 1 if something is wrong.

Examples:

    script/doctor
    script/doctor --data var/demo --json
"""

import os
from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console

from reporting.cli.command import LOCAL, Data, Json, print_json
from reporting.deploy import checks, configuration
from reporting.settings import SettingError, read_settings, unknown
from reporting.sources.base import Finding


def main(
    as_json: Json = False,
    data: Data = LOCAL,
) -> int:
    """Print one line per finding. Returns 1 if something is wrong."""
    console = Console(highlight=False, stderr=as_json)
    path = configuration.owner_file()
    given = configuration.read_owner_file(path) | dict(os.environ)
    variables = {"REPORTING_STATE": str(data.resolve())} | given
    console.print(
        f"Configuration: {path}{'' if path.exists() else ' (does not exist)'}, and the environment.",
        soft_wrap=True,
    )
    for each in unknown(variables):
        console.print(" [yellow]![/] ", end="")
        console.print(str(each), markup=False, soft_wrap=True)
    found = _show(console, checks.check_settings(variables))
    try:
        read_settings(variables)
    except SettingError:
        console.print("Correct these first: nothing else can be checked without them.")
    else:
        for check in (
            checks.check_sources,
            checks.check_events,
            checks.check_bigquery,
            checks.check_buckets,
            checks.check_backup,
        ):
            found += _show(console, check(variables))
    if as_json:
        print_json([asdict(each) for each in found])
    return 0 if all(each.is_well for each in found) else 1


def _show(console: Console, findings: Iterable[Finding]) -> list[Finding]:
    """Print a line for each finding as soon as it is known, and return all findings."""
    found = []
    for finding in findings:
        found.append(finding)
        console.print(f" {_mark(finding)} ", end="")
        console.print(f"{finding.subject}: {finding.text}", markup=False, soft_wrap=True)
    return found


def _mark(finding: Finding) -> str:
    if not finding.is_well:
        return "[red]✗[/]"
    return {"note": "[dim]-[/]", "warning": "[yellow]![/]"}.get(finding.level, "[green]✓[/]")
