"""The raw tables of Notion's habits and of their targets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy_bigquery import STRUCT

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table
from reporting.warehouse.tables import JSON

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = {
    "daily_habits": "A row a day of the owner's daily habits.",
    "weekly_habits": "A row a week of the owner's weekly habits.",
    "monthly_habits": "A row a month of the owner's monthly habits.",
    "habit_targets": "What the owner wants of each habit, and from when until when.",
}


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def dates() -> list[sa.Column]:
    return [
        column(
            "date_start",
            sa.String(),
            "Start of the row's date as Notion gives it: a date, or a time with offset.",
        ),
        column("date_end", sa.String(), "End of the row's date as Notion gives it, null for a single date."),
        column("date_time_zone", sa.String(), "Time zone of the row's date, null unless the owner set one."),
    ]


def columns(is_dated: bool) -> list[sa.Column]:
    properties = sa.ARRAY(
        STRUCT(("id", sa.String()), ("name", sa.String()), ("type", sa.String()), ("value", JSON()))
    )
    return [
        column("id", sa.String(), "Id of the Notion page: the key.", required=True),
        column("database_id", sa.String(), "Id of the Notion database that holds the row."),
        column("data_source_id", sa.String(), "Id of the data source that the row was read from."),
        column("url", sa.String(), "Address of the page in Notion."),
        column("public_url", sa.String(), "Address of the page if it is published, else null."),
        column("name", sa.String(), "Title of the page as plain text."),
        *(dates() if is_dated else []),
        column("created_time", sa.TIMESTAMP(), "When the page was created, floored to the minute by Notion."),
        column(
            "last_edited_time",
            sa.TIMESTAMP(),
            "When the page was last edited, floored to the minute by Notion.",
        ),
        column("created_by", sa.String(), "Id of the user who created the page."),
        column("last_edited_by", sa.String(), "Id of the user who last edited the page."),
        column(
            "_properties", properties, "The owner's own properties with their whole values, by property id."
        ),
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
            "Start of the sweep that missed the record; null while it is there.",
        ),
        column(
            "_deleted_reason", sa.String(), "trashed, archived, merged or missing; null while it is there."
        ),
        column("_merged_into_id", sa.String(), "Key of the record that this one was merged into."),
    ]


def upgrade() -> None:
    for name, description in TABLES.items():
        op.create_table(
            f"notion__{name}",
            *columns(is_dated=name != "habit_targets"),
            schema=read_settings().dataset("raw"),
            comment=description,
            bigquery_clustering_fields=["id"],
            # DDL is not rolled back: a revision cut off between two tables must be able to begin again.
            if_not_exists=True,
        )


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.notion__{name}")
