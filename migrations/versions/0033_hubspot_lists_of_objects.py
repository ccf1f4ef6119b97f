"""The raw tables of HubSpot's lists and what is in them."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def lists() -> list[sa.Column]:
    return [
        column("id", sa.String(), "Id of the list: the key.", required=True),
        column("created_at", sa.TIMESTAMP(), "When the list was created."),
        column("updated_at", sa.TIMESTAMP(), "When the list was last modified."),
        column("name", sa.String(), "Name of the list."),
        column(
            "object_type_id",
            sa.String(),
            "Type of the objects in it, as HubSpot numbers types: 0-1 is contacts.",
        ),
        column("processing_type", sa.String(), "MANUAL, DYNAMIC or SNAPSHOT."),
        column("size", sa.String(), "How many objects are in it, as HubSpot gives it."),
    ]


def list_memberships() -> list[sa.Column]:
    return [
        column("id", sa.String(), "Ids of list and object: the key.", required=True),
        column("list_id", sa.String(), "Id of the list."),
        column(
            "object_type",
            sa.String(),
            "Type of the object, in the plural; HubSpot's number of the type if it is not read.",
        ),
        column("object_id", sa.String(), "Id of the object."),
        column("member_since", sa.TIMESTAMP(), "When the object came into the list."),
    ]


def loader_columns() -> list[sa.Column]:
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


TABLES = {
    "lists": ("Lists of contacts, companies and other objects, which HubSpot calls segments, too.", lists),
    "list_memberships": ("Which objects are in a list: one row per list and object.", list_memberships),
}


def upgrade() -> None:
    for name, (description, columns) in TABLES.items():
        op.create_table(
            f"hubspot__{name}",
            *columns(),
            *loader_columns(),
            schema=read_settings().dataset("raw"),
            comment=description,
            bigquery_clustering_fields=["id"],
            if_not_exists=True,
        )


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.hubspot__{name}")
