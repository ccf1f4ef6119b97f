"""A person is erased everywhere, stays erased, and nobody else is touched."""

import logging
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from google.cloud import bigquery

from reporting import purge
from reporting.commands import purge_person
from reporting.commands.errors import CommandError
from reporting.entities import Entity, entity_named
from reporting.landing import RUN_TIME, Landing, Manifest, new_run_id
from reporting.settings import Settings
from reporting.sources.base import Page, Record, Tombstone
from reporting.warehouse import purged, restore, states
from reporting.warehouse.backup import DATASETS, REVISIONS, Backups, back_up, filled_tables
from reporting.warehouse.load import load
from reporting.warehouse.purged import Matcher, email_key
from reporting.warehouse.rows import rows_of
from reporting.warehouse.transfer import address_of
from tests.people.house import google, hubspot

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
ADA = "Ada.Lovell+work@gmail.com"
SHARED = "lovells@example.com"
PHONE = "+49 30 1234567"


def contact(key: str, first: str, last: str, *emails: str, phone: str | None = None, **others: str) -> Record:
    more = ";".join(emails[1:]) or None
    return hubspot(
        key,
        {
            "firstname": first,
            "lastname": last,
            "email": emails[0] if emails else None,
            "hs_additional_emails": more,
            "phone": phone,
            **others,
        },
    )


def link(one: str, one_id: str, other: str, other_id: str) -> Record:
    key = f"{one}:{one_id}>{other}:{other_id}#HUBSPOT_DEFINED:1"
    values = {"from_type": one, "from_id": one_id, "to_type": other, "to_id": other_id}
    return Record({"id": key, **values, "category": "HUBSPOT_DEFINED", "type_id": "1", "label": None})


RECORDS: dict[str, list[Record]] = {
    "hubspot__contacts": [
        contact("101", "Ada", "Lovell", ADA, SHARED, phone=PHONE),
        contact("102", "Ben", "Lovell", "ben@example.com", SHARED),
        contact("103", "Cleo", "Marsh", "cleo@example.com", jobtitle="Friend of Ada Lovell"),
    ],
    "google__contacts": [
        google(
            "people/c1",
            {
                "names": [{"displayName": "Ada Lovell", "givenName": "Ada", "familyName": "Lovell"}],
                "emailAddresses": [{"value": "adalovell@googlemail.com"}, {"value": "ada@work.example"}],
                "phoneNumbers": [{"value": "030 1234567", "canonicalForm": "+49301234567"}],
            },
        ),
        google(
            "people/c2",
            {"names": [{"displayName": "Dan Ode"}], "emailAddresses": [{"value": "dan@example.com"}]},
        ),
    ],
    "hubspot__calls": [
        hubspot("1", {"hs_call_title": "With her alone"}),
        hubspot("2", {"hs_call_title": "With both"}),
        hubspot("3", {"hs_call_title": "With him"}),
    ],
    "hubspot__emails": [
        hubspot("1", {"hs_email_subject": "Hello", "hs_email_to_email": '"Ada" <ADA@work.example>'}),
        hubspot("2", {"hs_email_subject": "Hello", "hs_email_to_email": "dan@example.com"}),
    ],
    "hubspot__notes": [hubspot("1", {"hs_note_body": "<p>Ask Ada  LOVELL, at +49 (30) 123-4567</p>"})],
    "hubspot__associations": [
        link("calls", "1", "contacts", "101"),
        link("calls", "2", "contacts", "101"),
        link("calls", "2", "contacts", "102"),
        link("calls", "3", "contacts", "102"),
    ],
}
ERASED = {
    "hubspot__contacts": {"101"},
    "google__contacts": {"people/c1"},
    "hubspot__calls": {"1"},
    "hubspot__emails": {"1"},
    "hubspot__associations": {
        "calls:1>contacts:101#HUBSPOT_DEFINED:1",
        "calls:2>contacts:101#HUBSPOT_DEFINED:1",
    },
}
MENTIONS = {"hubspot__contacts": {"102", "103"}, "hubspot__notes": {"1"}}


