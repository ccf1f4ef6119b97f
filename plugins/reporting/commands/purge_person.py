"""Erases a person for good: from raw, dbt's snapshots, the marts, the landing and the backups. Says first what it found.

WHO is an e-mail address, or a record such as hubspot:101 or google:people/c42. Airflow must not run meanwhile. It can be
killed and run again at any moment. Delete the person in the sources as well: until then every read leaves them out.
"""

import argparse
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting import dbt, purge
from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, confirm, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT, Warehouse
from reporting.landing import Landing
from reporting.purge import Person
from reporting.reports.build import build as build_report
from reporting.reports.marts import ReportError
from reporting.reports.site import FIRST, Site
from reporting.settings import Settings
from reporting.warehouse.backup import Backups, NoBackupError
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.purged import Matcher

SHOWN = 20
BUILD_SECONDS = 3600
# What has to hold nothing in the end; others may have the same name or number.
PROVEN = ("e-mail", "key")


def main() -> int:
    """Show who was found, ask, erase, and show what is left; 1 when anything is."""
    parser = argparse.ArgumentParser("script/purge-person", description=__doc__)
    parser.add_argument("who", nargs="+", metavar="WHO")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-again",
        action="store_true",
        help="take someone off the list who was purged: the next reads bring what the sources have",
    )
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    options = parser.parse_args()
    for each in options.who:
        if "@" not in each and each.partition(":")[0] not in purge.CONTACTS:
            parser.error(f"'{each}' is neither an e-mail address nor a record such as hubspot:101")
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        options.data.resolve(), variables, console, bigquery_port=options.bigquery_port
    ) as warehouse:
        try:
            backups = Backups(warehouse.client, warehouse.settings) if warehouse.settings.backup_uri else None
            if options.allow_again:
                return _allow_again(console, warehouse, backups, options.who)
            return _purge(console, warehouse, backups, variables, options)
        except (purge.PurgeError, NoBackupError, WarehouseError) as error:
            raise CommandError(str(error)) from None


def _purge(
    console: Console,
    warehouse: Warehouse,
    backups: Backups | None,
    variables: Mapping[str, str],
    options: argparse.Namespace,
) -> int:
    client, settings = warehouse.client, warehouse.settings
    person = purge.find(client, settings, options.who)
    before = purge.begun(client, settings, backups, options.who)
    if person is None and not before:
        raise CommandError(
            "raw has nobody with that address or record, and nobody of the kind was purged before."
        )
    if person is None:
        console.print(
            f"The rows in raw are erased already ({len(before)} keys are on the list). Going on with the rest."
        )
        identity = purge.identity_of(options.who)
        matcher = Matcher(before)
    else:
        _show(console, person)
        confirm(options.yes, "Erase all of it for good?")
        identity = person.identity
        matcher = Matcher(purge.begin(client, settings, person, backups, datetime.now(UTC)).keys | before)
    landing = Landing.of(settings)
    erased = purge.erase(client, settings, landing, backups, matcher, say=console.print)
    for place, count in sorted(erased.counts.items()):
        console.print(f"  {count} from {place}", markup=False)
    console.print("Building the marts anew ...")
    problems = [*erased.problems, *_build(settings, dict(variables) | dict(os.environ))]
    problems += [] if problems else _report_anew(client, settings)
    console.print("Searching for what is left ...")
    left, unread = purge.search(client, settings, landing, backups, identity, matcher)
    problems = list(dict.fromkeys((*problems, *unread)))
    console.print(_left(left))
    proven = sum(counts.get(kind, 0) for counts in left.values() for kind in PROVEN)
    if backups is None:
        console.print(
            "There are no backups (REPORTING_BACKUP_URI is not set), and the list of who was purged is in the warehouse alone.",
            soft_wrap=True,
        )
    if settings.export_uri:
        console.print(
            f"The exports at {settings.export_uri} are as they were: run report_marts__export__daily.",
            soft_wrap=True,
        )
    for each in problems:
        console.print(f"Not done: {each}", markup=False, soft_wrap=True)
    if problems or proven:
        console.print("Mend that, and run it again.")
        return 1
    console.print(
        "Nothing with an address or key of theirs is left. Now delete the person in the sources as well."
    )
    return 0


def _allow_again(console: Console, warehouse: Warehouse, backups: Backups | None, who: list[str]) -> int:
    keys = purge.begun(warehouse.client, warehouse.settings, backups, who)
    if not keys:
        raise CommandError("nobody with that address or record was purged.")
    purge.allow_again(warehouse.client, warehouse.settings, backups, keys)
    console.print(f"{len(keys)} keys are off the list. The next sweeps bring what the sources have.")
    return 0


def _build(settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Build every model, and return what failed: the marts must not keep what raw has lost."""
    for layer in ("staging", "marts"):
        dbt.forget_results(settings)
        with dbt.keyfile(configuration.google_key(variables)) as keyfile:
            done = subprocess.run(
                dbt.build_command(settings, (f"tag:{layer}",)),
                env=dbt.environment(settings, keyfile, variables),
                capture_output=True,
                text=True,
                check=False,
                timeout=BUILD_SECONDS,
            )
        if done.returncode:
            failed = dbt.failures(settings) or ["dbt ended before it built anything"]
            return [f"the marts were not built: {each}" for each in failed]
    return []


def _report_anew(client: bigquery.Client, settings: Settings) -> list[str]:
    """Make the report anew where there is one, and return what failed: its pages have people's names."""
    if Site.of(settings).read(FIRST) is None:
        return []
    try:
        build_report(client, settings)
    except (ReportError, OSError) as error:
        return [f"the report at {settings.site_uri} was not made anew: {error}"]
    return []


def _show(console: Console, person: Person) -> None:
    shown = Table(title="What is erased", title_justify="left")
    shown.add_column("raw table")
    shown.add_column("rows", justify="right")
    shown.add_column("keys", overflow="fold")
    for table, ids in sorted(person.rows.items()):
        shown.add_row(table, str(len(ids)), _some(ids))
    console.print(shown)
    console.print(
        f"Addresses of this person alone: {_some(person.emails) or 'none'}", markup=False, soft_wrap=True
    )
    if person.shared_emails:
        console.print(
            f"Shared with others, and so neither erased elsewhere nor on the list: {_some(person.shared_emails)}",
            markup=False,
            soft_wrap=True,
        )
    for table, ids in sorted(person.mentions.items()):
        console.print(
            f"Stays, though a name, number or shared address stands in it: {len(ids)} of {table}: {_some(ids)}",
            markup=False,
            soft_wrap=True,
        )


def _some(found: frozenset[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(sorted(found)[:SHOWN]) + more


def _left(left: Mapping[str, Mapping[str, int]]) -> Table:
    shown = Table(title="Rows in which they are still met", title_justify="left")
    shown.add_column("place")
    for kind in ("e-mail", "key", "phone", "name"):
        shown.add_column(kind, justify="right")
    for place, counts in sorted(left.items()):
        shown.add_row(place, *(str(counts.get(kind, 0)) for kind in ("e-mail", "key", "phone", "name")))
    totals = (
        sum(counts.get(kind, 0) for counts in left.values()) for kind in ("e-mail", "key", "phone", "name")
    )
    shown.add_row("everywhere", *map(str, totals))
    return shown


if __name__ == "__main__":
    run("script/purge-person", main)
