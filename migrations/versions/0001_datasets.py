"""The datasets: raw (as received), ops (the ledger), staging and marts (built by dbt)."""

from alembic import op

from reporting.settings import read_settings

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DATASETS = {
    "raw": "Records as their sources gave them; one table an entity. Nothing here can be made again.",
    "ops": "The ledger of what was loaded, and the version of the schema.",
    "staging": "Views over raw: renamed and typed. Built by dbt.",
    "marts": "What people query. Built by dbt.",
}


def upgrade() -> None:
    settings = read_settings()
    for name, description in DATASETS.items():
        dataset = settings.dataset(name)
        op.execute(f"CREATE SCHEMA IF NOT EXISTS `{dataset}` OPTIONS (location = '{settings.location}')")
        op.execute(f"ALTER SCHEMA `{dataset}` SET OPTIONS (description = '{description}')")


def downgrade() -> None:
    settings = read_settings()
    # ops stays: it holds Alembic's own version.
    for name in ("marts", "staging"):
        op.execute(f"DROP SCHEMA IF EXISTS `{settings.dataset(name)}` CASCADE")
    op.execute(f"DROP SCHEMA IF EXISTS `{settings.dataset('raw')}`")
