"""The raw tables of HubSpot's tickets, products and line items."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.sources.columns import JSON
from reporting.warehouse.schema import drop_table

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# Description and properties of each table; a property's column is text whatever its type.
TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "tickets": (
        "Tickets of HubSpot's service hub.",
        {
            "subject": "Subject of the ticket.",
            "content": "Description of the ticket.",
            "hs_pipeline": "Id of the pipeline.",
            "hs_pipeline_stage": "Id of the stage.",
            "hs_ticket_priority": "Priority, by internal name.",
            "hs_ticket_category": "Category, by internal name.",
            "source_type": "Channel by which it came, by internal name.",
            "closed_date": "When it was closed, as HubSpot gives it.",
            "hubspot_owner_id": "Id of the owner.",
            "hs_merged_object_ids": "Ids of the objects that were merged into this one, with semicolons.",
        },
    ),
    "products": (
        "Products of HubSpot's library.",
        {
            "name": "Name of the product.",
            "description": "Description of the product.",
            "hs_sku": "Number of the article.",
            "price": "Price of one, as HubSpot gives it.",
            "hs_cost_of_goods_sold": "What one costs, as HubSpot gives it.",
        },
    ),
    "line_items": (
        "Lines of deals and quotes: which product, how many, at what price.",
        {
            "name": "Name of what is sold.",
            "hs_product_id": "Id of the product; null where it is none of the library.",
            "hs_sku": "Number of the article.",
            "quantity": "How many, as HubSpot gives it.",
            "price": "Price of one, as HubSpot gives it.",
            "discount": "Discount on the price, as HubSpot gives it.",
            "amount": "Price of all, as HubSpot gives it.",
        },
    ),
}


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def columns(properties: dict[str, str]) -> list[sa.Column]:
    return [
        column("id", sa.String(), "Id of the object in HubSpot: the key.", required=True),
        column("created_at", sa.TIMESTAMP(), "When the object was created."),
        column("updated_at", sa.TIMESTAMP(), "When the object was last modified."),
        column("archived", sa.Boolean(), "Whether the object was in the recycling bin when it was read."),
        column("archived_at", sa.TIMESTAMP(), "When the object was put into the recycling bin."),
        *(column(name, sa.String(), description) for name, description in properties.items()),
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
    for name, (description, properties) in TABLES.items():
        op.create_table(
            f"hubspot__{name}",
            *columns(properties),
            *loader_columns(),
            schema=read_settings().dataset("raw"),
            comment=description,
            bigquery_clustering_fields=["id"],
            if_not_exists=True,
        )


def downgrade() -> None:
    for name in reversed(TABLES):
        drop_table(op, f"{read_settings().dataset('raw')}.hubspot__{name}")
