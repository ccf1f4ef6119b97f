"""The ledger keeps the sync tokens of sources that have them."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COMMENT = "Where the source itself says that the next changed read begins; null where it does not."


def table() -> str:
    return f"`{read_settings().dataset('ops')}.sync_runs`"


def upgrade() -> None:
    # Alembic's own operation cannot be repeated after a revision that was cut off.
    kind = sa.String().compile(dialect=op.get_bind().dialect)
    op.execute(f"ALTER TABLE {table()} ADD COLUMN IF NOT EXISTS sync_token {kind}")
    op.execute(f"ALTER TABLE {table()} ALTER COLUMN sync_token SET OPTIONS (description = '{COMMENT}')")


def downgrade() -> None:
    drop_column(op, f"{read_settings().dataset('ops')}.sync_runs", "sync_token")
