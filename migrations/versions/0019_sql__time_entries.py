"""The raw table sql__time_entries."""

from alembic import op

from reporting.settings import read_settings
from reporting.warehouse.schema import drop_table

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NAME = "sql__time_entries"
# `raw` is the dataset's name without this environment's prefix.
TABLE = """CREATE TABLE IF NOT EXISTS `raw`.`sql__time_entries` (
    `id` STRING NOT NULL OPTIONS(description='The key.'),
    `project` STRING OPTIONS(description='Project that was worked on.'),
    `task` STRING OPTIONS(description='What was done.'),
    `started_at` STRING OPTIONS(description='When it was begun; UTC where the database says no offset.'),
    `minutes` STRING OPTIONS(description='How long it took, in minutes.'),
    `is_billable` STRING OPTIONS(description='Whether somebody pays for it.'),
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
OPTIONS(description='What the owner worked on and how long, from a table of a database.')"""


def upgrade() -> None:
    sql = TABLE.replace("`raw`", f"`{read_settings().dataset('raw')}`")
    # As it is: in text that SQLAlchemy looks into, a colon may begin a parameter.
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    drop_table(op, f"{read_settings().dataset('raw')}.{NAME}")
