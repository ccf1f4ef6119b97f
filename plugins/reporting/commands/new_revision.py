"""Writes the revision that gives properties of HubSpot's objects columns of their own, filled for what is there already.

ENTITY is a raw table such as hubspot__deals, PROPERTY a property's internal name. A property of Notion needs no column: it
is in `_properties`, and a habit appears in the marts by itself.
"""

import argparse
import difflib
import re
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from rich.console import Console

from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, run
from reporting.entities import Entity, HubSpotObject
from reporting.landing import Landing
from reporting.replay import kept_runs
from reporting.settings import ROOT
from reporting.sources.hubspot.objects import KINDS
from reporting.warehouse import drift
from reporting.warehouse.tables import describe

REVISION = '''\
"""{table}: columns for {names}, filled from what is kept of each record."""

from alembic import op

from reporting.settings import read_settings

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None

COLUMNS = {{
{columns}
}}


def table() -> str:
    return f"`{{read_settings().dataset('raw')}}.{table}`"


def upgrade() -> None:
    for name, comment in COLUMNS.items():
        op.execute(f"ALTER TABLE {{table()}} ADD COLUMN IF NOT EXISTS {{name}} STRING")
        op.execute(f"ALTER TABLE {{table()}} ALTER COLUMN {{name}} SET OPTIONS (description = '{{comment}}')")
    # A load writes only the rows that change: for the others the value is in what was received.
    values = ", ".join(f"{{name}} = JSON_VALUE(_payload, '$.properties.{{name}}')" for name in COLUMNS)
    op.execute(f"UPDATE {{table()}} SET {{values}} WHERE _payload IS NOT NULL")


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE {{table()}} DROP COLUMN IF EXISTS {{name}}")
'''


def main() -> int:
    """Write the revision and say what else to add."""
    parser = argparse.ArgumentParser("script/new-revision", description=__doc__)
    parser.add_argument("entity", type=installation.entity, metavar="ENTITY")
    parser.add_argument("properties", nargs="+", metavar="PROPERTY")
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    parser.add_argument("--migrations", type=Path, default=ROOT / "migrations", help=argparse.SUPPRESS)
    options = parser.parse_args()
    console = Console(highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    landing = Landing.of(installation.settings_of(options.data.resolve(), variables))
    entity, properties = options.entity, list(dict.fromkeys(options.properties))
    kinds = checked_kinds(entity, properties, landing)
    path = write_revision(options.migrations, entity, properties)
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
            near = difflib.get_close_matches(name, known, 3)
            hint = f" Is it {' or '.join(near)}?" if near else ""
            raise CommandError(
                f"{entity.name} had no property '{name}' when they were last read ({last.started_at:%Y-%m-%d %H:%M} UTC)."
                f"{hint}"
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
    lines = [f"\nto the properties of {entity.name} in plugins/reporting/entities.py:\n"]
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
        f"\nand to the staging model of {entity.name} what the marts are to know of it. script/server and script/round "
        "apply the revision; so does the DAG ops_warehouse__schema__upgrade."
    )
    return lines


if __name__ == "__main__":
    run("script/new-revision", main)
