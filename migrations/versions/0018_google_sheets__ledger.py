"""The raw table google_sheets__ledger."""

from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NAME = "google_sheets__ledger"
# `raw` is the dataset's name without this environment's prefix.
TABLE = """CREATE TABLE IF NOT EXISTS `raw`.`google_sheets__ledger` (
    `id` STRING NOT NULL OPTIONS(description='Cell of the column `id`, or a hash of the row and its number among equal ones: the key.'),
    `date` STRING OPTIONS(description='Day of the income or expense, ISO 8601 where it can be read.'),
    `description` STRING OPTIONS(description='What it was, as typed.'),
    `category` STRING OPTIONS(description='Category, as typed.'),
    `account` STRING OPTIONS(description='Account or purse, as typed.'),
    `amount` STRING OPTIONS(description='Amount, an expense below zero; plain digits where it can be read.'),
    `_payload` JSON OPTIONS(description='The record as received.'),
    `_source_updated_at` TIMESTAMP OPTIONS(description='When the source says that the record last changed.'),
    `_content_hash` STRING OPTIONS(description="SHA-256 of the record's content; equal means nothing changed."),
    `_first_seen_at` TIMESTAMP OPTIONS(description='When the row was first loaded.'),
    `_extracted_at` TIMESTAMP OPTIONS(description='Time of the latest read of the record, changed or not.'),
    `_loaded_at` TIMESTAMP OPTIONS(description='When the content was last changed by a load.'),
    `_run_id` STRING OPTIONS(description='The run that last changed the content.'),
    `_deleted_at` TIMESTAMP OPTIONS(description='When the source deleted the record, or the start of the sweep that missed it; null while it is there.'),
    `_deleted_reason` STRING OPTIONS(description='trashed, archived, merged or missing; null while it is there.'),
    `_merged_into_id` STRING OPTIONS(description='Key of the record that this one was merged into.')
) CLUSTER BY id
OPTIONS(description='Incomes and expenses, a row each, in a tab of Google Sheets.')"""


def upgrade() -> None:
    sql = TABLE.replace("`raw`", f"`{read_settings().dataset('raw')}`")
    # As it is: in text that SQLAlchemy looks into, a colon may begin a parameter.
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('raw')}.{NAME}")
