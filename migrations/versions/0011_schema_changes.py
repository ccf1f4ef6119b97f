"""What changes in a source's own schema is recorded; the ledger knows the schema of a run, and replays."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column, drop_table

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BEFORE = "full (a sweep) or changed (from the cursor)."
AFTER = "full (a sweep), changed (from the cursor) or replay (an earlier landing)."
DIGEST = "Digest of the schema that the source had, when its changes were recorded."


def ledger() -> str:
    return f"`{read_settings().dataset('ops')}.sync_runs`"


def column(name: str, kind: sa.types.TypeEngine, comment: str, required: bool = False) -> sa.Column:
    return sa.Column(name, kind, nullable=not required, comment=comment)


def describe(name: str, comment: str) -> None:
    op.execute(f"ALTER TABLE {ledger()} ALTER COLUMN {name} SET OPTIONS (description = '{comment}')")


def upgrade() -> None:
    op.create_table(
        "schema_changes",
        column(
            "change_id", sa.String(), "Digest of the change and of the one before it: the key.", required=True
        ),
        column("source", sa.String(), "Source whose schema it is.", required=True),
        column("entity", sa.String(), "Entity whose schema it is.", required=True),
        column(
            "property_id",
            sa.String(),
            "Id of the property in its source, which a new name leaves.",
            required=True,
        ),
        column(
            "change",
            sa.String(),
            "first (there at the first read), new, renamed, retyped, renamed and retyped, or gone.",
        ),
        column("name_before", sa.String(), "Name of the property before; null for a new one."),
        column("name_after", sa.String(), "Name of the property after; null for one that is gone."),
        column("type_before", sa.String(), "Type of the property in the source before."),
        column("type_after", sa.String(), "Type of the property in the source after."),
        column("first_seen_at", sa.TIMESTAMP(), "Start of the first read that saw it.", required=True),
        column("run_id", sa.String(), "That read, in ops.sync_runs."),
        schema=read_settings().dataset("ops"),
        comment="One row a change of a property in a source. The latest row of a property is how it is now.",
        bigquery_clustering_fields=["source", "entity"],
        if_not_exists=True,
    )
    op.execute(f"ALTER TABLE {ledger()} ADD COLUMN IF NOT EXISTS schema_digest STRING")
    describe("schema_digest", DIGEST)
    describe("refresh", AFTER)


def downgrade() -> None:
    describe("refresh", BEFORE)
    drop_column(op, f"{read_settings().dataset('ops')}.sync_runs", "schema_digest")
    drop_table(op, f"{read_settings().dataset('ops')}.schema_changes")
