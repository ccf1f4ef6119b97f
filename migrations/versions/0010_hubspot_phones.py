"""HubSpot's telephone numbers get their E.164 form, by which people are matched.

Only the loader knows the plans of every country, so that rows from before are completed by the next sweep.
"""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = ("phone_e164", "mobilephone_e164")
COMMENT = "The number in its E.164 form; null where its country cannot be told."


def table() -> str:
    return f"`{read_settings().dataset('raw')}.hubspot__contacts`"


def upgrade() -> None:
    # Alembic's own operation cannot be repeated after a revision that was cut off.
    kind = sa.String().compile(dialect=op.get_bind().dialect)
    for name in COLUMNS:
        op.execute(f"ALTER TABLE {table()} ADD COLUMN IF NOT EXISTS {name} {kind}")
        op.execute(f"ALTER TABLE {table()} ALTER COLUMN {name} SET OPTIONS (description = '{COMMENT}')")


def downgrade() -> None:
    for name in reversed(COLUMNS):
        drop_column(op, f"{read_settings().dataset('raw')}.hubspot__contacts", name)
