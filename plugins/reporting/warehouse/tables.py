"""Describes every table that this project creates. Tests compare the migrations, the loader and dbt's sources with it."""

from typing import Any

import sqlalchemy as sa

from reporting.entity import Entity
from reporting.sources.columns import JSON, column
from reporting.sources.registry import ENTITIES, SOURCES
from reporting.warehouse.ops_tables import OPS_TABLES

# The MERGE computes these columns, so a stage table does not have them.
MERGED_COLUMNS = ("_first_seen_at", "_loaded_at", "_run_id")


def loader_columns() -> list[sa.Column[Any]]:
    """The columns that the loader adds to every raw table."""
    return [
        column("_payload", JSON(), "The record as received."),
        column("_source_updated_at", sa.TIMESTAMP(), "When the source says that the record last changed."),
        column("_content_hash", sa.String(), "SHA-256 of the record's content; equal means nothing changed."),
        column("_first_seen_at", sa.TIMESTAMP(), "When the row was first loaded."),
        column("_extracted_at", sa.TIMESTAMP(), "Time of the latest read of the record, changed or not."),
        column("_loaded_at", sa.TIMESTAMP(), "When the content was last changed by a load."),
        column("_run_id", sa.String(), "The run that last changed the content."),
        column(
            "_deleted_at",
            sa.TIMESTAMP(),
            "When the source deleted the record, or the start of the sweep that missed it; null while it is there.",
        ),
        column(
            "_deleted_reason", sa.String(), "trashed, archived, merged or missing; null while it is there."
        ),
        column("_merged_into_id", sa.String(), "Key of the record that this one was merged into."),
    ]


def raw_table(entity: Entity, metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the raw table of `entity` in `metadata`."""
    return sa.Table(
        entity.table,
        metadata,
        *SOURCES[entity.source].rows.columns(entity),
        *loader_columns(),
        schema=f"{prefix}raw",
        comment=entity.description,
        bigquery_clustering_fields=["id"],
    )


def describe(prefix: str = "") -> sa.MetaData:
    """Every table of the project, with the datasets' names prefixed by `prefix`."""
    metadata = sa.MetaData()
    for entity in ENTITIES:
        raw_table(entity, metadata, prefix)
    for table in OPS_TABLES:
        table(metadata, prefix)
    return metadata
