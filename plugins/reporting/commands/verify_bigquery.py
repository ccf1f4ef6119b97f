"""Tries a real BigQuery: the revisions, histories of every source under faults, and dbt's build, in throw-away datasets.

The warehouse is the Google project of the owner's configuration, or a local BigQuery that already runs
(BIGQUERY_EMULATOR_HOST). Ends with 0 when everything passed, 1 when something failed, 2 when it did not run.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting import dbt
from reporting.commands import configuration
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.settings import ROOT, Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.warehouse.tables import describe

PREFIX = "verify_"
HISTORIES = "tests/convergence/test_histories.py"
# No token of a source, and no setting of the owner's: histories and builds are of the samples.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
PASSED_ON_PREFIXES = ("REPORTING_BIGQUERY_", "GOOGLE_")
# What a dataset is deleted by when nobody does it: the process was killed.
LIFETIME_DAYS = 1
BASE = "base"
DID_NOT_RUN = 2


class Warehouse:
    """Throw-away datasets of a warehouse, and how other processes find them."""

    def __init__(
        self, client: bigquery.Client, settings: Settings, keyfile: str | None, environment: Mapping[str, str]
    ) -> None:
        self.client, self.settings, self.keyfile = client, settings, keyfile
        passed = {
            name: value
            for name, value in environment.items()
            if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
        }
        self.environment = {
            **passed,
            **settings.emulator_variables(),
            "REPORTING_DATASET_PREFIX": settings.dataset_prefix,
            "REPORTING_STATE": str(settings.state),
        }
        if keyfile:
            self.environment["GOOGLE_APPLICATION_CREDENTIALS"] = keyfile

    def datasets(self) -> list[str]:
        """Those that are there."""
        names = (each.dataset_id for each in self.client.list_datasets())
        return sorted(name for name in names if name.startswith(self.settings.dataset_prefix))

    def expire(self) -> None:
        """Have BigQuery delete what a killed run leaves."""
        for name in self.datasets():
            dataset = self.client.get_dataset(name)
            dataset.default_table_expiration_ms = LIFETIME_DAYS * 24 * 3600 * 1000
            self.client.update_dataset(dataset, ["default_table_expiration_ms"])

    def remove(self) -> None:
        """Delete them with all that is in them."""
        for name in self.datasets():
            self.client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def migrate(warehouse: Warehouse, _: int) -> str:
    """Apply every revision, take all of them back, and apply them again. Raises `CommandError`."""
    expected = {table.name for table in describe().tables.values()}
    for revision in ("head", BASE, "head"):
        if revision == BASE:
            schema.downgrade(warehouse.client, BASE, settings=warehouse.settings)
        else:
            schema.upgrade(warehouse.client, settings=warehouse.settings)
            warehouse.expire()
        tables = {
            table.table_id for name in warehouse.datasets() for table in warehouse.client.list_tables(name)
        }
        wanted = expected if revision == "head" else set()
        if tables - {"alembic_version"} != wanted:
            wrong = ", ".join(sorted((tables - {"alembic_version"}) ^ wanted))
            raise CommandError(
                f"after the revisions to {revision} these tables are not as they should be: {wrong}."
            )
    return f"{len(expected)} tables, up, down and up again"


def converge(warehouse: Warehouse, count: int) -> str:
    """Run `count` histories of the convergence test. Raises `CommandError` with the end of what it said."""
    chosen = [HISTORIES, "-k", "any_history", "--histories", str(count)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--force-enable-socket", "-p", "no:cacheprovider"),
            *(*chosen, "--dataset-prefix", warehouse.settings.dataset_prefix),
        ],
        cwd=ROOT,
        env=warehouse.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0:
        said = "\n".join([*lines[-30:], *done.stderr.strip().splitlines()[-10:]])
        raise CommandError(f"the histories did not all settle:\n{said}")
    return f"{count} histories"


def build(warehouse: Warehouse, _: int) -> str:
    """Build everything twice with dbt, since some of it is made at first and changed later. Raises `CommandError`."""
    settings = warehouse.settings
    for number in ("first", "second"):
        dbt.forget_results(settings)
        done = subprocess.run(
            dbt.build_command(settings, [f"tag:{layer}" for layer in ("staging", "marts")]),
            env=dbt.environment(settings, warehouse.keyfile, warehouse.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = "\n".join(dbt.failures(settings)) or done.stdout.strip()[-2000:]
            raise CommandError(f"the {number} build of dbt failed:\n{said}")
    return "everything, twice"


Step = Callable[[Warehouse, int], str]
STEPS: dict[str, Step] = {"revisions": migrate, "histories": converge, "dbt": build}


def main() -> int:
    """Run every step, delete the datasets, and say what happened."""
    parser = argparse.ArgumentParser("script/verify-bigquery", description=__doc__)
    parser.add_argument(
        "--histories", type=int, default=20, help="how many, shared among the sources (%(default)s)"
    )
    options = parser.parse_args()
    end_on_signals()
    console = Console(highlight=False)
    if not (ROOT / HISTORIES).exists():
        raise CommandError("it runs from a clone; a package has no tests.")
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    if not (variables.get("REPORTING_BIGQUERY_PROJECT") or variables.get("BIGQUERY_EMULATOR_HOST")):
        console.print("It did not run: no Google project is configured. Run script/connect bigquery.")
        return DID_NOT_RUN
    with throw_away(variables) as warehouse:
        console.print(
            f"Using the datasets {warehouse.settings.dataset('*')} of {warehouse.settings.project}."
        )
        results = [_tried(name, step, warehouse, options.histories, console) for name, step in STEPS.items()]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("step", "result", "seconds"):
        table.add_column(title, justify="right" if title == "seconds" else "left")
    for name, result, seconds, _ in results:
        table.add_row(name, result, f"{seconds:.0f}")
    console.print(table)
    return 0 if all(has_passed for *_, has_passed in results) else 1


@contextmanager
def throw_away(variables: Mapping[str, str]) -> Iterator[Warehouse]:
    """A warehouse with datasets of its own, which are deleted with the block. Raises `CommandError`."""
    with (
        tempfile.TemporaryDirectory() as state,
        dbt.keyfile(configuration.google_key(variables)) as keyfile,
    ):
        read = read_settings(variables)
        prefix = f"{PREFIX}{secrets.token_hex(4)}_"
        settings = replace(read, dataset_prefix=prefix, state=Path(state), landing_uri=f"{state}/landing")
        try:
            client = connect(settings, configuration.google_credentials(variables))
            warehouse = Warehouse(client, settings, keyfile, variables)
            try:
                yield warehouse
            finally:
                warehouse.remove()
        except (GoogleAPICallError, GoogleAuthError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise CommandError(
                f"the warehouse cannot be used: {said} Run script/doctor, which says what to do. What is left of "
                f"{prefix}* expires within a day."
            ) from None


def _tried(
    name: str, step: Step, warehouse: Warehouse, count: int, console: Console
) -> tuple[str, str, float, bool]:
    console.print(f"Trying {name} ...")
    begun = time.monotonic()
    try:
        result, has_passed = step(warehouse, count), True
    except CommandError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        result, has_passed = "failed", False
    return name, result, time.monotonic() - begun, has_passed


if __name__ == "__main__":
    run("script/verify-bigquery", main)
