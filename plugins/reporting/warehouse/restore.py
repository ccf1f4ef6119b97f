"""Brings tables back from a backup, whatever is left of the warehouse.

First everything is made whole in datasets beside the warehouse's (`{prefix}restoring_raw`, ...): the tables as they were,
then the revisions that came after, so that these see the rows. Only then each table is replaced by one statement. So a
damaged copy changes nothing, and a restore that was cut off is made again from its beginning.

The ledger comes before the rows, and with each raw table come its own rows of the ledger: a cursor is never ahead of what
is there.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entities import ENTITIES
from reporting.settings import Settings
from reporting.warehouse import purged, schema, states
from reporting.warehouse.backup import (
    DATASETS,
    PURGED,
    REVISIONS,
    Backup,
    Backups,
    NoBackupError,
    row_counts,
    tables_of,
    taken_at,
)
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.copies import Copy
from reporting.warehouse.transfer import address_of, checksum_of, read_rows, replace_rows

logger = logging.getLogger(__name__)

LEDGER = "ops.sync_runs"
SCRATCH = "restoring_"


class NewerDataError(WarehouseError):
    """The warehouse holds what the backup does not, and nobody said that it may go."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A table after the restore. `purged_count` is how many of its rows were erased again."""

    table: str
    row_count: int
    purged_count: int


def choose(backups: Backups, at: datetime | None) -> Backup:
    """The latest backup, or the latest that was taken up to `at`. Raises `NoBackupError`."""
    ids = [each for each in backups.ids() if at is None or taken_at(each) <= at]
    if not ids:
        until = f" up to {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
        raise NoBackupError(f"there is no backup{until}. script/restore --list shows those that are there.")
    return backups.read(ids[-1])


def chosen_copies(backup: Backup, tables: Sequence[str]) -> list[Copy]:
    """The copies of `tables` (`raw.hubspot__contacts`, or without the dataset), or all; raises `NoBackupError`."""
    by_name = {copy.table: copy for copy in backup.copies if copy.table != REVISIONS}
    short = {name.partition(".")[2]: name for name in by_name}
    if unknown := sorted(set(tables) - by_name.keys() - short.keys()):
        raise NoBackupError(
            f"the backup {backup.backup_id} has no {', '.join(unknown)}; it has {', '.join(sorted(by_name))}."
        )
    wanted = {name if name in by_name else short[name] for name in tables} or set(by_name)
    # In the order in which they are replaced.
    return [
        copy
        for dataset in DATASETS
        for name, copy in by_name.items()
        if name in wanted and _in(name, dataset)
    ]


def newer_runs(client: bigquery.Client, settings: Settings, backup: Backup, copies: Sequence[Copy]) -> int:
    """How many loads changed these tables after the backup; what dbt keeps changes with any of them."""
    sql = f"""
        SELECT CONCAT('raw.', source, '__', entity) AS name, COUNT(*) AS n
        FROM `{settings.dataset("ops")}.sync_runs`
        WHERE committed_at > @taken_at AND rows_inserted + rows_updated + rows_tombstoned > 0
        GROUP BY name
    """
    parameters = [bigquery.ScalarQueryParameter("taken_at", "TIMESTAMP", backup.taken_at)]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    try:
        found = {row["name"]: row["n"] for row in client.query(sql, job_config=config).result()}
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
    """Replace the tables of `copies` in the warehouse of `settings` by what the backup has of them.

    People who were purged are taken out again. Raises `NewerDataError`, `NoBackupError` where the backup is of a later
    version of this code, and `DamagedCopyError`, each before anything was replaced; `WarehouseError` when what is there
    afterwards is not what was to be.
    """
    if not schema.knows(client, backup.revision):
        raise NoBackupError(
            f"the backup {backup.backup_id} has the revision {backup.revision}, which this code does not know: it was made "
            "by a later version. Bring that version first."
        )
    newer = newer_runs(client, settings, backup, copies)
    if newer and not discard_newer:
        raise NewerDataError(
            f"{newer} loads have changed these tables since the backup of {backup.taken_at:%Y-%m-%d %H:%M} UTC, and their "
            "rows would be lost. Make a backup of now first (script/backup), then run it again with --discard-newer, or "
            "restore beside with --into."
        )
    say("Checking the copies ...")
    for copy in copies:
        if copy.row_count:
            backups.copies.check(copy)
    say("Bringing the warehouse's schema to its newest revision ...")
    schema.upgrade(client, settings=settings)
    _make_datasets(client, settings)
    beside = replace(settings, dataset_prefix=f"{settings.dataset_prefix}{SCRATCH}")
    _drop(client, beside)
    # The warehouse and its list may be lost; the one beside all backups is as new.
    keys = purged.read(client, settings) | backups.purged_keys()
    # The list is never taken back: who was erased after the backup stays erased.
    wanted = [copy for copy in copies if copy.table != PURGED]
    say("Making the tables as they were ...")
    made = _make(client, beside, backups, backup, wanted)
    erased = _erase(client, made, wanted, keys)
    say("Replacing the tables ...")
    purged.add(client, settings, keys)
    there = dict(tables_of(client, settings, DATASETS))
    counts = row_counts(client, settings, there)
    if LEDGER not in {copy.table for copy in wanted}:
        _replace_runs(client, settings, made, [copy.table for copy in wanted if _in(copy.table, "raw")])
    for copy in wanted:
        left = copy.row_count - erased.get(copy.table, 0)
        _replace(
            client,
            settings,
            made.get(copy.table),
            there.get(copy.table),
            copy,
            left,
            counts.get(copy.table, 0),
        )
    for entity in ENTITIES:
        states.forget(settings, entity)
    say("Comparing what is there with what was kept ...")
    done = _verified(
        client, settings, made, wanted, erased, is_as_kept=backup.revision == schema.head(client)
    )
    _drop(client, beside)
    return done


