"""What dbt gets of an entity: its source, a staging model, and their docs and tests."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy_bigquery import BigQueryDialect

from reporting.entity import Entity, Property
from reporting.sources.shapes import repaired
from reporting.warehouse.tables import raw_table

CASTS = {"text": None, "number": "numeric", "date": "date", "datetime": "timestamp", "bool": "bool"}


@dataclass(frozen=True, slots=True)
class StagingColumn:
    """A column of a staging model: its name, the SQL of its value, and what it means."""

    name: str
    sql: str
    description: str


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


def staging_columns(columns: Mapping[str, Property]) -> tuple[list[StagingColumn], bool]:
    """The columns of a staging model for columns of text, and whether one of them lists what could not be cast."""
    if all(CASTS[each.kind] is None for each in columns.values()):
        return cast_columns(columns), False
    return [*cast_columns(columns), uncastable(columns)], True


def model(entity: Entity, columns: list[StagingColumn]) -> str:
    lines = ",\n".join(f"        {each.sql}" for each in columns)
    # What could not be read is in the raw table alone.
    rejects = "\n    where reject_reason is null" if entity.has_rejects else ""
    return f"""\
with

source as (

    select * from {{{{ source('{entity.source}', '{entity.name}') }}}}{rejects}

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


def sources(entity: Entity) -> str:
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
    config: {{loaded_at_query: "{{{{ last_complete_run(source_node) }}}}"}}
    tables:
      - name: {entity.name}
        identifier: {entity.table}
        description: {_yaml(entity.description)}
        columns:
{columns}
"""


def models(entity: Entity, model: str, columns: list[StagingColumn], is_castable: bool) -> str:
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
    """A text as YAML takes it in one line; JSON is a part of YAML. dbt reads Jinja in it, so no brace begins any."""
    return json.dumps(repaired(text or "").replace("{", "{{ '{' }}"), ensure_ascii=False)