class House:
    """A warehouse with a landing and backups, in which some people live."""

    def __init__(self, client: bigquery.Client, settings: Settings, folder: Path) -> None:
        self.client = client
        self.settings = replace(
            settings,
            landing_uri=str(folder / "landing"),
            backup_uri=str(folder / "backups"),
            default_region="DE",
        )
        self.folder = folder
        self.landing = Landing(self.settings.landing_uri)

    @property
    def backups(self) -> Backups:
        return Backups(self.client, self.settings)

    def land(
        self,
        table: str,
        records: list[Record],
        at: datetime = AT,
        *,
        is_whole: bool = True,
        gone: str | None = None,
    ) -> str:
        entity = entity_named(table)
        run_id = new_run_id(entity.source, entity.name, "full", at)
        folder = self.landing.folder(entity.source, entity.name, run_id)
        with self.landing.writer(folder) as writer:
            writer.keep(Page(at, tuple(records), (Tombstone(gone, "missing"),) if gone else ()))
            if is_whole:
                writer.finish(self._manifest(entity, run_id, at, gone))
        return folder

    def _manifest(self, entity: Entity, run_id: str, at: datetime, gone: str | None) -> Manifest:
        return Manifest(
            run_id=run_id,
            source=entity.source,
            entity=entity.name,
            refresh="full",
            started_at=at,
            extracted_at=at,
            window_since=None,
            cursor_at=at,
            record_count=0,
            tombstone_count=0,
            request_count=1,
            part_count=0,
            is_complete=True,
            missing_count=1 if gone else 0,
            content_digest="any",
        )

    def load(self, table: str, folder: str) -> Any:
        entity = entity_named(table)
        return load(self.client, self.settings, entity, self.landing, folder, tombstone_share=1.0)

    def fill(self, table: str, folder: str) -> None:
        """As a load does, with one statement."""
        entity = entity_named(table)
        manifest = self.landing.manifest(folder)
        rows = list(rows_of(entity, manifest, self.landing.pages(folder), self.settings))
        place = f"{self.settings.project}.{self.settings.dataset('raw')}.{table}"
        config = bigquery.LoadJobConfig(schema=self.client.get_table(place).schema)
        self.client.load_table_from_json(rows, place, job_config=config).result()

    def settle(self) -> None:
        """Everybody is read, loaded, and known as a person."""
        for table, records in RECORDS.items():
            self.fill(table, self.land(table, records))
        self.run(
            f"""
            CREATE OR REPLACE TABLE {self.settings.dataset("snapshots")}.person_keys AS
            SELECT record_id, person_id, TIMESTAMP '2026-01-01' AS joined_at, TIMESTAMP '2026-01-01' AS founded_at
            FROM UNNEST([
                STRUCT('hubspot:101' AS record_id, 'person_a' AS person_id), STRUCT('google:people/c1', 'person_a'),
                STRUCT('hubspot:102', 'person_b'), STRUCT('hubspot:103', 'person_c'), STRUCT('google:people/c2', 'person_d')
            ])
            """
        )
        self.run(
            f"""
            CREATE OR REPLACE TABLE {self.settings.dataset("snapshots")}.snap_hubspot__contacts AS
            SELECT contact_id, stage FROM UNNEST(['101', '102']) AS contact_id, UNNEST(['lead', 'customer']) AS stage
            """
        )

    def run(self, sql: str) -> None:
        self.client.query(sql).result()

    def empty(self) -> None:
        """Forget what earlier tests loaded."""
        self.client.create_dataset(self.settings.dataset("snapshots"), exists_ok=True)
        for name, table in filled_tables(self.client, self.settings, DATASETS):
            if name != REVISIONS:
                self.run(f"DELETE FROM `{address_of(table)}` WHERE TRUE")
        for table in RECORDS:
            states.forget(self.settings, entity_named(table))

    def ids(self) -> dict[str, set[str]]:
        """The keys in raw, by table."""
        return {
            name.partition(".")[2]: {
                row["id"] for row in self.client.query(f"SELECT id FROM `{address_of(table)}`").result()
            }
            for name, table in filled_tables(self.client, self.settings, ("raw",))
        }

    def files(self) -> set[str]:
        """The copies that are there."""
        root = self.folder / "backups" / "warehouse"
        return {str(path.relative_to(root)) for path in root.rglob("*.parquet")}

    def named(self) -> set[str]:
        """The copies that a list names."""
        return {copy.place for backup in self.backups.all() for copy in backup.copies if copy.place}

    def find(self, *who: str) -> purge.Person:
        found = purge.find(self.client, self.settings, who)
        assert found
        return found

    def purge_person(self, *who: str) -> purge.Erased:
        person = self.find(*who)
        matcher = purge.begin(self.client, self.settings, person, self.backups, AT)
        return self.erase(matcher)

    def erase(self, matcher: Matcher) -> purge.Erased:
        return purge.erase(self.client, self.settings, self.landing, self.backups, matcher)

    def search(self, person: purge.Person) -> dict[str, dict[str, int]]:
        found, problems = self.look_for(person)
        assert problems == []
        return found

    def look_for(self, person: purge.Person) -> tuple[dict[str, dict[str, int]], list[str]]:
        matcher = Matcher(purged.hashed(person.keys, "any", AT))
        return purge.search(self.client, self.settings, self.landing, self.backups, person.identity, matcher)


