"""The files that an entity needs besides its line in the code: revision, dbt source, staging model and their docs.

All of them follow from the described raw table and, for the staging model, from what the entity says of its columns.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateTable
from sqlalchemy_bigquery import BigQueryDialect

from reporting.entity import Entity, Property
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
CASTS = {"text": None, "number": "numeric", "date": "date", "datetime": "timestamp", "bool": "bool"}


# What no column may be called: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#reserved_keywords
KEYWORDS = frozenset(
    [
        "all",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "assert_rows_modified",
        "at",
        "between",
        "by",
        "case",
        "cast",
        "collate",
        "contains",
        "create",
        "cross",
        "cube",
        "current",
        "default",
        "define",
        "desc",
        "distinct",
        "else",
        "end",
        "enum",
        "escape",
        "except",
        "exclude",
        "exists",
        "extract",
        "false",
        "fetch",
        "following",
        "for",
        "from",
        "full",
        "group",
        "grouping",
        "groups",
        "hash",
        "having",
        "if",
        "ignore",
        "in",
        "inner",
        "intersect",
        "interval",
        "into",
        "is",
        "join",
        "lateral",
        "left",
        "like",
        "limit",
        "lookup",
        "merge",
        "natural",
        "new",
        "no",
        "not",
        "null",
        "nulls",
        "of",
        "on",
        "or",
        "order",
        "outer",
        "over",
        "partition",
        "preceding",
        "proto",
        "qualify",
        "range",
        "recursive",
        "respect",
        "right",
        "rollup",
        "rows",
        "select",
        "set",
        "some",
        "struct",
        "tablesample",
        "then",
        "to",
        "treat",
        "true",
        "unbounded",
        "union",
        "unnest",
        "using",
        "when",
        "where",
        "window",
        "with",
        "within",
    ]
)


class ScaffoldError(Exception):
    """The files cannot be written; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class StagingColumn:
    """A column of a staging model: its name, the SQL of its value, and what it means."""

    name: str
    sql: str
    description: str


def column_name(text: str) -> str:
    """A name as columns and entities are called: letters, digits and single underscores, beginning with a letter.

    It is empty when nothing of `text` is left.
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if name in KEYWORDS:
        return f"{name}_value"
    return f"n_{name}" if name[:1].isdigit() else name


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names with a number after those that are there already."""
    used = set(taken)
    found = []
    for name in names:
        chosen, number = name, 2
        while chosen in used:
            chosen, number = f"{name}_{number}", number + 1
        used.add(chosen)
        found.append(chosen)
    return found


def cast_columns(columns: Mapping[str, Property]) -> list[StagingColumn]:
    """Columns of text as values of what they are expected to hold."""
    return [
        StagingColumn(
            name,
            f"safe_cast({name} as {CASTS[each.kind]}) as {name}" if CASTS[each.kind] else name,
            each.description,
        )
        for name, each in columns.items()
    ]


def uncastable(columns: Mapping[str, Property]) -> StagingColumn:
    """The column that lists what could not be cast."""
    types = {name: CASTS[each.kind] for name, each in columns.items() if CASTS[each.kind]}
    said = ",\n".join(f"            '{name}': '{kind}'" for name, kind in types.items())
    return StagingColumn(
        "uncastable_columns",
        f"{{{{ uncastable({{\n{said}\n        }}) }}}} as uncastable_columns",
        "Columns that hold something which is not of their type.",
    )


def files(
    entity: Entity,
    migrations: Path,
    models: Path,
    revision_prefix: str,
    columns: list[StagingColumn],
    is_castable: bool,
) -> dict[Path, str]:
    """The text of each file: the revision in `migrations`, the others in the folder `models`.

    `columns` are the entity's own columns of the staging model; `is_castable` says that one of them is
    `uncastable_columns`. A revision that is there already for the table is left out. Raises `ScaffoldError`.
    """
    model = f"stg_{entity.source}__{entity.name}"
    made = {
        models / f"{model}.sql": _model(entity, columns),
        models / f"_{entity.source}__{entity.name}__sources.yml": _sources(entity),
        models / f"_{entity.source}__{entity.name}__models.yml": _models(entity, model, columns, is_castable),
    }
    if revision_of(migrations, entity) is None:
        path, text = _revision(entity, migrations, revision_prefix)
        made = {path: text, **made}
    return made


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


def _revision(entity: Entity, migrations: Path, prefix: str) -> tuple[Path, str]:
    scripts = _scripts(migrations)
    heads = scripts.get_heads()
    if len(heads) != 1:
        raise ScaffoldError(
            f"there are {len(heads)} newest revisions ({', '.join(heads)}). Run script/new-entity --join first."
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


def _model(entity: Entity, columns: list[StagingColumn]) -> str:
    lines = ",\n".join(f"        {each.sql}" for each in columns)
    return f"""\
with

source as (

    select * from {{{{ source('{entity.source}', '{entity.name}') }}}}

),

renamed as (

    select
        -- ids
        id as {_id(entity)},

        -- the entity's own
{lines},

        -- state
        _deleted_at is not null as is_deleted,
        _deleted_reason as deleted_reason,

        -- times
        _extracted_at as extracted_at,
        _deleted_at as deleted_at

    from source

)

select * from renamed
"""


def _sources(entity: Entity) -> str:
    dialect = BigQueryDialect()
    columns = "\n".join(
        f"          - {{name: {each.name}, data_type: {_yaml(_type(each, dialect))}, description: {_yaml(each.comment)}}}"
        for each in raw_table(entity, sa.MetaData()).columns
    )
    return f"""\
version: 2

sources:
  - name: {entity.source}
    schema: "{{{{ env_var('REPORTING_DATASET_PREFIX', '') }}}}raw"
    tables:
      - name: {entity.name}
        identifier: {entity.table}
        description: {_yaml(entity.description)}
        config:
          loaded_at_query: |
            select max(committed_at)
            from {{{{ source('ops', 'sync_runs') }}}}
            where source = '{entity.source}' and entity = '{entity.name}' and is_complete
          freshness:
            warn_after: {{count: 1, period: day}}
            error_after: {{count: 3, period: day}}
        columns:
{columns}
"""


def _models(entity: Entity, model: str, columns: list[StagingColumn], is_castable: bool) -> str:
    described = [
        (_id(entity), "Key of the row."),
        *((each.name, each.description) for each in columns),
        ("is_deleted", "Whether the row is gone from its source."),
        ("deleted_reason", "Why it is gone; null while it is there."),
        ("extracted_at", "When the row was last read."),
        ("deleted_at", "When the row was found gone."),
    ]
    lines = "\n".join(f"      - {{name: {name}, description: {_yaml(said)}}}" for name, said in described)
    castable = f"""\
      - castable_values:
          name: {model}_is_castable
          config: {{severity: warn}}
"""
    return f"""\
version: 2

models:
  - name: {model}
    description: {_yaml(f"{entity.description} One row each, tombstones included.")}
    config:
      meta: {{owner: owner}}
    data_tests:
      - valid_rows:
          name: {model}_is_valid
          arguments:
            key: [{_id(entity)}]
            not_null: [extracted_at]
{castable if is_castable else ""}\
    columns:
{lines}
"""


def _id(entity: Entity) -> str:
    return "page_id" if entity.source == "notion" else "record_id"


def _type(each: sa.Column[Any], dialect: BigQueryDialect) -> str:
    return str(each.type.compile(dialect=dialect)).lower()


def _yaml(text: str | None) -> str:
    """A text as YAML takes it in one line; JSON is a part of YAML."""
    return json.dumps(text or "", ensure_ascii=False)
