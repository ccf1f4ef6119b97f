"""The ledger: one row a committed run."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def upgrade() -> None:
    op.create_table(
        "sync_runs",
        column("run_id", sa.String(), "Name of the read that was loaded: the key.", required=True),
        column("source", sa.String(), "Source that was read.", required=True),
        column("entity", sa.String(), "Entity that was read.", required=True),
        column("refresh", sa.String(), "full (a sweep) or changed (from the cursor).", required=True),
        column("started_at", sa.TIMESTAMP(), "When the read began."),
        column("extracted_at", sa.TIMESTAMP(), "When the read ended."),
        column("committed_at", sa.TIMESTAMP(), "When the load was committed.", required=True),
        column("window_since", sa.TIMESTAMP(), "Start of the window that was read; null for a sweep."),
        column("window_until", sa.TIMESTAMP(), "End of the window that was read."),
        column("cursor_at", sa.TIMESTAMP(), "Where the next changed read may begin."),
        column("rows_read", sa.Integer(), "Records and tombstones read."),
        column("rows_inserted", sa.Integer(), "Rows that were new."),
        column("rows_updated", sa.Integer(), "Rows whose content changed."),
        column("rows_tombstoned", sa.Integer(), "Rows that the source no longer has."),
        column("request_count", sa.Integer(), "Requests sent, retries included."),
        column(
            "duration_seconds",
            sa.Float(),
            "Seconds from the start of the read to the commit, waiting included.",
        ),
        column("is_complete", sa.Boolean(), "Whether the source was read to its end.", required=True),
        column("landing_uri", sa.String(), "Where the answers are kept."),
        schema=read_settings().dataset("ops"),
        comment="The ledger: one row a committed run. The cursor of an entity is its greatest complete cursor_at.",
        bigquery_clustering_fields=["source", "entity"],
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.sync_runs")
