"""The raw table of the former values of HubSpot's properties."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0031"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME = "hubspot__property_history"


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def columns() -> list[sa.Column]:
    return [
        column(
            "id",
            sa.String(),
            "Type and id of the object, property and time of the change: the key.",
            required=True,
        ),
        column("object_type", sa.String(), "Type of the object, in the plural (contacts, deals)."),
        column("object_id", sa.String(), "Id of the object."),
        column("property", sa.String(), "Internal name of the property."),
        column("value", sa.String(), "Value from then on, as HubSpot gives it; empty where it was cleared."),
        column("changed_at", sa.TIMESTAMP(), "When the property got this value."),
        column("source_type", sa.String(), "What changed it, such as CRM_UI, IMPORT or AUTOMATION_PLATFORM."),
        column("source_id", sa.String(), "Who or what that was, as HubSpot gives it."),
        column("user_id", sa.String(), "Id of the user who changed it; null where nobody did."),
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


def upgrade() -> None:
    op.create_table(
        NAME,
        *columns(),
        *loader_columns(),
        schema=read_settings().dataset("raw"),
        comment="Former and present values of some properties: one row per object, property and change.",
        bigquery_clustering_fields=["id"],
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('raw')}.{NAME}")
