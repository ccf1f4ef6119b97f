"""Who was erased is kept as hashes, so that no read, load or restore brings them back."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def column(name: str, kind: sa.types.TypeEngine, comment: str) -> sa.Column:
    return sa.Column(name, kind, nullable=False, comment=comment)


def upgrade() -> None:
    op.create_table(
        "purged_keys",
        column("key_hash", sa.String(), "SHA-256 of the salt and the key of a record or an e-mail address."),
        column("salt", sa.String(), "What was hashed in front of the key."),
        column("purge_id", sa.String(), "The purge; everything that was erased together has the same."),
        column("purged_at", sa.TIMESTAMP(), "When the purge began."),
        schema=read_settings().dataset("ops"),
        comment="One row a key that was erased for good. Reads, loads and restores leave out what is here.",
        bigquery_clustering_fields=["purge_id"],
        if_not_exists=True,
    )


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('ops')}.purged_keys")