def _make(
    client: bigquery.Client, beside: Settings, backups: Backups, backup: Backup, copies: Sequence[Copy]
) -> dict[str, bigquery.Table]:
    """The tables beside the warehouse, at the newest revision. What is empty is not made where no revision asks for it."""
    _make_datasets(client, beside)
    names = {copy.table for copy in copies if copy.row_count}
    # A raw table brings its rows of the ledger.
    if any(_in(copy.table, "raw") for copy in copies):
        names.add(LEDGER)
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
    """An empty table as the copy's was."""
    dataset, _, name = copy.table.partition(".")
    table = bigquery.Table(f"{settings.project}.{settings.dataset(dataset)}.{name}", schema=copy.schema)
    table.description = copy.description
    table.clustering_fields = copy.clustering
    return client.create_table(table, exists_ok=True)


def _replace(
    client: bigquery.Client,
    settings: Settings,
    source: bigquery.Table | None,
    target: bigquery.Table | None,
    copy: Copy,
    left: int,
    there: int,
) -> None:
    """Replace the `there` rows of `target` by the `left` ones of `source`, None where the table is empty or not there."""
    fields = [field.to_api_repr() for field in source.schema] if source else copy.fields
    if target is None or {each["name"] for each in fields} - {each.name for each in target.schema}:
        # One of dbt's, which no revision makes: as it was when it was kept.
        if target is not None:
            client.delete_table(target, not_found_ok=True)
        target, there = _table(client, settings, replace(copy, fields=fields)), 0
    if source is not None and left:
        replace_rows(
            client, address_of(target), address_of(source), [(each["name"], each["name"]) for each in fields]
        )
    elif there:
        client.query(f"DELETE FROM `{address_of(target)}` WHERE TRUE").result()


def _replace_runs(
    client: bigquery.Client, settings: Settings, made: dict[str, bigquery.Table], tables: Sequence[str]
) -> None:
    """The rows of these raw tables in the ledger as they were; a backup without a ledger had none."""
    if not tables:
        return
    target = f"{settings.project}.{settings.dataset('ops')}.sync_runs"
    parameters = [bigquery.ArrayQueryParameter("tables", "STRING", list(tables))]
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    is_theirs = "CONCAT('raw.', source, '__', entity) IN UNNEST(@tables)"
    source = made.get(LEDGER)
    if source is None:
        client.query(f"DELETE FROM `{target}` WHERE {is_theirs}", job_config=config).result()
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
    client.query(sql, job_config=config).result()


def _erase(
    client: bigquery.Client,
    made: dict[str, bigquery.Table],
    copies: Sequence[Copy],
    keys: frozenset[purged.PurgedKey],
) -> dict[str, int]:
    """How many rows of each table were of people who were purged."""
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
            # A revision that came later may have filled a column: then what was made beside is what was to be.
            is_kept = is_as_kept and not gone and copy.has_checksum_of_lines
            made_of = read_rows(client, address_of(source), source.schema)
            expected = copy.checksum if is_kept else str(checksum_of(made_of))
        if found != expected:
            raise WarehouseError(
                f"{copy.table} has {found} after the restore, where {expected} were to be. Is something else writing? End it, "
                "and run the restore again."
            )
        done.append(Restored(copy.table, left, gone))
    return done


def _drop(client: bigquery.Client, beside: Settings) -> None:
    for dataset in DATASETS:
        name = f"{beside.project}.{beside.dataset(dataset)}"
        client.delete_dataset(name, delete_contents=True, not_found_ok=True)


def _in(table: str, dataset: str) -> bool:
    return table.partition(".")[0] == dataset
