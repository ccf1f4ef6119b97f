"""Restores tables from a backup, even if the warehouse is lost.

The tables are first made in temporary datasets (`{prefix}restoring_raw`, ...): as they were in the backup, and then upgraded
by the newer revisions, which may convert rows. Only then is each table of the warehouse replaced by one statement. So a
damaged copy changes nothing, and an interrupted restore can simply be run again.

The sync log is replaced before the raw tables, and each raw table brings its own rows of the sync log, so that a cursor is
never ahead of the rows.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import replace
from dataclasses import dataclass
from datetime import UTC, datetime

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.backup.backup import (
    DATASETS,
    PURGED,
    REVISIONS,
    STAGE,
    Backup,
    Backups,
    NoBackupError,
    row_counts,
    tables_of,
    taken_at,
)
from reporting.backup.copies import Copy
from reporting.ingest import states
from reporting.ingest import suppression as purged
from reporting.naming import nearest
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from reporting.warehouse import schema
from reporting.warehouse.client import WarehouseError, with_parameters
from reporting.warehouse.transfer import address_of, checksum_of, read_rows, replace_rows

logger = logging.getLogger(__name__)

SYNC_LOG = "ops.sync_runs"
SCRATCH = "restoring_"
# A table that marks datasets as made by a restore. Without it they may belong to a warehouse whose prefix is the same.
MARK = f"{STAGE}restore"


class NewerDataError(WarehouseError):
    """The warehouse has newer rows than the backup, and the user did not allow them to be lost."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A table after the restore. `purged_count` is how many rows were erased again since their people had been purged."""

    table: str
    row_count: int
    purged_count: int


def choose(backups: Backups, at: datetime | None) -> Backup:
    """The latest backup, or the latest that was made before or at `at`. Raises `NoBackupError`."""
    ids = [each for each in backups.ids() if at is None or taken_at(each) <= at]
    if not ids:
        until = f" up to {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
        raise NoBackupError(f"there is no backup{until}. script/restore --list shows those that are there.")
    return backups.read(ids[-1])


def chosen_copies(backup: Backup, tables: Sequence[str]) -> list[Copy]:
    """The copies of `tables` (`raw.hubspot__contacts`, or without the dataset), or of all tables if none are named.

    Raises `NoBackupError` for a table that the backup does not have.
    """
    by_name = {copy.table: copy for copy in backup.copies if copy.table != REVISIONS}
    short = {name.partition(".")[2]: name for name in by_name}
    if unknown := sorted(set(tables) - by_name.keys() - short.keys()):
        raise NoBackupError(
            f"the backup {backup.backup_id} has no {', '.join(unknown)}; it has {', '.join(sorted(by_name))}."
            f"{nearest(unknown[0], short)}"
        )
    wanted = {name if name in by_name else short[name] for name in tables} or set(by_name)
    # The order in which they are replaced.
    return [
        copy
        for dataset in DATASETS
        for name, copy in by_name.items()
        if name in wanted and _in(name, dataset)
    ]


def newer_runs(client: bigquery.Client, settings: Settings, backup: Backup, copies: Sequence[Copy]) -> int:
    """How many loads changed these tables after the backup. dbt's snapshots count as changed by every load."""
    sql = f"""
        SELECT CONCAT('raw.', source, '__', entity) AS name, COUNT(*) AS n
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE committed_at > @taken_at AND rows_inserted + rows_updated + rows_tombstoned > 0
        GROUP BY name
    """
    config = with_parameters(taken_at=backup.taken_at)
    try:
        found = {row["name"]: row["n"] for row in client.query_and_wait(sql, job_config=config)}
    except NotFound:
        return 0
    names = {copy.table for copy in copies}
    is_any = any(not name.startswith("raw.") for name in names)
    return sum(n for name, n in found.items() if is_any or name in names)


def restore(
    client: bigquery.Client,
    settings: Settings,
    backups: Backups,
    backup: Backup,
    copies: Sequence[Copy],
    *,
    discard_newer: bool = False,
    say: Callable[[str], None] = logger.info,
) -> list[Restored]:
    """Replace tables in the warehouse of `settings` by their `copies` in the backup.

    People who were purged are removed again. Before anything is replaced, raises `NewerDataError`, `DamagedCopyError`, or
    `NoBackupError` if a later version of the code made the backup. Raises `WarehouseError` if the tables afterwards are not
    what they should be.
    """
    _check_backup(client, settings, backup, copies, discard_newer=discard_newer)
    say("Checking the copies ...")
    for copy in copies:
        if copy.row_count:
            backups.copies.check(copy)
    say("Bringing the warehouse's schema to its newest revision ...")
    schema.upgrade(client, settings=settings)
    _make_datasets(client, settings)
    beside = replace(settings, dataset_prefix=f"{settings.dataset_prefix}{SCRATCH}")
    _drop(client, beside)
    # The warehouse's own suppression list may be lost; the one beside the backups is as up to date.
    keys = purged.read(client, settings) | backups.purged_keys()
    # The suppression list is never restored: people who were erased after the backup stay erased.
    wanted = [copy for copy in copies if copy.table != PURGED]
    say("Making the tables as they were in the backup ...")
    made = _make(client, beside, backups, backup, wanted)
    erased = _erase(client, made, wanted, keys)
    say("Replacing the tables ...")
    purged.add(client, settings, keys)
    _replace_all(client, settings, made, wanted, erased)
    for entity in ENTITIES:
        states.forget(settings, entity)
    say("Comparing the tables with the backup ...")
    done = _verified(
        client, settings, made, wanted, erased, is_as_kept=backup.revision == schema.head(client)
    )
    _drop(client, beside)
    return done


