"""A run's row in the ledger says how often a query met its source's cap on what one returns."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

NAME = "caps_met"
COMMENT = "How often a query met its source's cap on what one returns, and another went on."


def ledger() -> str:
    return f"`{read_settings().dataset('ops')}.sync_runs`"


def upgrade() -> None:
    # Alembic's own operation cannot be repeated after a revision that was cut off.
    kind = sa.Integer().compile(dialect=op.get_bind().dialect)
    op.execute(f"ALTER TABLE {ledger()} ADD COLUMN IF NOT EXISTS {NAME} {kind}")
    op.get_bind().exec_driver_sql(
        f'ALTER TABLE {ledger()} ALTER COLUMN {NAME} SET OPTIONS (description = "{COMMENT}")'
    )


def downgrade() -> None:
    drop_column(op, f"{read_settings().dataset('ops')}.sync_runs", NAME)
