"""Alembic's revisions: of a raw table, and of what joins the owner's own with the project's."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from reporting.entity import Entity
from reporting.warehouse.tables import raw_table

REVISION = '''\
"""The raw table {table}."""

from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "{revision}"
down_revision = {down_revision}
branch_labels = None
depends_on = None

NAME = "{table}"
# `raw` is the dataset's name without this environment's prefix.
TABLE = """{ddl}"""


def upgrade() -> None:
    sql = TABLE.replace("`raw`", f"`{{read_settings().dataset('raw')}}`")
    # As it is: in text that SQLAlchemy looks into, a colon may begin a parameter.
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    drop_table(op, f"{{read_settings().dataset('raw')}}.{{NAME}}")
'''
JOIN = '''\
"""Joins the revisions of the owner's own with those of the project."""

revision = "{revision}"
down_revision = {down_revision}
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
'''


class ScaffoldError(Exception):
    """The files cannot be written; the message says why and what to do."""


def revision_of(migrations: Path, entity: Entity) -> Path | None:
    """The revision that makes the entity's table; None when there is none."""
    for path in sorted((migrations / "versions").glob("*.py")):
        if f'"{entity.table}"' in path.read_text():
            return path
    return None


def join(migrations: Path, prefix: str) -> tuple[Path, str] | None:
    """A revision that follows all of the newest ones; None when there is one newest already."""
    scripts = _scripts(migrations)
    heads = sorted(scripts.get_heads())
    if len(heads) < 2:
        return None
    revision = _next(scripts, prefix)
    path = migrations / "versions" / f"{revision}_join.py"
    return path, JOIN.format(revision=revision, down_revision=f"({', '.join(map(json.dumps, heads))})")


def revision(entity: Entity, migrations: Path, prefix: str) -> tuple[Path, str]:
    scripts = _scripts(migrations)
    heads = scripts.get_heads()
    if len(heads) != 1:
        raise ScaffoldError(
            f"there are {len(heads)} newest revisions ({', '.join(heads)}). Run script/new-source --join first."
        )
    revision = _next(scripts, prefix)
    table = raw_table(entity, sa.MetaData())
    ddl = str(CreateTable(table, if_not_exists=True).compile(dialect=BigQueryDialect()))
    text = REVISION.format(
        table=entity.table,
        revision=revision,
        down_revision=json.dumps(heads[0]),
        ddl="\n".join(line.rstrip().replace("\t", "    ") for line in ddl.strip().splitlines())
        .replace("\\", "\\\\")
        .replace('"""', '\\"\\"\\"'),
    )
    return migrations / "versions" / f"{revision}_{entity.table}.py", text


def _scripts(migrations: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _next(scripts: ScriptDirectory, prefix: str) -> str:
    numbers = [
        int(number)
        for each in scripts.walk_revisions()
        if each.revision.startswith(prefix) and (number := each.revision.removeprefix(prefix)).isdecimal()
    ]
    return f"{prefix}{max(numbers, default=0) + 1:04d}"
