"""Looks at each connection and says what is wrong and what to do."""

import argparse
import os

from rich.console import Console

from reporting.commands import checks, configuration
from reporting.commands.errors import run


def main() -> int:
    """Print a line a finding; 1 when something is wrong."""
    argparse.ArgumentParser("script/doctor", description=__doc__).parse_args()
    console = Console(highlight=False)
    path = configuration.owner_file()
    variables = configuration.read_owner_file(path) | dict(os.environ)
    console.print(
        f"Configuration: {path}{'' if path.exists() else ' (not there)'}, and the environment.",
        soft_wrap=True,
    )
    is_well = True
    for check in (
        checks.check_notion,
        checks.check_hubspot,
        checks.check_google,
        checks.check_sql,
        checks.check_bigquery,
        checks.check_buckets,
        checks.check_backup,
    ):
        for finding in check(variables):
            is_well &= finding.is_well
            mark = "[green]✓[/]" if finding.is_well else "[red]✗[/]"
            console.print(f" {mark} ", end="")
            console.print(f"{finding.subject}: {finding.text}", markup=False, soft_wrap=True)
    return 0 if is_well else 1


if __name__ == "__main__":
    run("script/doctor", main)