@pytest.fixture
def house(shared_warehouse: tuple[bigquery.Client, Settings], tmp_path: Path) -> House:
    made = House(*shared_warehouse, tmp_path)
    made.empty()
    made.settle()
    return made


def left(before: Mapping[str, set[str]]) -> dict[str, set[str]]:
    kept = {table: ids - ERASED.get(table, set()) for table, ids in before.items()}
    return {table: ids for table, ids in kept.items() if ids}


def strong(found: Mapping[str, Mapping[str, int]]) -> set[str]:
    return {place for place, counts in found.items() if {"e-mail", "key"} & counts.keys()}


def test_a_person_is_erased_and_stays_erased(house: House, caplog: pytest.LogCaptureFixture) -> None:
    before = house.ids()
    first, _ = back_up(house.client, house.settings, datetime.now(UTC) - timedelta(days=1))
    shutil.copytree(house.folder / "backups", house.folder / "elsewhere")
    person = house.find("ADALOVELL@gmail.com")
    assert {table: set(ids) for table, ids in person.rows.items()} == ERASED
    assert {table: set(ids) for table, ids in person.mentions.items()} == MENTIONS
    assert person.emails == {"adalovell@gmail.com", "ada@work.example"}
    assert person.shared_emails == {SHARED}
    met = house.search(person)
    assert {
        "raw.hubspot__contacts",
        "raw.google__contacts",
        "snapshots.person_keys",
        "snapshots.snap_hubspot__contacts",
        "landing of hubspot__emails",
        "backups of raw.hubspot__contacts",
    } <= strong(met)
    assert met["raw.hubspot__notes"] == {"name": 1, "phone": 1}

    erased = house.purge_person(ADA)
    assert erased.problems == []
    assert erased.counts["snapshots.snap_hubspot__contacts"] == 2
    assert erased.counts["landing of hubspot__associations"] == 2
    assert erased.counts["backups of raw.hubspot__contacts"] == 1
    assert house.ids() == left(before)
    after = house.search(person)
    assert strong(after) == set()
    assert after["raw.hubspot__notes"] == {"name": 1, "phone": 1}
    # No plain address or key in the list: a digest and a salt, the run and the time.
    listed = [
        tuple(row.values()) for row in house.client.list_rows(f"{house.settings.dataset('ops')}.purged_keys")
    ]
    assert len(listed) == 6
    for digest, salt, run_id, at in listed:
        assert re.fullmatch("[0-9a-f]{64}", digest)
        assert re.fullmatch("[0-9a-f]{32}", salt)
        assert (run_id, at) == (f"purge-{AT:{RUN_TIME}}", AT)

    # Nothing is left to erase, and every landing is whole.
    assert house.erase(Matcher(purged.read(house.client, house.settings))).counts == {}
    for table in RECORDS:
        source, _, name = table.partition("__")
        for run_id in house.landing.run_ids(source, name):
            list(house.landing.pages(house.landing.folder(source, name, run_id)))

    # The source still has her, and so has a copy of the backups that nobody could reach.
    later = house.land("hubspot__contacts", RECORDS["hubspot__contacts"], datetime.now(UTC))
    with caplog.at_level(logging.WARNING):
        house.load("hubspot__contacts", later)
    assert "hubspot__contacts: 1 records of people who were purged are still in the source" in caplog.text
    assert house.ids() == left(before)
    elsewhere = House(house.client, house.settings, house.folder)
    elsewhere.settings = replace(house.settings, backup_uri=str(house.folder / "elsewhere"))
    copies = restore.chosen_copies(first, ())
    done = restore.restore(
        house.client, elsewhere.settings, elsewhere.backups, elsewhere.backups.read(first.backup_id), copies,
        discard_newer=True,
    )  # fmt: skip
    assert {each.table: each.purged_count for each in done if each.purged_count} == {
        **{f"raw.{table}": len(ids) for table, ids in ERASED.items()},
        "snapshots.person_keys": 2,
        "snapshots.snap_hubspot__contacts": 2,
    }
    assert house.ids() == left(before)

    # Until she is wanted again.
    keys = purge.begun(house.client, house.settings, house.backups, ["hubspot:101"])
    assert len(keys) == 6
    purge.allow_again(house.client, house.settings, house.backups, keys)
    assert not purged.read(house.client, house.settings)
    assert not house.backups.purged_keys()
    house.load(
        "hubspot__contacts", house.land("hubspot__contacts", RECORDS["hubspot__contacts"], datetime.now(UTC))
    )
    assert house.ids()["hubspot__contacts"] == before["hubspot__contacts"]


