"""Applies the Alembic revisions: the one function that the DAG, the demo and the tests call."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from google.cloud import bigquery

from reporting.settings import EMULATOR_HOST, ROOT, Settings


class DiscardError(Exception):
    """A downgrade would drop rows."""


def migrations(client: bigquery.Client, discard: bool = False) -> Config:
    """Alembic's configuration for `client`; `discard` lets a downgrade drop tables that hold rows."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["client"] = client
    config.attributes["discard"] = discard
    return config


def upgrade(client: bigquery.Client, revision: str = "head", settings: Settings | None = None) -> None:
    """Bring the warehouse to `revision`. Repeating it changes nothing.

    It is the one of `settings`, or without them the one of the process's environment.
    """
    with _environment(settings):
        command.upgrade(migrations(client), revision)


def knows(client: bigquery.Client, revision: str) -> bool:
    """Whether this code has that revision."""
    scripts = ScriptDirectory.from_config(migrations(client))
    return revision in {each.revision for each in scripts.walk_revisions()}


def head(client: bigquery.Client) -> str:
    """The newest revision of this code."""
    return str(ScriptDirectory.from_config(migrations(client)).get_current_head())


@contextmanager
def _environment(settings: Settings | None) -> Iterator[None]:
    """The revisions read the settings from the process's environment, as Airflow's operator has them do."""
    before = dict(os.environ)
    if settings:
        os.environ["REPORTING_BIGQUERY_PROJECT"] = settings.project
        os.environ["REPORTING_BIGQUERY_LOCATION"] = settings.location
        os.environ["REPORTING_DATASET_PREFIX"] = settings.dataset_prefix
        # An empty address is that of the real one.
        os.environ |= {EMULATOR_HOST: ""} | settings.emulator_variables()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def downgrade(
    client: bigquery.Client, revision: str, discard: bool = False, settings: Settings | None = None
) -> None:
    """Take the warehouse back to `revision`. Raises `DiscardError` rather than drop rows, unless `discard`."""
    with _environment(settings):
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
