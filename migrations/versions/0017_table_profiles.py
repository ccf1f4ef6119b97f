"""Profiles of the raw tables are kept, so that it shows what a source gives less of than before."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def upgrade() -> None:
    op.create_table(
        "table_profiles",
        column(
            "table_name", sa.String(), "Raw table: the key, with column_name and profiled_at.", required=True
        ),
        column("column_name", sa.String(), "Column of the table.", required=True),
        column("profiled_at", sa.TIMESTAMP(), "When the profile was begun.", required=True),
        column("kind", sa.String(), "text, number, date, time, boolean or list."),
        column("row_count", sa.Integer(), "Rows that lived in the table."),
        column("deleted_count", sa.Integer(), "Rows beside them that the source had deleted."),
        column(
            "null_count", sa.Integer(), "Living rows with nothing in the column; of a list, an empty one."
        ),
        column("distinct_count", sa.Integer(), "Different values, about; null for a list."),
        column("minimum", sa.String(), "Least value as text; of texts and lists the least length."),
        column("maximum", sa.String(), "Greatest value as text; of texts and lists the greatest length."),
        schema=read_settings().dataset("ops"),
        comment="One row a column of a profile of a raw table. No value of a text is in it.",
        bigquery_clustering_fields=["table_name"],
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.table_profiles")