def _check_backup(
    client: bigquery.Client,
    settings: Settings,
    backup: Backup,
    copies: Sequence[Copy],
    *,
    discard_newer: bool,
) -> None:
    """Raise `NoBackupError` for a backup of a later version, `NewerDataError` where newer rows would be lost unasked."""
    if not schema.knows(client, backup.revision):
        raise NoBackupError(
            f"the backup {backup.backup_id} has the revision {backup.revision}, which this code does not know: it was made "
            "by a later version. Bring that version first."
        )
    newer = newer_runs(client, settings, backup, copies)
    if newer and not discard_newer:
        raise NewerDataError(
            f"{newer:,} {'load has' if newer == 1 else 'loads have'} changed these tables since the backup of {backup.taken_at:%Y-%m-%d %H:%M} UTC, and their "
            "rows would be lost. Make a backup of now first (script/backup), then run it again with --discard-newer, or "
            "restore beside with --into."
        )


def _make(
    client: bigquery.Client, beside: Settings, backups: Backups, backup: Backup, copies: Sequence[Copy]
) -> dict[str, bigquery.Table]:
    """Make the tables in the temporary datasets, at the newest revision. Tables without rows are left to the revisions."""
    _make_datasets(client, beside)
    mark = bigquery.Table(_mark(beside), schema=[bigquery.SchemaField("id", "STRING")])
    client.create_table(mark, exists_ok=True)
    names = {copy.table for copy in copies if copy.row_count}
    # A raw table needs the sync log, too, for its own rows there.
    if any(_in(copy.table, "raw") for copy in copies):
        names.add(SYNC_LOG)
    is_older = backup.revision != schema.head(client)
    for copy in backup.copies:
        if copy.table in names or is_older:
            table = _table(client, beside, copy)
            if copy.table in names | {REVISIONS} and copy.row_count:
                backups.copies.restore(copy, table)
    if is_older:
        schema.upgrade(client, settings=beside)
    return dict(tables_of(client, beside, DATASETS))


def _make_datasets(client: bigquery.Client, settings: Settings) -> None:
    for dataset in DATASETS:
        made = bigquery.Dataset(f"{settings.project}.{settings.dataset(dataset)}")
        made.location = settings.location
        client.create_dataset(made, exists_ok=True)


def _table(client: bigquery.Client, settings: Settings, copy: Copy) -> bigquery.Table:
    """Create a table without rows, with the columns of the copy."""
    dataset, _, name = copy.table.partition(".")
    table = bigquery.Table(f"{settings.project}.{settings.dataset(dataset)}.{name}", schema=copy.schema)
    table.description = copy.description
    table.clustering_fields = copy.clustering
    return client.create_table(table, exists_ok=True)


def _replace_all(
    client: bigquery.Client,
    settings: Settings,
    made: dict[str, bigquery.Table],
    copies: Sequence[Copy],
    erased: dict[str, int],
) -> None:
    """Replace every table by what was made beside it, and the rows of raw tables in the sync log where it is not among them."""
    there = dict(tables_of(client, settings, DATASETS))
    counts = row_counts(client, settings, there)
    if SYNC_LOG not in {copy.table for copy in copies}:
        _replace_runs(client, settings, made, [copy.table for copy in copies if _in(copy.table, "raw")])
    for copy in copies:
        left = copy.row_count - erased.get(copy.table, 0)
        source, target = made.get(copy.table), there.get(copy.table)
        _replace(client, settings, source, target, copy, left, counts.get(copy.table, 0))


