"""Erases a person permanently: from raw, dbt's snapshots, the marts, the landing and the backups.

It shows first what it found, and asks. WHO is an e-mail address, or a record such as hubspot:101 or google:people/c42. Airflow
must not run meanwhile. You can stop the command at any moment and run it again. Delete the person in the sources as well; until
you do, every read leaves them out.

Example: script/purge-person ada@example.com hubspot:101
"""

import os
import re
import subprocess
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting import privacy
from reporting.backup.backup import Backups, NoBackupError
from reporting.cli.command import LOCAL, BigQueryPort, Data, Yes
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, confirm, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT, Warehouse
from reporting.deploy.tables import print_table
from reporting.ingest.landing import Landing
from reporting.ingest.suppression import Matcher
from reporting.privacy import Person
from reporting.reports.build import build as build_report
from reporting.reports.marts import ReportError
from reporting.reports.site import FIRST, Site
from reporting.settings import Settings
from reporting.transform import dbt
from reporting.warehouse.client import WarehouseError

SHOWN = 20
BUILD_SECONDS = 3600
# A line of dbt's for a node that has ended, as in `12 of 39 OK created sql view model ...`.
NODE_DONE = re.compile(r" \d+ of (\d+) (?!START)[A-Z]")
# Only these are proof that data of the person is left, since other people may have the same name or number.
PROVEN = ("e-mail", "key")


