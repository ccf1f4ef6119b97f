"""The record of dbt builds: one row a successful build."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dbt_builds",
        sa.Column("build_id", sa.String(), nullable=False, comment="Name of the build: the key."),
        sa.Column(
            "refresh", sa.String(), comment="full (every model) or changed (what changed sources feed)."
        ),
        sa.Column("started_at", sa.TIMESTAMP(), comment="When the build was planned."),
        sa.Column(
            "committed_at",
            sa.TIMESTAMP(),
            nullable=False,
            comment="When its last model was built and tested.",
        ),
        sa.Column(
            "run_ids",
            sa.ARRAY(sa.String()),
            comment="The runs in ops.sync_runs whose changes this build was the first to take in.",
        ),
        schema=read_settings().dataset("ops"),
        comment="One row a successful dbt build. A run in no row here has changed raw and not yet reached the marts.",
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.dbt_builds")
