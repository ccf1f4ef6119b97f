"""Applies the Alembic revisions: the one function that the DAG, the demo and the tests call."""

from typing import Any

from alembic import command
from alembic.config import Config
from google.cloud import bigquery

from reporting.settings import ROOT


class DiscardError(Exception):
    """A downgrade would drop rows."""


def migrations(client: bigquery.Client, discard: bool = False) -> Config:
    """Alembic's configuration for `client`; `discard` lets a downgrade drop tables that hold rows."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["client"] = client
    config.attributes["discard"] = discard
    return config


def upgrade(client: bigquery.Client, revision: str = "head") -> None:
    """Bring the warehouse to `revision`. Repeating it changes nothing."""
    command.upgrade(migrations(client), revision)


def downgrade(client: bigquery.Client, revision: str, discard: bool = False) -> None:
    """Take the warehouse back to `revision`. Raises `DiscardError` rather than drop rows, unless `discard`."""
    command.downgrade(migrations(client, discard), revision)


def drop_table(op: Any, table: str) -> None:
    """Drop `table` (dataset.name) for a downgrade, if it holds no rows or the caller wants them discarded.

    On the command line the wish is `-x discard=yes`.
    """
    context = op.get_context()
    config = context.config
    wants = config.attributes.get("discard") or "discard=yes" in (getattr(config.cmd_opts, "x", None) or [])
    if not wants:
        count = op.get_bind().exec_driver_sql(f"SELECT COUNT(*) FROM `{table}`").scalar()
        if count:
            raise DiscardError(
                f"{table} holds {count} rows, and the downgrade drops it. Allow it with -x discard=yes."
            )
    op.execute(f"DROP TABLE IF EXISTS `{table}`")
