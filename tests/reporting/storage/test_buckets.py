"""What is kept in a bucket of Google's: landings, the report, backups. The service account's key opens it."""

from collections.abc import Iterator
from copy import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from google.cloud import bigquery

from reporting.backup import backup as backing
from reporting.backup import restore
from reporting.backup.backup import Backups, back_up
from reporting.deploy import checks
from reporting.ingest import checkpoints
from reporting.ingest.landing import Landing
from reporting.ingest.landing import writing as module
from reporting.reports.site import Site
from reporting.settings import SettingError, Settings, read_settings
from reporting.sources.base import Page
from reporting.sources.notion import client as notion
from reporting.storage.files import open_folder
from reporting.warehouse.transfer import address_of, as_line, read_rows
from tests.support.bucket import BUCKET, bucket
from tests.support.habit_syncs import DAILY, Syncs


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Everything that can be in a bucket is in one."""
    with bucket(monkeypatch) as connection:
        yield {
            "AIRFLOW_CONN_BIGQUERY": connection,
            "REPORTING_BIGQUERY_PROJECT": "of-the-tests",
            "REPORTING_LANDING_URI": f"{BUCKET}/landing",
            "REPORTING_SITE_URI": f"{BUCKET}/site/",
            "REPORTING_BACKUP_URI": f"{BUCKET}/backups",
            "REPORTING_EXPORT_URI": f"{BUCKET}/exports",
        }


@pytest.fixture
def given(environment: dict[str, str]) -> Settings:
    return read_settings(environment)


@pytest.fixture
def syncs(shared_warehouse: tuple[bigquery.Client, Settings], given: Settings, tmp_path: Path) -> Syncs:
    """Rounds whose landings are in the bucket, as are the backups."""
    client, settings = shared_warehouse
    settings = replace(settings, backup_uri=given.backup_uri, google_key=given.google_key)
    made = Syncs(client, settings, tmp_path)
    made.landing = Landing.of(given)
    made.empty()
    return made


def names(given: Settings, folder: str) -> list[str]:
    """Every object below `folder`."""
    files, root = open_folder(f"{BUCKET}/{folder}", given.google_key)
    return sorted(name.removeprefix(f"{root}/") for name in files.find(root))


def test_a_landing_in_a_bucket_is_loaded_from_it(
    syncs: Syncs, given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINES_PER_PART", 5)
    folder = syncs.extract("full")
    assert names(given, f"landing/{folder}") == [
        "manifest.json",
        *(f"part-{number:05d}.ndjson.gz" for number in range(syncs.manifest.part_count)),
    ]
    # As another process finds it.
    counts = syncs.load(folder)
    assert (counts.inserted, len(syncs.rows())) == (12, 12)
    assert syncs.landing.run_ids(DAILY.source, DAILY.name) == [syncs.manifest.run_id]


def test_a_read_that_was_cut_off_goes_on_in_a_bucket(
    syncs: Syncs, given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "LINES_PER_CHECKPOINT", 4)
    monkeypatch.setattr(notion, "PAGE_SIZE", 4)
    original, kept = module.LandingWriter.keep, count(1)

    def keep(self: module.LandingWriter, page: Page) -> None:
        if next(kept) == 3:
            raise KeyboardInterrupt
        original(self, page)

    with monkeypatch.context() as patch:
        patch.setattr(module.LandingWriter, "keep", keep)
        with pytest.raises(KeyboardInterrupt):
            syncs.extract("full")
    assert syncs.run("full").inserted == 12
    cut_off, whole = syncs.landing.run_ids(DAILY.source, DAILY.name)
    files, root = open_folder(given.landing_uri, given.google_key)
    one, other = (
        files.cat_file(f"{root}/{DAILY.source}/{DAILY.name}/{run_id}/part-00000.ndjson.gz")
        for run_id in (cut_off, whole)
    )
    # What the first had read was copied.
    assert one == other


def test_old_landings_in_a_bucket_go_but_for_the_newest(syncs: Syncs) -> None:
    for _ in range(3):
        syncs.run("full")
    newest = syncs.manifest.run_id
    assert syncs.landing.discard(datetime.now(UTC)) == 2
    assert syncs.landing.run_ids(DAILY.source, DAILY.name) == [newest]


def test_what_is_erased_from_a_landing_in_a_bucket_is_counted_again(syncs: Syncs) -> None:
    folder = syncs.extract("full")
    gone = next(syncs.landing.pages(folder)).records[0].id

    def suppression(page: Page) -> Page:
        return replace(page, records=tuple(each for each in page.records if each.id != gone))

    assert syncs.landing.erase(folder, suppression) == 1
    kept = [record.id for page in syncs.landing.pages(folder) for record in page.records]
    assert len(kept) == syncs.landing.manifest(folder).record_count == 11
    assert gone not in kept
    assert syncs.load(folder).inserted == 11


def test_a_report_in_a_bucket_is_what_was_written_last(given: Settings) -> None:
    site = Site.of(given)
    site.write({"index.html": b"before", "habits.html": b"habits"})
    Site.of(given).write({"index.html": b"after"})
    assert site.read("index.html") == b"after"
    assert site.read("habits.html") is None
    assert names(given, "site") == ["index.html", "site.json"]
    files, root = open_folder(given.site_uri, given.google_key)
    assert files.info(f"{root}/index.html")["contentType"] == "text/html"


def test_a_backup_in_a_bucket_comes_back(syncs: Syncs) -> None:
    syncs.run("full")
    kept, _ = back_up(syncs.client, syncs.settings)
    before = content(syncs)
    syncs.query(f"DELETE FROM raw.{DAILY.table} WHERE TRUE")
    backups = Backups(syncs.client, syncs.settings)
    assert backups.ids() == [kept.backup_id]
    restore.restore(
        syncs.client, syncs.settings, backups, kept, restore.chosen_copies(kept, [f"raw.{DAILY.table}"])
    )
    assert content(syncs) == before


def content(syncs: Syncs) -> list[str]:
    tables = dict(backing.filled_tables(syncs.client, syncs.settings, ("raw",)))
    table = tables[f"raw.{DAILY.table}"]
    return sorted(map(as_line, read_rows(syncs.client, address_of(table), table.schema)))


def test_the_doctor_writes_to_each_bucket_and_leaves_nothing(
    environment: dict[str, str], given: Settings
) -> None:
    found = list(checks.check_buckets(environment))
    assert [(each.subject, each.is_well) for each in found] == [
        ("REPORTING_LANDING_URI", True),
        ("REPORTING_SITE_URI", True),
        ("REPORTING_EXPORT_URI", True),
        ("REPORTING_BACKUP_URI", True),
    ]
    assert names(given, "") == []


def test_without_the_key_the_doctor_says_what_a_bucket_needs(environment: dict[str, str]) -> None:
    without = {name: value for name, value in environment.items() if name != "AIRFLOW_CONN_BIGQUERY"}
    for finding in (*checks.check_buckets(without), *checks.check_backup(without)):
        assert not finding.is_well
        assert "Storage Object Admin" in finding.text


def test_a_key_that_cannot_be_read_is_a_setting_to_mend() -> None:
    given = {"AIRFLOW_CONN_BIGQUERY": '{"extra": {"keyfile_dict": "{sensitive"}}'}
    # Nothing is opened with it.
    assert read_settings(given).google_key is None
    with pytest.raises(SettingError, match="AIRFLOW_CONN_BIGQUERY has a key that cannot be read") as caught:
        _ = read_settings(given | {"REPORTING_LANDING_URI": f"{BUCKET}/landing"}).google_key
    assert "sensitive" not in str(caught.value)


def test_a_key_is_in_no_text_of_the_settings(environment: dict[str, str]) -> None:
    assert "PRIVATE KEY" in str(read_settings(environment).google_key)
    assert "PRIVATE KEY" not in repr(read_settings(environment))


def test_a_local_bigquery_has_no_key(environment: dict[str, str]) -> None:
    assert read_settings(environment | {"BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}).google_key is None
