"""The ledger learns what a sweep read as a whole and what it could not load, and a build which project it built."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = {
    "sync_runs": {
        "rows_rejected": (sa.Integer(), "Records without a key, which cannot be loaded."),
        "content_digest": (
            sa.String(),
            "Digest of everything that a sweep read; equal means that the source did not change in between.",
        ),
    },
    "dbt_builds": {
        "project_digest": (
            sa.String(),
            "Digest of the dbt project that was built; after another one everything is built anew.",
        ),
    },
}

NOTION = ("daily_habits", "weekly_habits", "monthly_habits", "habit_targets")
SWEPT = "Start of the sweep that missed the record; null while it is there."
DELETED = (
    "When the source deleted the record, or the start of the sweep that missed it; null while it is there."
)


def table(name: str) -> str:
    return f"`{read_settings().dataset('ops')}.{name}`"


def describe_deletion(comment: str) -> None:
    for name in NOTION:
        op.execute(
            f"ALTER TABLE `{read_settings().dataset('raw')}.notion__{name}` "
            f"ALTER COLUMN _deleted_at SET OPTIONS (description = '{comment}')"
        )


def upgrade() -> None:
    describe_deletion(DELETED)
    for name, columns in COLUMNS.items():
        for column, (kind, comment) in columns.items():
            # Alembic's own operation cannot be repeated after a revision that was cut off.
            rendered = kind.compile(dialect=op.get_bind().dialect)
            op.execute(f"ALTER TABLE {table(name)} ADD COLUMN IF NOT EXISTS {column} {rendered}")
            op.execute(
                f"ALTER TABLE {table(name)} ALTER COLUMN {column} SET OPTIONS (description = '{comment}')"
            )


def downgrade() -> None:
    describe_deletion(SWEPT)
    for name, columns in COLUMNS.items():
        for column in reversed(columns):
            drop_column(op, f"{read_settings().dataset('ops')}.{name}", column)
