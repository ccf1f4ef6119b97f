"""Tests a real BigQuery in temporary datasets: the revisions, histories of every source with faults, and dbt's build.

The warehouse is the configured Google project, or a local BigQuery that runs already (BIGQUERY_EMULATOR_HOST). The exit code is
0 if everything passed, 1 if something failed, and 2 if it could not run.

Example: script/verify-bigquery --histories 40
"""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import replace
from pathlib import Path
from typing import Annotated

import typer
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from rich.console import Console
from rich.table import Table

from reporting.deploy import configuration
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.settings import ROOT, Settings, read_settings
from reporting.transform import dbt
from reporting.warehouse import schema
from reporting.warehouse.client import connect
from reporting.warehouse.tables import describe

PREFIX = "verify_"
HISTORIES = "tests/convergence/test_histories.py"
# The tests run on sample data, so tokens of sources and the owner's settings are not passed to them.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
PASSED_ON_PREFIXES = ("REPORTING_BIGQUERY_", "GOOGLE_")
# If this process is killed, BigQuery deletes the tables after this time.
LIFETIME_DAYS = 1
BASE = "base"


class Warehouse:
    """Temporary datasets in a warehouse, and the environment with which other processes find them."""

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
        """The datasets that exist."""
        names = (each.dataset_id for each in self.client.list_datasets())
        return sorted(name for name in names if name.startswith(self.settings.dataset_prefix))

    def expire(self) -> None:
        """Let BigQuery delete everything later, in case this run is killed."""
        for name in self.datasets():
            dataset = self.client.get_dataset(name)
            dataset.default_table_expiration_ms = LIFETIME_DAYS * 24 * 3600 * 1000
            self.client.update_dataset(dataset, ["default_table_expiration_ms"])

    def remove(self) -> None:
        """Delete the datasets with all their tables."""
        for name in self.datasets():
            self.client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def migrate(warehouse: Warehouse, _: int) -> str:
    """Apply every revision, undo all of them, and apply them again. Raises `CommandError`."""
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
    """Run `count` histories of the convergence test. Raises `CommandError` with the end of its output."""
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
        raise CommandError(f"some histories did not converge:\n{said}")
    return f"{count} histories"


def build(warehouse: Warehouse, _: int) -> str:
    """Build everything twice with dbt, since some models are created in the first build and changed in later ones. Raises
    `CommandError`."""
    settings = warehouse.settings
    for number in ("first", "second"):
        dbt.prepare(settings)
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


def main(
    histories: Annotated[int, typer.Option(help="number of histories, divided among the sources")] = 20,
) -> int:
    """Run every step, delete the datasets, and print the results."""
    end_on_signals()
    console = Console(highlight=False)
    if not (ROOT / HISTORIES).exists():
        raise CommandError(
            "this command needs a clone of the repository, since a package does not contain the tests."
        )
    variables = configuration.read_owner_file(configuration.owner_file()) | dict(os.environ)
    if not (variables.get("REPORTING_BIGQUERY_PROJECT") or variables.get("BIGQUERY_EMULATOR_HOST")):
        raise CommandError(
            "no Google project is configured, so nothing was tested. Run script/connect bigquery."
        )
    with throw_away(variables) as warehouse:
        console.print(
            f"Using the datasets {warehouse.settings.dataset('*')} of {warehouse.settings.project}."
        )
        results = [_tried(name, step, warehouse, histories, console) for name, step in STEPS.items()]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("step", "result", "seconds"):
        table.add_column(title, justify="right" if title == "seconds" else "left")
    for name, result, seconds, _ in results:
        table.add_row(name, result, f"{seconds:.0f}")
    console.print(table)
    return 0 if all(has_passed for *_, has_passed in results) else 1


@contextmanager
def throw_away(variables: Mapping[str, str]) -> Iterator[Warehouse]:
    """A warehouse with temporary datasets, which are deleted when the block ends. Raises `CommandError`."""
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
                f"the warehouse cannot be used: {said} Run script/doctor to find out what to do. Remaining datasets "
                f"{prefix}* expire within a day."
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
