"""Transforms the records of a single entity, as its API returns them, to rows of the raw table and the staging models.

ENTITY is a raw table such as google__contacts. The input has one JSON record per line. The output is a folder with raw.ndjson and
a CSV file for each staging model. It uses a temporary local BigQuery, and neither a source nor your warehouse. Of the
configuration it only reads REPORTING_TIMEZONE and REPORTING_DEFAULT_REGION from the environment.

Example: script/run-entity google__contacts --input contacts.ndjson --output contacts
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import fsspec
import typer
from rich.console import Console

from reporting.cli import entities as named
from reporting.cli.command import CALLER
from reporting.deploy.errors import CommandError, FailedError, end_on_signals
from reporting.entity import Entity
from reporting.ingest.landing import Landing
from reporting.local.bigquery import running
from reporting.settings import read_settings
from reporting.sources.base import SourceError
from reporting.storage.files import write_whole
from reporting.transform import single_entity
from reporting.warehouse.client import connect
from reporting.warehouse.schema import upgrade

TAKEN = ("REPORTING_TIMEZONE", "REPORTING_DEFAULT_REGION", "REPORTING_DBT")


def main(
    entity: Annotated[
        Entity, typer.Argument(parser=named.parsed, autocompletion=named.completed, metavar="ENTITY")
    ],
    input_file: Annotated[Path, typer.Option("--input", metavar="FILE", help="the records")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="folder for the rows")],
) -> int:
    """Transform the records and write the output. Returns 1 if a test of dbt failed."""
    end_on_signals()
    console = Console(stderr=True, highlight=False)
    output = (CALLER / output).resolve()
    if output.exists() and not output.is_dir():
        raise CommandError(
            f"{output} is a file. --output takes a folder, which is created if it does not exist."
        )
    try:
        records = single_entity.read_records(entity, CALLER / input_file)
        with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "bigquery") as local:
            variables = {name: os.environ[name] for name in TAKEN if name in os.environ}
            variables |= {**local.variables, "REPORTING_STATE": folder}
            settings = read_settings(variables)
            client = connect(settings)
            console.print("Making the tables ...")
            upgrade(client, settings=settings)
            console.print("Loading, and building the staging models ...")
            made = single_entity.run(client, settings, {entity: records}, Landing.of(settings))
    except (single_entity.InputError, SourceError, RuntimeError) as error:
        raise CommandError(str(error)) from None
    files = fsspec.filesystem("file")
    for name, content in made.files[entity].items():
        write_whole(files, str(output / name), content)
        console.print(f"{output / name}", markup=False, soft_wrap=True)
    if made.failures:
        raise FailedError("dbt failed: " + "; ".join(made.failures))
    return 0