class KilledError(BaseException):
    """The process ended here."""


def dies(*_: Any, **__: Any) -> None:
    raise KilledError


STEPS: list[tuple[Any, str]] = [
    (Landing, "_recount"),
    (Backups, "write"),
]


def test_a_killed_purge_goes_on(house: House) -> None:
    before = house.ids()
    back_up(house.client, house.settings)
    person = house.find(ADA)
    with pytest.raises(KilledError), mock.patch.object(purged, "add", dies):
        house.purge_person(ADA)
    assert house.ids() == before
    matcher = purge.begin(house.client, house.settings, person, house.backups, AT)
    for owner, name in STEPS:
        with pytest.raises(KilledError), mock.patch.object(owner, name, dies):
            house.erase(matcher)
    assert house.files() > house.named()
    # Whoever goes on knows the address alone.
    assert purge.find(house.client, house.settings, [ADA]) is None
    keys = purge.begun(house.client, house.settings, house.backups, [ADA])
    assert house.erase(Matcher(keys)).problems == []
    assert strong(house.search(person)) == set()
    assert house.ids() == left(before)
    assert house.files() == house.named()


def test_several_people_are_not_one(house: House) -> None:
    with pytest.raises(
        purge.PurgeError, match=r"2 people have it: .*hubspot:101; hubspot:102\. Name the records"
    ):
        house.find(SHARED)
    assert house.find("hubspot:102").record_ids == {"hubspot:102"}
    assert purge.find(house.client, house.settings, ["nobody@example.com"]) is None
    assert house.find("hubspot:102", "dan@example.com" if False else "hubspot:102").emails == {
        "ben@example.com"
    }


