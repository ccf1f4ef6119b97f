"""Dated copies of the warehouse, and the way back from them, on the local BigQuery."""

import random
from collections.abc import Callable, Iterator
from copy import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from google.cloud import bigquery
from hypothesis import given
from hypothesis import strategies as st

from reporting.backup import backup as backing
from reporting.backup import restore
from reporting.backup.backup import Backup, Backups, NoBackupError, back_up, kept_of, new_id, taken_at
from reporting.backup.copies import DamagedCopyError, ParquetFiles, write_parquet
from reporting.cli import restore as listing
from reporting.ingest.landing import LandingError, Refresh
from reporting.settings import Settings, read_settings
from reporting.warehouse import schema
from reporting.warehouse.client import WarehouseError
from reporting.warehouse.transfer import address_of, as_line, checksum_of, read_rows
from tests.support.habit_syncs import DAILY, Syncs

RAW = f"raw.{DAILY.table}"
NOW = datetime.now(UTC)


class Vault(Syncs):
    """Rounds of a warehouse that is backed up."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        super().__init__(client, replace(settings, backup_uri=str(folder / "backups")), folder / "landing")
        self.folder = folder / "backups"

    @property
    def backups(self) -> Backups:
        return Backups(self.client, self.settings)

    def back_up(self, days_ago: float = 0) -> tuple[Backup, int]:
        return back_up(self.client, self.settings, datetime.now(UTC) - timedelta(days=days_ago))

    def restore(self, backup: Backup, *tables: str, **options: Any) -> dict[str, int]:
        copies = restore.chosen_copies(backup, tables)
        done = restore.restore(self.client, self.settings, self.backups, backup, copies, **options)
        return {each.table: each.row_count for each in done}

    def content(self) -> dict[str, list[str]]:
        """Every row of every table that has any, as text."""
        return {
            name: sorted(map(as_line, read_rows(self.client, address_of(table), table.schema)))
            for name, table in backing.filled_tables(self.client, self.settings, backing.DATASETS)
        }

    def load_by_hand(self) -> None:
        """A row as it was before there was a list of who was purged, which every load asks."""
        self.query(
            f"INSERT INTO raw.{DAILY.table} (id, name, _payload, _properties, _extracted_at) VALUES "
            """('p00001', 'é "quoted"', JSON '{"a": [1, 2.5, null, "x\\\\n"]}', """
            """[STRUCT('b' AS id, 'B' AS name, 'select' AS type, JSON 'null' AS value), """
            """STRUCT('a', 'A', 'text', CAST(NULL AS JSON))], TIMESTAMP '2026-01-01 00:00:00.5+00')"""
        )

    def destroy(self) -> None:
        for name in backing.DATASETS:
            self.client.delete_dataset(self.settings.dataset(name), delete_contents=True, not_found_ok=True)

    def keep_history(self) -> None:
        """Tables as dbt makes them, with every type that it may use."""
        dataset = self.settings.dataset("snapshots")
        self.client.create_dataset(dataset, exists_ok=True)
        self.client.query_and_wait(
            f"""
            CREATE OR REPLACE TABLE {dataset}.snap_hubspot__deals CLUSTER BY deal_id AS
            SELECT 'd1' AS deal_id, NUMERIC '12.50' AS amount, DATE '2026-02-28' AS day, TRUE AS is_won, 0.1 AS share,
                TIMESTAMP '2026-01-01 00:00:00.000001+00' AS at, ['a', 'b'] AS words, 7 AS count, b'\\x00\\xff' AS blob,
                DATETIME '2026-01-01 01:02:03' AS local_at, CAST(NULL AS STRING) AS nothing
            """
        )


@pytest.fixture
def settings_of_files(tmp_path: Path) -> Settings:
    return read_settings({"REPORTING_BACKUP_URI": str(tmp_path), "REPORTING_BIGQUERY_PROJECT": "project"})


@pytest.fixture
def vault(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> Vault:
    made = Vault(*shared_warehouse, tmp_path)
    made.empty()
    return made


def test_each_date_comes_back_exactly_whatever_its_revision(vault: Vault) -> None:
    vault.keep_history()
    schema.downgrade(vault.client, "0013", settings=vault.settings)
    vault.load_by_hand()
    first, copied = vault.back_up(days_ago=1)
    assert (first.revision, copied) == ("0013", 3)
    then = vault.content()
    schema.upgrade(vault.client, settings=vault.settings)
    vault.run("full")
    second, copied = vault.back_up()
    now = vault.content()
    changed = {name for name in now if now[name] != then.get(name)}
    assert changed == {RAW, "ops.sync_runs", "ops.schema_changes", "ops.alembic_version"}
    # What is as it was is not copied again, and an empty table is no copy.
    assert copied == 4
    assert len(list(vault.folder.rglob("*.parquet"))) == 7

    vault.destroy()
    assert vault.restore(first)[RAW] == 1
    revision = {"ops.alembic_version": now["ops.alembic_version"]}
    assert vault.content() == then | revision
    assert vault.restore(second)[RAW] == 12
    assert vault.content() == now
    described = vault.client.get_table(f"{vault.settings.dataset('snapshots')}.snap_hubspot__deals")
    assert described.clustering_fields == ["deal_id"]
    # And it goes on from there.
    vault.edit("p00004", "later")
    assert vault.run("changed").updated == 1
    with pytest.raises(restore.NewerDataError, match=r"1 load has changed .* --discard-newer"):
        vault.restore(second)


def test_a_table_alone_brings_its_cursor(vault: Vault) -> None:
    vault.run("full")
    made, _ = vault.back_up()
    kept = vault.content()
    vault.edit("p00003")
    vault.run("changed")
    with pytest.raises(NoBackupError, match=r"Did you mean notion__daily_habits\?"):
        vault.restore(made, "daily_habit")
    with pytest.raises(NoBackupError, match=r"has no nothing; it has .*raw\.notion__daily_habits"):
        vault.restore(made, "nothing")
    assert vault.restore(made, DAILY.table, discard_newer=True) == {RAW: 12}
    assert vault.content() == kept
    # The edit is after the cursor again.
    assert vault.run("changed").updated == 1


@pytest.mark.parametrize("refresh", ["changed", "full"])
def test_what_was_read_before_a_restore_is_not_loaded_after_it(vault: Vault, refresh: Refresh) -> None:
    vault.run("full")
    made, _ = vault.back_up()
    vault.edit("p00003")
    vault.run("changed")
    # Its load fails, since the warehouse is broken, and is cleared when it is restored.
    late = vault.extract(refresh)
    vault.restore(made, discard_newer=True)
    kept = vault.content()
    with pytest.raises(LandingError, match="the warehouse was restored since"):
        vault.load(late)
    assert vault.content() == kept
    assert vault.run("changed").updated == 1
    # What is overtaken by another run, and not by a restore, is loaded.
    overtaken = vault.extract("full")
    vault.edit("p00004")
    vault.run("changed")
    vault.load(overtaken)
    assert vault.load(late, is_replay=True).updated == 0


def test_what_a_restore_has_taken_back_is_in_the_sync_log_when_it_is_loaded_again(vault: Vault) -> None:
    vault.run("full")
    made, _ = vault.back_up()
    vault.edit("p00003")
    folder = vault.extract("changed")
    vault.load(folder)
    vault.restore(made, discard_newer=True)
    assert vault.load(folder).updated == 1
    # Otherwise no build would take in what it has changed.
    runs = [row["run_id"] for row in vault.rows("sync_runs", "ops")]
    assert runs.count(vault.manifest.run_id) == 1
    vault.load(folder)
    assert len(vault.rows("sync_runs", "ops")) == len(runs)


class KilledError(BaseException):
    """The process ended here."""


def dying_after(calls: int, original: Callable[..., Any]) -> Callable[..., Any]:
    """`original`, and the end of the process after so many calls."""
    left = count(calls, -1)

    def dies(*arguments: Any, **options: Any) -> Any:
        done = original(*arguments, **options)
        if next(left) <= 1:
            raise KilledError
        return done

    return dies


def test_a_killed_backup_is_none(vault: Vault) -> None:
    vault.run("full")
    first, _ = vault.back_up(days_ago=3)
    vault.edit("p00003")
    vault.run("changed")
    with (
        pytest.raises(KilledError),
        mock.patch.object(ParquetFiles, "keep", dying_after(3, ParquetFiles.keep)),
    ):
        vault.back_up(days_ago=2)
    assert vault.backups.ids() == [first.backup_id]
    second, _ = vault.back_up()
    assert vault.backups.ids() == [first.backup_id, second.backup_id]
    named = {copy.place for backup in (first, second) for copy in backup.copies if copy.place}
    assert {
        str(path.relative_to(vault.folder / "warehouse")) for path in vault.folder.rglob("*.parquet")
    } == named


def test_a_killed_restore_is_made_again(vault: Vault) -> None:
    vault.run("full")
    made, _ = vault.back_up()
    kept = vault.content()
    vault.edit("p00003")
    vault.run("changed")
    for step, calls in (("_make", 1), ("_replace", 5)):
        with (
            pytest.raises(KilledError),
            mock.patch.object(restore, step, dying_after(calls, getattr(restore, step))),
        ):
            vault.restore(made, discard_newer=True)
    vault.restore(made, discard_newer=True)
    assert vault.content() == kept
    beside = f"{vault.settings.dataset_prefix}{restore.SCRATCH}"
    assert not [each for each in vault.client.list_datasets() if each.dataset_id.startswith(beside)]


def damaged_files(file: Path) -> Iterator[str]:
    """Ways in which a file is not what was kept; each says so."""
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    yield "is damaged"
    file.write_bytes(b"")
    yield "is damaged"
    schema = [bigquery.SchemaField("id", "STRING")]
    write_parquet(file, RAW, schema, [{"id": "another"}])
    yield "should hold"
    file.unlink()
    yield "is not there"
    file.write_bytes(whole)


def test_a_damaged_copy_is_named_and_nothing_is_replaced(vault: Vault) -> None:
    vault.run("full")
    made, _ = vault.back_up()
    copy = made.copy_of(RAW)
    assert copy
    vault.edit("p00003")
    vault.run("changed")
    before = vault.content()
    for words in damaged_files(vault.folder / "warehouse" / copy.place):
        with pytest.raises(DamagedCopyError, match=rf"{copy.place}.*{words}"):
            vault.restore(made, discard_newer=True)
        assert vault.content() == before
    vault.restore(made, RAW, discard_newer=True)
    assert vault.content() != before


def test_what_a_kept_backup_needs_outlives_older_backups(vault: Vault) -> None:
    vault.run("full")
    taken = [vault.back_up(days_ago=days)[0] for days in (70, 69, 68, 39, 5)]
    vault.edit("p00003")
    vault.run("changed")
    taken.append(vault.back_up()[0])
    ids = [each.backup_id for each in taken]
    kept = vault.backups.ids()
    assert {*ids[-2:], ids[0]} <= set(kept) < set(ids)
    for backup in vault.backups.all():
        for copy in backup.copies:
            vault.backups.copies.check(copy)
    later = NOW + timedelta(days=400)
    vault.backups.discard(later, 30)
    left = list(vault.backups.all())
    assert len({f"{each.taken_at:%Y-%m}" for each in left[:-1]}) == len(left[:-1])
    assert left[-1].backup_id == ids[-1]
    for copy in left[0].copies:
        vault.backups.copies.check(copy)


SECONDS_OF_YEARS = 3 * 365 * 86_400
TIMES = st.lists(st.integers(0, SECONDS_OF_YEARS), min_size=1, max_size=60, unique=True).map(
    lambda seconds: [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=each) for each in seconds]
)


@given(TIMES, st.integers(1, 60), st.integers(0, 100))
def test_retention(times: list[datetime], days: int, later: int) -> None:
    ids = [new_id(each) for each in times]
    now = max(times) + timedelta(hours=1)
    kept = kept_of(ids, now, days)
    assert {each for each in ids if taken_at(each) > now - timedelta(days=days)} <= kept
    assert max(ids) in kept
    assert {each[:6] for each in kept} == {each[:6] for each in ids}
    # A day on which nothing ran changes nothing in the end.
    then = now + timedelta(days=later)
    assert kept_of(kept, then, days) == kept_of(ids, then, days)
    old = [each for each in kept_of(ids, then, days) if taken_at(each) <= then - timedelta(days=days)]
    assert len({each[:6] for each in old}) >= len(old) - 1


@given(st.lists(st.text()), st.randoms())
def test_the_checksum_knows_rows_and_no_order(texts: list[str], random: random.Random) -> None:
    rows = [{"id": each, "at": NOW, "none": None, "amount": Decimal("1.50")} for each in texts]
    shuffled = random.sample(rows, len(rows))
    for row in shuffled:
        row["amount"] = Decimal("1.5000")
    assert str(checksum_of(rows)) == str(checksum_of(shuffled))
    assert str(checksum_of([*rows, {"id": "one more"}])) != str(checksum_of(rows))


def test_without_a_place_there_is_no_backup(vault: Vault) -> None:
    with pytest.raises(NoBackupError, match="REPORTING_BACKUP_URI is not set"):
        back_up(vault.client, replace(vault.settings, backup_uri=None))
    with pytest.raises(NoBackupError, match="there is no backup up to 2020-01-01"):
        restore.choose(vault.backups, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(WarehouseError, match="has no schema in nowhere_ops"):
        back_up(vault.client, replace(vault.settings, dataset_prefix="nowhere_"))
    made, _ = vault.back_up()
    later = replace(made, revision="9999")
    with pytest.raises(NoBackupError, match="the revision 9999, which this code does not know"):
        vault.restore(later)


@pytest.mark.parametrize(
    "text", [b"", b"[{", b"5", b"null", b"{}", b'""', b"[5]", b"[{}]", b'[{"purged_at": 5}]', b"\xff"]
)
def test_a_damaged_list_of_the_erased_is_named(settings_of_files: Settings, text: bytes) -> None:
    backups = Backups(mock.create_autospec(bigquery.Client, instance=True), settings_of_files)
    assert not backups.purged_keys()
    backups.note_purged([])
    (path,) = Path(str(settings_of_files.backup_uri)).rglob(backing.PURGED_KEYS)
    path.write_bytes(text)
    with pytest.raises(
        NoBackupError, match=rf"{backing.PURGED_KEYS}, cannot be read .*{backing.PURGED}.*script/backup"
    ):
        backups.purged_keys()


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"null", b"[]", b"{}", b"\xff", b"\0", b"[" * 100_000, b'{"taken_at": 5}'],
    ids=["empty", "cut", "null", "list", "object", "utf-8", "nul", "deep", "time"],
)
def test_a_damaged_backup_hides_no_other_and_keeps_the_next_from_nothing(
    settings_of_files: Settings, text: bytes
) -> None:
    backups = Backups(mock.create_autospec(bigquery.Client, instance=True), settings_of_files)
    at = datetime(2026, 11, 20, tzinfo=UTC)
    whole = backing.Backup(backup_id=backing.new_id(at), taken_at=at, revision="0001", copies=())
    backups.write(whole)
    damaged = backing.new_id(at + timedelta(days=1))
    (folder,) = Path(str(settings_of_files.backup_uri)).rglob("backups")
    (folder / f"{damaged}.json").write_bytes(text)
    assert backups.latest() == whole
    shown = listing._listed(listing._kept(backups), settings_of_files)
    assert [list(column.cells) for column in shown.columns][:2] == [
        ["2026-11-20 00:00", "cannot be read"],
        [whole.backup_id, damaged],
    ]
    # What only the damaged one names must not go.
    with pytest.raises(NoBackupError, match=rf"{damaged}.json cannot be read .* remove that file"):
        backups.discard_copies(at)
