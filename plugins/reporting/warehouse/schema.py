"""Moves the warehouse's schema up and down its Alembic revisions. The DAG, the demo and the tests all use this module."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import to_tuple
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.settings import EMULATOR_HOST, ROOT, Settings
from reporting.warehouse.client import with_parameters

logger = logging.getLogger(__name__)


class DiscardError(Exception):
    """A downgrade would drop rows or values."""


class RevisionError(Exception):
    """This code does not have the revision that was named."""


def migrations(client: bigquery.Client, discard: bool = False) -> Config:
    """Alembic's configuration for `client`. With `discard` a downgrade may drop tables and columns that are not empty."""
    config = Config(ROOT / "alembic.ini")
    config.attributes["client"] = client
    config.attributes["discard"] = discard
    return config


def upgrade(client: bigquery.Client, revision: str = "head", settings: Settings | None = None) -> None:
    """Upgrade the warehouse to `revision`. Repeating it changes nothing.

    The warehouse is the one in `settings`, or without them the one in the process's environment.
    """
    with _environment(settings):
        command.upgrade(migrations(client), revision)


def knows(client: bigquery.Client, revision: str) -> bool:
    """Whether this code has the revision `revision`."""
    scripts = ScriptDirectory.from_config(migrations(client))
    return revision in {each.revision for each in scripts.walk_revisions()}


def head(client: bigquery.Client) -> str:
    """The newest revision of this code."""
    return str(ScriptDirectory.from_config(migrations(client)).get_current_head())


def current(config: Config) -> tuple[str, ...]:
    """The revisions of the warehouse: usually one, none before the first upgrade, several if branches were not merged."""
    found: list[str] = []

    def note(revisions: Any, _: Any) -> list[Any]:
        found.extend(revisions)
        return []

    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=note, dont_mutate=True):
        scripts.run_env()
    return tuple(found)


def is_older(config: Config, revision: str, than: tuple[str, ...]) -> bool:
    """Whether going from the revisions `than` to `revision` (or `head` or `base`) is a downgrade.

    Raises `RevisionError` for a revision that this code does not have.
    """
    scripts = ScriptDirectory.from_config(config)
    known = [each.revision for each in scripts.walk_revisions()]
    if unknown := [each for each in than if each not in known]:
        raise RevisionError(
            f"the warehouse has the revision {', '.join(unknown)}, which this code does not have: a newer version of the "
            "project made it. Install that version, and run this again."
        )
    if revision not in ("head", "base", *known):
        raise RevisionError(
            f"there is no revision '{revision}'; this code has {', '.join(reversed(known))}. Name one of them, head for the "
            "newest, or base for none."
        )
    if revision == "base":
        return bool(than)
    return revision in {each.revision for each in scripts.iterate_revisions(than, "base")} - set(than)


def before(config: Config, revision: str) -> list[str]:
    """The revisions directly before `revision`: several if it merges branches; `base` before the first."""
    found = ScriptDirectory.from_config(config).get_revision(revision)
    return list(to_tuple(found and found.down_revision, default=("base",)))


@contextmanager
def _environment(settings: Settings | None) -> Iterator[None]:
    """Put `settings` into the process's environment for a while, since the revisions read them there."""
    before = dict(os.environ)
    if settings:
        os.environ["REPORTING_BIGQUERY_PROJECT"] = settings.project
        os.environ["REPORTING_BIGQUERY_LOCATION"] = settings.location
        os.environ["REPORTING_DATASET_PREFIX"] = settings.dataset_prefix
        # An empty address means the real BigQuery.
        os.environ |= {EMULATOR_HOST: ""} | settings.emulator_variables()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def downgrade(
    client: bigquery.Client, revision: str, discard: bool = False, settings: Settings | None = None
) -> None:
    """Downgrade the warehouse to `revision`. Raises `DiscardError` before it would drop rows or values, unless `discard`."""
    with _environment(settings):
        command.downgrade(migrations(client, discard), revision)


def keep_one_version(client: bigquery.Client, dataset: str, scripts: ScriptDirectory) -> None:
    """If the table of Alembic's revision has several rows, keep only the newest, provided that they are on one branch.

    Two instances that start at the same time may each write a row, since BigQuery does not enforce keys. Alembic would then
    think that the warehouse is on two branches, and refuse every upgrade.
    """
    table = f"{dataset}.alembic_version"
    try:
        found = [row["version_num"] for row in client.query_and_wait(f"SELECT version_num FROM `{table}`")]
    except NotFound:
        return
    if len(found) < 2:
        return
    # Alembic lists revisions from the newest to the oldest.
    known = [each.revision for each in scripts.walk_revisions() if each.revision in found]
    if set(known) != set(found):
        # A newer version of the code wrote a revision that this code does not know: that one is the newest.
        unknown = sorted(set(found) - set(known))
        if len(unknown) > 1:
            return
        known = unknown
    logger.warning("%s has %d rows, of which %s is kept.", table, len(found), known[0])
    sql = f"""
        MERGE `{table}` T USING (SELECT @version AS version_num) S ON FALSE
        WHEN NOT MATCHED BY TARGET THEN INSERT (version_num) VALUES (S.version_num)
        WHEN NOT MATCHED BY SOURCE THEN DELETE
    """
    client.query_and_wait(sql, job_config=with_parameters(version=known[0]))


def drop_table(op: Any, table: str) -> None:
    """Drop `table` (dataset.name) in a downgrade. Raises `DiscardError` if it has rows and the caller does not discard them.

    On Alembic's command line the option is `-x discard=yes`.
    """
    _refuse_loss(op, table)
    op.execute(f"DROP TABLE IF EXISTS `{table}`")


def drop_column(op: Any, table: str, column: str) -> None:
    """Drop `column` of `table` (dataset.name) in a downgrade. Raises `DiscardError` if it has values that are not to be
    discarded."""
    _refuse_loss(op, table, column)
    op.execute(f"ALTER TABLE `{table}` DROP COLUMN IF EXISTS {column}")


def _refuse_loss(op: Any, table: str, column: str | None = None) -> None:
    config = op.get_context().config
    if config.attributes.get("discard") or "discard=yes" in (getattr(config.cmd_opts, "x", None) or []):
        return
    dataset, name = table.split(".")
    inspector = sa.inspect(op.get_bind())
    # An interrupted downgrade may have dropped the table or the column already.
    if not inspector.has_table(name, dataset):
        return
    if column is not None and column not in {each["name"] for each in inspector.get_columns(name, dataset)}:
        return
    count = op.get_bind().exec_driver_sql(f"SELECT COUNT({column or '*'}) FROM `{table}`").scalar()
    if count:
        held = f"{count} rows" if column is None else f"{count} values in the column {column}"
        raise DiscardError(
            f"{table} holds {held}, and the downgrade would drop them. Make a backup first. Then allow it with the parameter "
            "discard of the DAG ops_warehouse__schema__upgrade, or with -x discard=yes on the command line."
        )
