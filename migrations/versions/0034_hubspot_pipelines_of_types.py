"""A pipeline's row says of which type the objects in it are."""

import sqlalchemy as sa
from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_column

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

NAME = "object_type"
COMMENT = "Type of the objects in it, in the plural; null is deals."
TABLE_COMMENTS = (
    "Pipelines of deals with their stages.",
    "Pipelines of deals, and of every other type that has any, with their stages.",
)
KEY_COMMENTS = (
    "Id of the pipeline: the key.",
    "Id of the pipeline, for other types than deals with the type before it: the key.",
)


def table() -> str:
    return f"{read_settings().dataset('raw')}.hubspot__pipelines"


def describe(number: int) -> None:
    run = op.get_bind().exec_driver_sql
    run(f'ALTER TABLE `{table()}` SET OPTIONS (description = "{TABLE_COMMENTS[number]}")')
    run(f'ALTER TABLE `{table()}` ALTER COLUMN id SET OPTIONS (description = "{KEY_COMMENTS[number]}")')


def upgrade() -> None:
    # Alembic's own operation cannot be repeated after a revision that was cut off.
    kind = sa.String().compile(dialect=op.get_bind().dialect)
    op.execute(f"ALTER TABLE `{table()}` ADD COLUMN IF NOT EXISTS {NAME} {kind}")
    op.get_bind().exec_driver_sql(
        f'ALTER TABLE `{table()}` ALTER COLUMN {NAME} SET OPTIONS (description = "{COMMENT}")'
    )
    describe(1)


def downgrade() -> None:
    describe(0)
    drop_column(op, table(), NAME)
