"""The record of letters: one row a letter that was sent, or is being."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def upgrade() -> None:
    op.create_table(
        "messages_sent",
        column(
            "message_key",
            sa.String(),
            "Which letter it is, as in summary/2026-11-16: the key.",
            required=True,
        ),
        column("run_id", sa.String(), "Run that sends or sent it."),
        column(
            "claimed_at",
            sa.TIMESTAMP(),
            "When that run began to send it; null when it failed and gave it back.",
        ),
        column("sent_at", sa.TIMESTAMP(), "When the mail server had taken it; null until then."),
        column("receiver_count", sa.Integer(), "Receivers that the mail server took it for."),
        column("size_bytes", sa.Integer(), "Size of the message as it travelled."),
        schema=read_settings().dataset("ops"),
        comment="One row a letter that was sent, or is being; with it each is sent once.",
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.messages_sent")
