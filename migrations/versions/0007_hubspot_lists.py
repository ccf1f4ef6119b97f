"""The raw tables of HubSpot's owners, pipelines and associations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy_bigquery import STRUCT

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def lifetimes() -> list[sa.Column]:
    return [
        column("created_at", sa.TIMESTAMP(), "When it was created."),
        column("updated_at", sa.TIMESTAMP(), "When it was last modified."),
        column("archived", sa.Boolean(), "Whether it was archived when it was read."),
    ]


def owners() -> list[sa.Column]:
    return [
        column("id", sa.String(), "Id of the owner: the key.", required=True),
        *lifetimes(),
        column("email", sa.String(), "E-mail address of the owner."),
        column("first_name", sa.String(), "First name."),
        column("last_name", sa.String(), "Last name."),
        column("type", sa.String(), "PERSON or QUEUE."),
        column("user_id", sa.String(), "Id of the user; an owner who left has none."),
    ]


def pipelines() -> list[sa.Column]:
    names = ("id", "label", "display_order", "is_closed", "probability", "archived")
    stages = sa.ARRAY(STRUCT(*((name, sa.String()) for name in names)))
    return [
        column("id", sa.String(), "Id of the pipeline: the key.", required=True),
        *lifetimes(),
        column("label", sa.String(), "Name of the pipeline."),
        column("display_order", sa.String(), "Place among the pipelines, as HubSpot gives it."),
        column("stages", stages, "Stages of the pipeline, their values as HubSpot gives them."),
    ]


def associations() -> list[sa.Column]:
    return [
        column(
            "id",
            sa.String(),
            "Types and ids of both sides, category and type of the label: the key.",
            required=True,
        ),
        column("from_type", sa.String(), "Type of the first object, in the plural (contacts, calls)."),
        column("from_id", sa.String(), "Id of the first object."),
        column("to_type", sa.String(), "Type of the second object."),
        column("to_id", sa.String(), "Id of the second object."),
        column("category", sa.String(), "HUBSPOT_DEFINED, USER_DEFINED or INTEGRATOR_DEFINED."),
        column("type_id", sa.String(), "Id of the association's type within its category."),
        column("label", sa.String(), "Label of the association; null for the plain one."),
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
    "owners": ("Users of HubSpot who own objects, those who left included.", owners),
    "pipelines": ("Pipelines of deals with their stages.", pipelines),
    "associations": ("Which objects are associated: one row a pair and label.", associations),
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
