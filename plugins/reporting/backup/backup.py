"""Makes dated backups of what cannot be made again: the datasets raw, ops, and dbt's snapshots with the keys of people.

    {backups}/warehouse/backups/{backup id}.json            the list of the copies that belong to this backup
    {backups}/warehouse/tables/{dataset}.{table}/...        the copies, unless they are snapshots in BigQuery
    {backups}/warehouse/purged.json                         hashed keys of people who were erased and must not come back

A table that has not changed is not copied again: the new list names the older copy. The list is written last, so an
interrupted backup does not count. The next one makes its own copies, and removes those that no list names.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.backup.copies import Copies, Copy, empty_copy, open_copies
from reporting.ingest import suppression as purged
from reporting.ingest.suppression import PurgedKey
from reporting.settings import Settings
from reporting.storage.files import open_folder, write_whole
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.transfer import address_of

logger = logging.getLogger(__name__)

# `ops` with the sync log is copied first: the cursors in a backup are then never ahead of its rows. A cursor that is behind
# only means that some records are read again.
DATASETS = ("ops", "raw", "snapshots")
REVISIONS = "ops.alembic_version"
PURGED = f"ops.{purged.TABLE}"
STAGE = "stage__"
PURGED_KEYS = "purged.json"
ID_TIME = "%Y%m%dT%H%M%S%f"
# No backup takes longer than this: copies that are older and in no list were left by an interrupted backup.
LONGEST_BACKUP = timedelta(days=1)


class NoBackupError(Exception):
    """There is no backup, or it cannot be used. The message says why, and what to do next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup: the copies of all tables at one time. `revision` is the Alembic revision of the schema then."""

    backup_id: str
    taken_at: datetime
    revision: str
    copies: tuple[Copy, ...]

    @property
    def row_count(self) -> int:
        """Rows of all tables."""
        return sum(copy.row_count for copy in self.copies)

    def copy_of(self, table: str) -> Copy | None:
        """The copy of `dataset.table`; None if the backup does not have that table."""
        return next((copy for copy in self.copies if copy.table == table), None)

    def with_copy(self, place: str, new: Copy) -> "Backup":
        """The same backup with `new` instead of the copy at `place`."""
        return replace(self, copies=tuple(new if copy.place == place else copy for copy in self.copies))

    def to_json(self) -> str:
        """The backup's list as JSON."""
        values = {
            "backup_id": self.backup_id,
            "taken_at": self.taken_at.isoformat(),
            "revision": self.revision,
            "copies": [copy.to_json() for copy in self.copies],
        }
        return json.dumps(values, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Backup":
        """Parse the list of a backup. Raises errors that `Backups.read` turns into `NoBackupError`."""
        values = json.loads(text)
        return cls(
            backup_id=values["backup_id"],
            taken_at=datetime.fromisoformat(values["taken_at"]),
            revision=values["revision"],
            copies=tuple(map(Copy.from_json, values["copies"])),
        )


class Backups:
    """All backups in `settings.backup_uri`. Raises `NoBackupError` if that is not set."""

    def __init__(self, client: bigquery.Client, settings: Settings) -> None:
        files, root = open_backups(settings)
        self._files, self._root = files, f"{root}/warehouse"
        self.copies: Copies = open_copies(client, settings, files, self._root)

    def ids(self) -> list[str]:
        """The ids of complete backups, the oldest first."""
        return kept_ids(self._files, f"{self._root}/backups", ".json")

    def read(self, backup_id: str) -> Backup:
        """Read one backup. Raises `NoBackupError` if it does not exist or cannot be read."""
        path = self._path(backup_id)
        try:
            return Backup.from_json(self._files.cat_file(path).decode())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NoBackupError(
                f"the backup {path} cannot be read ({type(error).__name__}). script/restore --list shows the others. If it "
                "stays unreadable, remove that file: until then no old copy is removed, because this backup may need it."
            ) from error

    def all(self) -> Iterator[Backup]:
        """Every backup, the oldest first."""
        return map(self.read, self.ids())

    def latest(self) -> Backup | None:
        """The newest backup that can be read. A damaged one must not prevent the next backup."""
        for backup_id in reversed(self.ids()):
            try:
                return self.read(backup_id)
            except NoBackupError as error:
                logger.warning("%s", error)
        return None

    def write(self, backup: Backup) -> None:
        """Write the list of a backup atomically."""
        write_whole(self._files, self._path(backup.backup_id), backup.to_json().encode())

    def purged_keys(self) -> frozenset[PurgedKey]:
        """The suppression list that is kept beside the backups, for the case that the warehouse and its own list are lost.

        Raises `NoBackupError` if it cannot be read, since without it an erased person could come back.
        """
        path = f"{self._root}/{PURGED_KEYS}"
        try:
            rows = json.loads(self._files.cat_file(path).decode())
            # An empty object or text is an error, too: it would be read as a list of nobody.
            kind = type(rows).__name__
            if isinstance(rows, list):
                return frozenset(map(PurgedKey.from_row, rows))
        except FileNotFoundError:
            return frozenset()
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            kind = type(error).__name__
        # Raised outside the handler, because the handled error may quote the file.
        raise NoBackupError(
            f"the list of erased people, {path}, cannot be read ({kind}). Put back an earlier version of the file. If the "
            f"warehouse still has the table {PURGED}, you may remove the file instead: script/backup writes it again."
        )

    def note_purged(self, keys: Iterable[PurgedKey]) -> None:
        """Write these keys as the suppression list beside the backups."""
        rows = sorted((key.to_row() for key in keys), key=lambda row: str(row["key_hash"]))
        write_whole(self._files, f"{self._root}/{PURGED_KEYS}", json.dumps(rows, indent=1).encode())

    def discard(self, now: datetime, days: int) -> int:
        """Remove old backups, and then the copies that no list names. Returns how many backups were removed."""
        ids = self.ids()
        kept = kept_of(ids, now, days)
        for backup_id in ids:
            if backup_id not in kept:
                self._files.rm_file(self._path(backup_id))
        self.discard_copies(now)
        return len(ids) - len(kept)

    def discard_copies(self, now: datetime, longest_backup: timedelta = LONGEST_BACKUP) -> int:
        """Remove the copies that no list names, and return how many."""
        named = {copy.place for backup in self.all() for copy in backup.copies}

        def is_needed(place: str, copy_id: str) -> bool:
            return place in named or _is_young(copy_id, now - longest_backup)

        return self.copies.discard(is_needed)

    def _path(self, backup_id: str) -> str:
        return f"{self._root}/backups/{backup_id}.json"


def open_backups(settings: Settings) -> tuple[Any, str]:
    """The fsspec file system and the folder of all backups. Raises `NoBackupError` if none is configured."""
    if settings.backup_uri is None:
        raise NoBackupError(
            "There is no backup: REPORTING_BACKUP_URI is not set. Set it to a folder or bucket outside of what it protects."
        )
    return open_folder(settings.backup_uri, settings.google_key)


def new_id(at: datetime) -> str:
    """The id of a backup made at that time. Ids sort by time, and are valid in names of files and tables."""
    return at.strftime(ID_TIME)


def taken_at(backup_id: str) -> datetime:
    """The time in the id of a backup. Raises `ValueError` if `backup_id` is not one."""
    return datetime.strptime(f"{backup_id}+0000", f"{ID_TIME}%z")


def kept_ids(files: Any, folder: str, suffix: str) -> list[str]:
    """The ids in the names of the files in `folder`, the oldest first."""
    try:
        found = files.ls(folder, detail=False)
    except FileNotFoundError:
        return []
    names = (path.rstrip("/").rpartition("/")[2] for path in found)
    ids = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
    return sorted(each for each in ids if _is_id(each))


def kept_of(ids: Iterable[str], now: datetime, days: int) -> set[str]:
    """The ids of the backups that are kept: all of the last `days`, the first of each month, and the newest."""
    in_order = sorted(ids)
    first_of_month: dict[str, str] = {}
    for backup_id in in_order:
        first_of_month.setdefault(f"{taken_at(backup_id):%Y-%m}", backup_id)
    young = {each for each in in_order if taken_at(each) > now - timedelta(days=days)}
    return young | set(first_of_month.values()) | set(in_order[-1:])


def back_up(client: bigquery.Client, settings: Settings, now: datetime | None = None) -> tuple[Backup, int]:
    """Back up the warehouse as it is now. Returns the backup, and how many tables were copied again.

    Raises `NoBackupError` where none is configured, and `WarehouseError` where the warehouse has no schema yet.
    """
    at = now or datetime.now(UTC)
    backups = Backups(client, settings)
    before = backups.latest()
    backup_id = new_id(at)
    revision = revision_of(client, settings)
    tables = dict(tables_of(client, settings, DATASETS))
    counts = row_counts(client, settings, tables)
    copies = [
        backups.copies.keep(table, name, backup_id, before.copy_of(name) if before else None)
        if counts[name]
        else empty_copy(table, name)
        for name, table in tables.items()
    ]
    backup = Backup(backup_id=backup_id, taken_at=at, revision=revision, copies=tuple(copies))
    known = {copy.place for copy in before.copies} if before else set()
    copied = len({copy.place for copy in copies if copy.place} - known)
    if PURGED in tables and (erased := purged.read(client, settings) - backups.purged_keys()):
        # People may have been erased before a place for backups was configured.
        backups.note_purged(erased | backups.purged_keys())
    backups.write(backup)
    discarded = backups.discard(at, settings.backup_days)
    logger.info(
        "The backup %s has %d rows in %d tables, of which %d were copied; %d older ones were removed.",
        backup_id,
        backup.row_count,
        len(copies),
        copied,
        discarded,
    )
    return backup, copied


def tables_of(
    client: bigquery.Client, settings: Settings, datasets: Collection[str]
) -> Iterator[tuple[str, bigquery.Table]]:
    """The tables in these datasets, by `dataset.table` without the environment's prefix; no views, no stage tables."""
    for name, reference in _listed(client, settings, datasets):
        yield name, client.get_table(reference)


def filled_tables(
    client: bigquery.Client, settings: Settings, datasets: Collection[str]
) -> Iterator[tuple[str, bigquery.Table]]:
    """The tables in these datasets that have rows."""
    listed = dict(_listed(client, settings, datasets))
    if not settings.emulator_host:
        found = {name: client.get_table(reference) for name, reference in listed.items()}
        yield from ((name, table) for name, table in found.items() if table.num_rows)
        return
    for name, count in _counted(client, listed).items():
        if count:
            yield name, client.get_table(listed[name])


def row_counts(
    client: bigquery.Client, settings: Settings, tables: Mapping[str, bigquery.Table]
) -> dict[str, int]:
    """The number of rows of each of these tables."""
    if not settings.emulator_host:
        return {name: int(table.num_rows) for name, table in tables.items()}
    return _counted(client, tables)


def _listed(
    client: bigquery.Client, settings: Settings, datasets: Collection[str]
) -> Iterator[tuple[str, bigquery.TableReference]]:
    for dataset in datasets:
        try:
            found = list(client.list_tables(f"{settings.project}.{settings.dataset(dataset)}"))
        except NotFound:
            # dbt creates the dataset of snapshots with its first build.
            continue
        for item in sorted(found, key=lambda each: each.table_id):
            if item.table_type == "TABLE" and not item.table_id.startswith(STAGE):
                yield f"{dataset}.{item.table_id}", item.reference


def _counted(
    client: bigquery.Client, tables: Mapping[str, bigquery.Table | bigquery.TableReference]
) -> dict[str, int]:
    """Count the rows in one query, because the local BigQuery's own counts may be out of date. Its queries cost nothing."""
    counts = [
        f"SELECT '{name}' AS name, COUNT(*) AS n FROM `{address_of(each)}`" for name, each in tables.items()
    ]
    if not counts:
        return {}
    return {row["name"]: row["n"] for row in client.query_and_wait(" UNION ALL ".join(counts))}


def revision_of(client: bigquery.Client, settings: Settings) -> str:
    """The Alembic revision of the warehouse's schema. Raises `WarehouseError` if it has none."""
    try:
        rows = client.query_and_wait(f"SELECT version_num FROM `{settings.dataset('ops')}.alembic_version`")
        return str(next(iter(rows))["version_num"])
    except (NotFound, StopIteration) as error:
        raise WarehouseError(
            f"the warehouse {settings.project} has no schema in {settings.dataset('ops')}. Run the DAG "
            "ops_warehouse__schema__upgrade, or script/restore where it was lost."
        ) from error


def _is_id(text: str) -> bool:
    try:
        taken_at(text)
    except ValueError:
        return False
    return True


def _is_young(copy_id: str, before: datetime) -> bool:
    return _is_id(copy_id) and taken_at(copy_id) > before
