"""Every table that this project creates, in one place: migrations, loader and dbt sources are tested against it.

The types are sqlalchemy-bigquery's. REQUIRED cannot be added to a column later, so only keys are.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType
from sqlalchemy_bigquery import STRUCT

from reporting.entities import ENTITIES, Entity


class JSON(UserDefinedType[Any]):
    """BigQuery's JSON, which sqlalchemy-bigquery has no type for."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "JSON"


PROPERTIES = sa.ARRAY(
    STRUCT(("id", sa.String()), ("name", sa.String()), ("type", sa.String()), ("value", JSON()))
)

# Written by the MERGE, and so not in a stage table.
MERGED_COLUMNS = ("_first_seen_at", "_loaded_at", "_run_id")


def _column(
    name: str, kind: sa.types.TypeEngine[Any], comment: str, required: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def notion_columns(entity: Entity) -> list[sa.Column[Any]]:
    """What every Notion page has, whatever properties its owner made up."""
    dates = [
        _column(
            "date_start",
            sa.String(),
            "Start of the row's date as Notion gives it: a date, or a time with offset.",
        ),
        _column("date_end", sa.String(), "End of the row's date as Notion gives it, null for a single date."),
        _column("date_time_zone", sa.String(), "Time zone of the row's date, null unless the owner set one."),
    ]
    return [
        _column("id", sa.String(), "Id of the Notion page: the key.", required=True),
        _column("database_id", sa.String(), "Id of the Notion database that holds the row."),
        _column("data_source_id", sa.String(), "Id of the data source that the row was read from."),
        _column("url", sa.String(), "Address of the page in Notion."),
        _column("public_url", sa.String(), "Address of the page if it is published, else null."),
        _column("name", sa.String(), "Title of the page as plain text."),
        *(dates if entity.is_dated else []),
        _column(
            "created_time", sa.TIMESTAMP(), "When the page was created, floored to the minute by Notion."
        ),
        _column(
            "last_edited_time",
            sa.TIMESTAMP(),
            "When the page was last edited, floored to the minute by Notion.",
        ),
        _column("created_by", sa.String(), "Id of the user who created the page."),
        _column("last_edited_by", sa.String(), "Id of the user who last edited the page."),
        _column(
            "_properties", PROPERTIES, "The owner's own properties with their whole values, by property id."
        ),
    ]


def loader_columns() -> list[sa.Column[Any]]:
    """What the loader adds to every raw table."""
    return [
        _column("_payload", JSON(), "The record as received."),
        _column("_source_updated_at", sa.TIMESTAMP(), "When the source says that the record last changed."),
        _column(
            "_content_hash", sa.String(), "SHA-256 of the record's content; equal means nothing changed."
        ),
        _column("_first_seen_at", sa.TIMESTAMP(), "When the row was first loaded."),
        _column("_extracted_at", sa.TIMESTAMP(), "Time of the latest read of the record, changed or not."),
        _column("_loaded_at", sa.TIMESTAMP(), "When the content was last changed by a load."),
        _column("_run_id", sa.String(), "The run that last changed the content."),
        _column(
            "_deleted_at",
            sa.TIMESTAMP(),
            "Start of the sweep that missed the record; null while it is there.",
        ),
        _column(
            "_deleted_reason", sa.String(), "trashed, archived, merged or missing; null while it is there."
        ),
        _column("_merged_into_id", sa.String(), "Key of the record that this one was merged into."),
    ]


def raw_table(entity: Entity, metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the raw table of `entity` in `metadata`."""
    return sa.Table(
        entity.table,
        metadata,
        *notion_columns(entity),
        *loader_columns(),
        schema=f"{prefix}raw",
        comment=entity.description,
        bigquery_clustering_fields=["id"],
    )


def sync_runs(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the ledger in `metadata`: one row a committed run."""
    return sa.Table(
        "sync_runs",
        metadata,
        _column("run_id", sa.String(), "Name of the read that was loaded: the key.", required=True),
        _column("source", sa.String(), "Source that was read.", required=True),
        _column("entity", sa.String(), "Entity that was read.", required=True),
        _column("refresh", sa.String(), "full (a sweep) or changed (from the cursor).", required=True),
        _column("started_at", sa.TIMESTAMP(), "When the read began."),
        _column("extracted_at", sa.TIMESTAMP(), "When the read ended."),
        _column("committed_at", sa.TIMESTAMP(), "When the load was committed.", required=True),
        _column("window_since", sa.TIMESTAMP(), "Start of the window that was read; null for a sweep."),
        _column("window_until", sa.TIMESTAMP(), "End of the window that was read."),
        _column("cursor_at", sa.TIMESTAMP(), "Where the next changed read may begin."),
        _column("rows_read", sa.Integer(), "Records and tombstones read."),
        _column("rows_inserted", sa.Integer(), "Rows that were new."),
        _column("rows_updated", sa.Integer(), "Rows whose content changed."),
        _column("rows_tombstoned", sa.Integer(), "Rows that the source no longer has."),
        _column("request_count", sa.Integer(), "Requests sent, retries included."),
        _column(
            "duration_seconds",
            sa.Float(),
            "Seconds from the start of the read to the commit, waiting included.",
        ),
        _column("is_complete", sa.Boolean(), "Whether the source was read to its end.", required=True),
        _column("landing_uri", sa.String(), "Where the answers are kept."),
        schema=f"{prefix}ops",
        comment="The ledger: one row a committed run. The cursor of an entity is its greatest complete cursor_at.",
        bigquery_clustering_fields=["source", "entity"],
    )


def dbt_builds(metadata: sa.MetaData, prefix: str = "") -> sa.Table:
    """Describe the record of dbt builds in `metadata`: one row a successful build."""
    return sa.Table(
        "dbt_builds",
        metadata,
        _column("build_id", sa.String(), "Name of the build: the key.", required=True),
        _column("refresh", sa.String(), "full (every model) or changed (what changed sources feed)."),
        _column("started_at", sa.TIMESTAMP(), "When the build was planned."),
        _column("committed_at", sa.TIMESTAMP(), "When its last model was built and tested.", required=True),
        _column(
            "run_ids",
            sa.ARRAY(sa.String()),
            "The runs in ops.sync_runs whose changes this build was the first to take in.",
        ),
        schema=f"{prefix}ops",
        comment="One row a successful dbt build. A run in no row here has changed raw and not yet reached the marts.",
    )


def describe(prefix: str = "") -> sa.MetaData:
    """Every table of the project, with the datasets' names prefixed by `prefix`."""
    metadata = sa.MetaData()
    for entity in ENTITIES:
        raw_table(entity, metadata, prefix)
    sync_runs(metadata, prefix)
    dbt_builds(metadata, prefix)
    return metadata