def main(
    who: Annotated[list[str], typer.Argument(metavar="WHO")],
    yes: Yes = False,
    allow_again: Annotated[
        bool,
        typer.Option(
            "--allow-again",
            help="remove a purged person from the list, so that the next reads load their records again",
        ),
    ] = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Show who was found, ask, erase, and show what is left. Returns 1 if anything is left."""
    for each in who:
        if "@" not in each and each.partition(":")[0] not in privacy.CONTACTS:
            raise CommandError(f"'{each}' is neither an e-mail address nor a record such as hubspot:101.")
    end_on_signals()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        data.resolve(), variables, console, bigquery_port=bigquery_port, is_shared=False
    ) as warehouse:
        try:
            backups = Backups(warehouse.client, warehouse.settings) if warehouse.settings.backup_uri else None
            if allow_again:
                return _allow_again(console, warehouse, backups, who)
            return _purge(console, warehouse, backups, variables, who, yes)
        except (privacy.PurgeError, NoBackupError, WarehouseError) as error:
            raise CommandError(str(error)) from None


def _purge(
    console: Console,
    warehouse: Warehouse,
    backups: Backups | None,
    variables: Mapping[str, str],
    who: list[str],
    is_answered: bool,
) -> int:
    client, settings = warehouse.client, warehouse.settings
    person = privacy.find(client, settings, who)
    before = privacy.begun(client, settings, backups, who)
    if person is None and not before:
        raise CommandError(
            "no row in raw has that address or record, and it was not purged before. Check its spelling."
        )
    if person is None:
        console.print(
            f"The rows in raw are erased already ({len(before)} keys are on the list). Continuing with everything else."
        )
        identity = privacy.identity_of(who)
        matcher = Matcher(before)
    else:
        _show(console, person)
        confirm(is_answered, "Erase all of this permanently?")
        identity = person.identity
        matcher = Matcher(privacy.begin(client, settings, person, backups, datetime.now(UTC)).keys | before)
    landing = Landing.of(settings)
    erased = privacy.erase(client, settings, landing, backups, matcher, say=console.print)
    for place, count in sorted(erased.counts.items()):
        console.print(f"  {count:,} from {place}", markup=False)
    console.print("Rebuilding the marts, which takes minutes ...")
    problems = [*erased.problems, *_build(console, settings, dict(variables) | dict(os.environ))]
    problems += [] if problems else _report_anew(client, settings)
    console.print("Searching for what is left ...")
    left, unread = privacy.search(client, settings, landing, backups, identity, matcher)
    problems = list(dict.fromkeys((*problems, *unread)))
    print_table(console, _left(left))
    proven = sum(counts.get(kind, 0) for counts in left.values() for kind in PROVEN)
    if backups is None:
        console.print(
            "There are no backups (REPORTING_BACKUP_URI is not set), so the list of purged people is only in the warehouse.",
            soft_wrap=True,
        )
    if settings.export_uri:
        console.print(
            f"The exports at {settings.export_uri} still have the person. Run the DAG report_marts__export__daily.",
            soft_wrap=True,
        )
    for each in problems:
        console.print(f"Not done: {each}", markup=False, soft_wrap=True)
    if problems or proven:
        console.print("Solve these problems, and run the command again.")
        return 1
    console.print(
        "Nothing with an address or key of this person is left. Now delete the person in the sources as well."
    )
    return 0


def _allow_again(console: Console, warehouse: Warehouse, backups: Backups | None, who: list[str]) -> int:
    keys = privacy.begun(warehouse.client, warehouse.settings, backups, who)
    if not keys:
        raise CommandError("no person with that address or record was purged. Check its spelling.")
    privacy.allow_again(warehouse.client, warehouse.settings, backups, keys)
    console.print(
        f"{len(keys)} keys were removed from the list. The next full refreshes load the person's records again."
    )
    return 0


def _build(console: Console, settings: Settings, variables: Mapping[str, str]) -> list[str]:
    """Build every model, since the marts must not keep rows that were erased in raw, and show how far it is. Returns the nodes
    that failed."""
    for layer in ("staging", "marts"):
        dbt.prepare(settings)
        with dbt.keyfile(configuration.google_key(variables)) as keyfile:
            process = subprocess.Popen(
                dbt.build_command(settings, (f"tag:{layer}",)),
                env=dbt.environment(settings, keyfile, variables),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            code = _watched(console, layer, process)
        if code:
            failed = dbt.failures(settings) or ["dbt ended before it built anything"]
            return [f"the marts were not built: {each}" for each in failed]
    return []


def _watched(console: Console, layer: str, process: subprocess.Popen[str]) -> int:
    """The exit code of dbt, whose progress is shown: in a terminal in one line that changes, elsewhere a line per step of ten."""
    overdue = threading.Timer(BUILD_SECONDS, process.kill)
    overdue.start()
    step = 0
    try:
        with console.status(f"  {layer} ...") as status:
            for line in process.stdout or ():
                if found := NODE_DONE.search(line):
                    # Nodes end in another order than they began in.
                    step += 1
                    said = f"  {layer}: {step} of {found[1]}"
                    status.update(said)
                    if not console.is_terminal and (step % 10 == 0 or str(step) == found[1]):
                        console.print(said)
        return process.wait()
    finally:
        overdue.cancel()
        # Ended by a signal, this leaves nothing that goes on to write.
        if process.poll() is None:
            process.terminate()
            process.wait()


def _report_anew(client: bigquery.Client, settings: Settings) -> list[str]:
    """Make the report again if there is one, since its pages contain names. Returns the error, if any."""
    if Site.of(settings).read(FIRST) is None:
        return []
    try:
        build_report(client, settings)
    except (ReportError, OSError) as error:
        return [f"the report at {settings.site_uri} could not be made again: {error}"]
    return []


def _show(console: Console, person: Person) -> None:
    shown = Table(title="Rows to erase")
    shown.add_column("raw table")
    shown.add_column("rows", justify="right")
    shown.add_column("keys")
    for table, ids in sorted(person.rows.items()):
        shown.add_row(table, f"{len(ids):,}", _some(ids))
    print_table(console, shown)
    console.print(
        f"Addresses that only this person has: {_some(person.emails) or 'none'}", markup=False, soft_wrap=True
    )
    if person.shared_emails:
        console.print(
            f"Addresses shared with others, which are neither erased elsewhere nor put on the list: {_some(person.shared_emails)}",
            markup=False,
            soft_wrap=True,
        )
    for table, ids in sorted(person.mentions.items()):
        console.print(
            f"Not erased, although they contain the name, a number or a shared address: {len(ids)} of {table}: {_some(ids)}",
            markup=False,
            soft_wrap=True,
        )


def _some(found: frozenset[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(sorted(found)[:SHOWN]) + more


def _left(left: Mapping[str, Mapping[str, int]]) -> Table:
    shown = Table(title="Rows that still mention the person")
    shown.add_column("place")
    for kind in ("e-mail", "key", "phone", "name"):
        shown.add_column(kind, justify="right")
    for place, counts in sorted(left.items()):
        shown.add_row(place, *(f"{counts.get(kind, 0):,}" for kind in ("e-mail", "key", "phone", "name")))
    totals = (
        sum(counts.get(kind, 0) for counts in left.values()) for kind in ("e-mail", "key", "phone", "name")
    )
    shown.add_row("everywhere", *(f"{total:,}" for total in totals))
    return shown
