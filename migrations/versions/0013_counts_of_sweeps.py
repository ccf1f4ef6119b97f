"""A sweep's row in the ledger says how many records lived in the source, and how many rows in the table after it."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = {
    "rows_in_source": "Records that a sweep found living in the source; null where it read what the one before it had read.",
    "rows_in_warehouse": "Rows that lived in the raw table once that sweep was loaded.",
}


def ledger() -> str:
    return f"`{read_settings().dataset('ops')}.sync_runs`"


def upgrade() -> None:
    # Alembic's own operation cannot be repeated after a revision that was cut off.
    kind = sa.Integer().compile(dialect=op.get_bind().dialect)
    for name, comment in COLUMNS.items():
        op.execute(f"ALTER TABLE {ledger()} ADD COLUMN IF NOT EXISTS {name} {kind}")
        op.execute(f"ALTER TABLE {ledger()} ALTER COLUMN {name} SET OPTIONS (description = '{comment}')")


def downgrade() -> None:
    for name in reversed(COLUMNS):
        drop_column(op, f"{read_settings().dataset('ops')}.sync_runs", name)
