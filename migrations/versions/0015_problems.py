"""The record of what is wrong: one row from when a problem was seen until it was well again."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def upgrade() -> None:
    op.create_table(
        "problems",
        column(
            "problem_key",
            sa.String(),
            "Which problem it is, as in stale/notion.daily_habits; at most one row of a key is not well.",
            required=True,
        ),
        column("kind", sa.String(), "task, dbt, stale, rows, categories, expiry or check.", required=True),
        column("subject", sa.String(), "The problem in one line."),
        column("what", sa.String(), "What happened; of an error its type alone."),
        column("todo", sa.String(), "What to do."),
        column("link", sa.String(), "Where to look, below the address of the web interface."),
        column("dag_id", sa.String(), "DAG whose run saw it last; null where none did."),
        column("first_seen_at", sa.TIMESTAMP(), "When it was first seen.", required=True),
        column("last_seen_at", sa.TIMESTAMP(), "When it was last seen.", required=True),
        column("told_at", sa.TIMESTAMP(), "When a channel had taken the message about it."),
        column("well_at", sa.TIMESTAMP(), "When it was first seen to be well again."),
        column("well_told_at", sa.TIMESTAMP(), "When a channel had taken the message about that."),
        schema=read_settings().dataset("ops"),
        comment="One row a problem, from when it was seen until it is well again; with it each is told once.",
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.problems")
