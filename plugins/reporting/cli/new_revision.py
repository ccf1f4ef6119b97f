"""Writes the revision that gives properties of HubSpot's objects columns of their own.

They are filled for what is there already. ENTITY is a raw table such as hubspot__deals, PROPERTY a property's internal name. A
property of Notion needs no column: it is in `_properties`, and a habit appears in the marts by itself.

Example: script/new-revision hubspot__deals hs_forecast_amount
"""

import re
from pathlib import Path
from typing import Annotated

import typer
from alembic.config import Config
from alembic.script import ScriptDirectory
from rich.console import Console

from reporting.cli import entities as named
from reporting.cli.command import LOCAL, Data
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError
from reporting.entity import Entity
from reporting.ingest import drift
from reporting.ingest.landing import Landing
from reporting.ingest.replay import kept_runs
from reporting.naming import nearest
from reporting.settings import ROOT
from reporting.sources.hubspot.entities import HubSpotObject
from reporting.sources.hubspot.objects import KINDS
from reporting.warehouse.tables import describe

REVISION = '''\
"""{table}: columns for {names}, filled from what is kept of each record."""

from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None

COLUMNS = {{
{columns}
}}


def table() -> str:
    return f"{{read_settings().dataset('raw')}}.{table}"


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.execute(f"ALTER TABLE `{{table()}}` ADD COLUMN IF NOT EXISTS {{name}} STRING")
        op.execute(f"ALTER TABLE `{{table()}}` ALTER COLUMN {{name}} SET OPTIONS (description = '{{comment}}')")
    # A load writes only the rows that change: for the others the value is in what was received.
    values = ", ".join(f"{{name}} = JSON_VALUE(_payload, '$.properties.{{name}}')" for name in COLUMNS)
    op.execute(f"UPDATE `{{table()}}` SET {{values}} WHERE _payload IS NOT NULL")


def downgrade() -> None:
    for name in reversed(COLUMNS):
        drop_column(op, table(), name)
'''


def main(
    entity: Annotated[
        Entity, typer.Argument(parser=named.parsed, autocompletion=named.completed, metavar="ENTITY")
    ],
    properties: Annotated[list[str], typer.Argument(metavar="PROPERTY")],
    data: Data = LOCAL,
    migrations: Annotated[Path, typer.Option(hidden=True)] = ROOT / "migrations",
) -> int:
    """Write the revision and say what else to add."""
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    landing = Landing.of(installation.settings_of(data.resolve(), variables))
    properties = list(dict.fromkeys(properties))
    kinds = checked_kinds(entity, properties, landing)
    path = write_revision(migrations, entity, properties)
    for line in (f"Wrote {path}. Mend its descriptions, and add:", *_additions(entity, kinds)):
        console.print(line, markup=False, soft_wrap=True)
    return 0


def checked_kinds(entity: Entity, properties: list[str], landing: Landing) -> dict[str, str]:
    """The kind of each property's values, as the last read knew it. Raises `CommandError` for what gets no column."""
    if not isinstance(entity, HubSpotObject):
        raise CommandError(
            f"the columns of {entity.table} are not properties. Those of HubSpot's objects are; a property of Notion is in "
            "_properties and needs none."
        )
    taken = set(describe().tables[f"raw.{entity.table}"].columns.keys())
    for name in properties:
        if name in taken:
            raise CommandError(f"{entity.table} has a column '{name}' already.")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise CommandError(
                f"'{name}' is no internal name of a property: letters, digits and _ in lower case."
            )
    last = next((each.manifest for each in kept_runs(landing, entity) if each.manifest), None)
    if last is None:
        # Before the first read only the owner knows.
        return dict.fromkeys(properties, "text")
    known = drift.properties_of(entity.source, last.schema) or {}
    for name in properties:
        if name not in known:
            raise CommandError(
                f"{entity.name} had no property '{name}' when they were last read ({last.started_at:%Y-%m-%d %H:%M} UTC)."
                f"{nearest(name, known)}"
            )
    return {name: KINDS.get(known[name].type, "text") for name in properties}


def write_revision(migrations: Path, entity: Entity, properties: list[str]) -> Path:
    """Write the file after the newest revision, and return its path."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    heads = scripts.get_heads()
    if len(heads) != 1:
        raise CommandError(f"there are {len(heads)} newest revisions ({', '.join(heads)}). Chain them first.")
    number = max(int(each.revision) for each in scripts.walk_revisions()) + 1
    path = migrations / "versions" / f"{number:04d}_{entity.name}_{properties[0]}.py"
    path.write_text(
        REVISION.format(
            table=entity.table,
            names=", ".join(properties),
            revision=f"{number:04d}",
            down_revision=heads[0],
            columns="\n".join(f'    "{name}": "{_description(name)}",' for name in properties),
        )
    )
    return path


def _description(name: str) -> str:
    return f"{name.removeprefix('hs_').replace('_', ' ').capitalize()}, as HubSpot gives it."


def _additions(entity: Entity, kinds: dict[str, str]) -> list[str]:
    lines = [f"\nto the properties of {entity.name} in plugins/reporting/sources/registry.py:\n"]
    lines += [
        f'            "{name}": Property("{kind}", "{_description(name)}"),' for name, kind in kinds.items()
    ]
    lines.append(
        f"\nto the columns of {entity.name} in dbt/models/staging/hubspot/_hubspot__sources.yml (a test compares them):\n"
    )
    for name in kinds:
        lines += [
            f"          - name: {name}",
            "            data_type: string",
            f'            description: "{_description(name)}"',
        ]
    lines.append(
        f"\nand to the staging model of {entity.name} what the marts are to know of it. script/server and script/sync "
        "apply the revision; so does the DAG ops_warehouse__schema__upgrade."
    )
    return lines