def test_what_was_cut_off_goes_and_what_is_damaged_is_named(house: House) -> None:
    person = house.find(ADA)
    later = AT + timedelta(days=1)
    cut = house.land("hubspot__contacts", RECORDS["hubspot__contacts"], later, is_whole=False)
    other = house.land(
        "hubspot__contacts", RECORDS["hubspot__contacts"][1:], later + timedelta(days=1), is_whole=False
    )
    house.landing.write_note("hubspot/contacts/checkpoint-full.json", "{}")
    gone = house.land("google__contacts", RECORDS["google__contacts"][1:], later, gone="people/c1")
    broken = house.land("hubspot__notes", RECORDS["hubspot__notes"], later)
    part = Path(house.landing.uri, broken, "part-00000.ndjson.gz")
    part.write_bytes(part.read_bytes()[:20])
    erased = house.purge_person(ADA)
    assert [each for each in erased.problems if broken in each]
    assert not Path(house.landing.uri, cut).exists()
    assert Path(house.landing.uri, other).exists()
    assert house.landing.note("hubspot/contacts/checkpoint-full.json") is None
    manifest = house.landing.manifest(gone)
    assert (manifest.record_count, manifest.tombstone_count, manifest.missing_count) == (1, 0, 0)
    assert manifest.content_digest is None
    assert [each.id for page in house.landing.pages(gone) for each in page.records] == ["people/c2"]
    found, problems = house.look_for(person)
    assert strong(found) == set()
    assert len(problems) == 1
    assert f"{broken} cannot be read" in problems[0]


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ada.Lovell+x@GoogleMail.com", "adalovell@gmail.com"),
        (" ADA.L+x@Example.com ", "ada.l@example.com"),
        ("+49123@example.com", "@example.com"),
    ],
)
def test_addresses_are_compared_as_people_are(typed: str, key: str) -> None:
    assert email_key(typed) == key


def test_addresses_are_found_in_any_text() -> None:
    value = {
        "a": ['{"b": "x\\nada@example.com"}', "mailto:Ben@Example.com."],
        "c": "<cleo@example.com>, none@",
        "d": 1,
    }
    assert set(purged.addresses_in(value)) == {"ada@example.com", "ben@example.com", "cleo@example.com"}


@pytest.mark.timeout(1200)
def test_the_command_asks_erases_builds_and_proves(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = {
        **house.settings.emulator_variables(),
        "REPORTING_DATASET_PREFIX": house.settings.dataset_prefix,
        "REPORTING_LANDING_URI": house.landing.uri,
        "REPORTING_BACKUP_URI": house.settings.backup_uri or "",
        "REPORTING_DEFAULT_REGION": "DE",
        "REPORTING_CONFIG": "/nowhere",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def said(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["purge-person", *arguments, "--data", str(house.folder / "state")])
        assert purge_person.main() == 0
        return capsys.readouterr().out

    # dbt makes its own.
    house.run(f"DROP TABLE {house.settings.dataset('snapshots')}.snap_hubspot__contacts")
    before = house.ids()
    back_up(house.client, house.settings)
    with pytest.raises(CommandError, match="nobody is there to be asked"):
        said(ADA)
    assert "Shared with others" in capsys.readouterr().out
    with pytest.raises(CommandError, match="raw has nobody with that address"):
        said("nobody@example.com", "--yes")
    assert house.ids() == before
    out = said(ADA, "--yes")
    assert "Nothing with an address or key of theirs is left." in out
    assert house.ids() == left(before)
    marts = house.settings.dataset("marts")
    people = house.client.query(f"SELECT full_name, emails FROM {marts}.people").result()
    assert {row["full_name"]: set(row["emails"]) for row in people} == {
        "Ben Lovell": {"ben@example.com", SHARED},
        "Cleo Marsh": {"cleo@example.com"},
        "Dan Ode": {"dan@example.com"},
    }
    assert "6 keys are off the list" in said(ADA, "--allow-again")
    with pytest.raises(CommandError, match="nobody with that address or record was purged"):
        said(ADA, "--allow-again")