def _replace(
    client: bigquery.Client,
    settings: Settings,
    source: bigquery.Table | None,
    target: bigquery.Table | None,
    copy: Copy,
    left: int,
    there: int,
) -> None:
    """Replace the `there` rows of `target` by the `left` rows of `source` (None: the table has no rows, or does not exist)."""
    fields = [field.to_api_repr() for field in source.schema] if source else copy.fields
    if target is None or {each["name"] for each in fields} - {each.name for each in target.schema}:
        # A table of dbt, which no revision creates: it gets the columns that it had in the backup.
        if target is not None:
            client.delete_table(target, not_found_ok=True)
        target, there = _table(client, settings, replace(copy, fields=fields)), 0
    if source is not None and left:
        replace_rows(
            client, address_of(target), address_of(source), [(each["name"], each["name"]) for each in fields]
        )
    elif there:
        client.query_and_wait(f"DELETE FROM `{address_of(target)}` WHERE TRUE")


def _replace_runs(
    client: bigquery.Client, settings: Settings, made: dict[str, bigquery.Table], tables: Sequence[str]
) -> None:
    """Replace the sync log's rows about these raw tables by those in the backup (none, if it has no sync log)."""
    if not tables:
        return
    target = f"{settings.project}.{settings.dataset('ops')}.sync_runs"
    config = with_parameters(tables=tables)
    is_theirs = "CONCAT('raw.', source, '__', entity) IN UNNEST(@tables)"
    source = made.get(SYNC_LOG)
    if source is None:
        client.query_and_wait(f"DELETE FROM `{target}` WHERE {is_theirs}", job_config=config)
        return
    names = [field.name for field in source.schema]
    sql = f"""
        MERGE `{target}` T
        USING (SELECT * FROM `{address_of(source)}` WHERE {is_theirs}) S
        ON T.run_id = S.run_id
        WHEN NOT MATCHED BY TARGET THEN
            INSERT ({", ".join(names)}) VALUES ({", ".join(f"S.{name}" for name in names)})
        WHEN NOT MATCHED BY SOURCE AND CONCAT('raw.', T.source, '__', T.entity) IN UNNEST(@tables) THEN DELETE
    """
    client.query_and_wait(sql, job_config=config)


def _erase(
    client: bigquery.Client,
    made: dict[str, bigquery.Table],
    copies: Sequence[Copy],
    keys: frozenset[purged.PurgedKey],
) -> dict[str, int]:
    """Delete the rows of purged people, and return how many there were in each table."""
    matcher = purged.Matcher(keys)
    return {
        copy.table: purged.erase_rows(client, made[copy.table], matcher.of_table(copy.table))
        for copy in copies
        if keys and copy.row_count
    }


def _verified(
    client: bigquery.Client,
    settings: Settings,
    made: dict[str, bigquery.Table],
    copies: Sequence[Copy],
    erased: dict[str, int],
    *,
    is_as_kept: bool,
) -> list[Restored]:
    there = dict(tables_of(client, settings, DATASETS))
    counts = row_counts(client, settings, there)
    done = []
    for copy in copies:
        gone = erased.get(copy.table, 0)
        left = copy.row_count - gone
        found, expected = f"{counts[copy.table]} rows", f"{left} rows"
        if left and found == expected:
            source, target = made[copy.table], there[copy.table]
            found = str(checksum_of(read_rows(client, address_of(target), source.schema)))
            # If a newer revision changed the rows, compare with the temporary tables instead of the backup.
            is_kept = is_as_kept and not gone and copy.has_checksum_of_lines
            made_of = read_rows(client, address_of(source), source.schema)
            expected = copy.checksum if is_kept else str(checksum_of(made_of))
        if found != expected:
            raise WarehouseError(
                f"{copy.table} has {found} after the restore, but should have {expected}. Another process may be writing to it. "
                "Stop that process, and run the restore again."
            )
        done.append(Restored(copy.table, left, gone))
    return done


def _mark(beside: Settings) -> str:
    return f"{beside.project}.{beside.dataset('ops')}.{MARK}"


def _drop(client: bigquery.Client, beside: Settings) -> None:
    """Remove a restore's temporary datasets. Raises `WarehouseError`, and removes nothing, if no restore made them."""
    names = [f"{beside.project}.{beside.dataset(each)}" for each in DATASETS]
    tables: list[str] = []
    for name in names:
        with suppress(NotFound):
            tables += [f"{name}.{each.table_id}" for each in client.list_tables(name)]
    if tables and _mark(beside) not in tables:
        raise WarehouseError(
            f"a restore makes temporary tables in {', '.join(map(beside.dataset, DATASETS))} and removes these datasets, but "
            f"they hold tables that no restore made ({tables[0]}). If they belong to another warehouse, give that warehouse "
            "another REPORTING_DATASET_PREFIX. If a restore of an earlier version left them, remove these datasets."
        )
    # The mark is removed last, so that after a kill the next restore can continue here.
    for name in reversed(names):
        client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def _in(table: str, dataset: str) -> bool:
    return table.partition(".")[0] == dataset
