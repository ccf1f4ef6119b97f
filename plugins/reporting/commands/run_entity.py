"""Runs the transformation of one entity alone: records as its API gave them to rows of raw and of staging.

ENTITY is a raw table such as google__contacts. The input has one JSON record a line. The output is a folder with raw.ndjson
and a CSV file for each staging model. A local BigQuery of its own is started for it and thrown away; no source, no other
warehouse and no configuration but REPORTING_TIMEZONE and REPORTING_DEFAULT_REGION of the environment is looked at.
"""

import argparse
import os
import tempfile
from pathlib import Path

import fsspec
from rich.console import Console

from reporting import alone
from reporting.commands import installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.files import write_whole
from reporting.landing import Landing
from reporting.settings import SettingError, read_settings
from reporting.sources.base import SourceError
from reporting.warehouse.client import connect
from reporting.warehouse.schema import upgrade
from sandbox.bigquery.server import running

TAKEN = ("REPORTING_TIMEZONE", "REPORTING_DEFAULT_REGION", "REPORTING_DBT")


def main() -> int:
    """Run it, write the output, and end with 1 when a test of dbt failed."""
    parser = argparse.ArgumentParser("script/run-entity", description=__doc__)
    parser.add_argument("entity", type=installation.entity, metavar="ENTITY")
    parser.add_argument("--input", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    # What script/run-entity adds.
    parser.add_argument("--relative-to", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    end_on_signals()
    console = Console(stderr=True, highlight=False)
    output = (options.relative_to / options.output).resolve()
    if output.exists() and not output.is_dir():
        raise CommandError(f"{output} is a file. --output takes a folder, which is made if it is not there.")
    try:
        records = alone.read_records(options.entity, options.relative_to / options.input)
        with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "bigquery") as local:
            variables = {name: os.environ[name] for name in TAKEN if name in os.environ}
            variables |= {**local.variables, "REPORTING_STATE": folder}
            settings = read_settings(variables)
            client = connect(settings)
            console.print("Making the tables ...")
            upgrade(client, settings=settings)
            console.print("Loading, and building the staging models ...")
            made = alone.run(client, settings, {options.entity: records}, Landing.of(settings))
    except (alone.InputError, SettingError, SourceError, RuntimeError) as error:
        raise CommandError(str(error)) from None
    files = fsspec.filesystem("file")
    for name, content in made.files[options.entity].items():
        write_whole(files, str(output / name), content)
        console.print(f"{output / name}", markup=False, soft_wrap=True)
    if made.failures:
        raise CommandError("dbt failed: " + "; ".join(made.failures))
    return 0


if __name__ == "__main__":
    run("script/run-entity", main)
