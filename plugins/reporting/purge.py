"""Erases a person for good: from raw, dbt's snapshots, the landing and the backups; the marts are built anew after it.

What is to be erased is noted as hashed keys before anything is (`ops.purged_keys`), so that a purge that was cut off goes
on by them, and neither a read, a load nor a restore brings back what is gone.
"""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from reporting.entities import HUBSPOT_OBJECTS, entity_named
from reporting.landing import Landing, LandingError
from reporting.settings import Settings
from reporting.sources.base import Page
from reporting.warehouse import purged
from reporting.warehouse.backup import (
    DATASETS,
    PURGED,
    REVISIONS,
    Backup,
    Backups,
    filled_tables,
    new_id,
)
from reporting.warehouse.copies import Copy, DamagedCopyError
from reporting.warehouse.purged import (
    Matcher,
    PurgedKey,
    Screen,
    addresses_in,
    email_key,
    record_key,
    texts_in,
)
from reporting.warehouse.transfer import Row, address_of, read_rows

logger = logging.getLogger(__name__)

CONTACTS = {"hubspot": "hubspot__contacts", "google": "google__contacts"}
ENGAGEMENTS = frozenset(each.name for each in HUBSPOT_OBJECTS if each.is_engagement)
# These hold keys of runs and of who was erased, and nobody's data.
NOT_SEARCHED = (REVISIONS, PURGED)
LEAST_PHONE_DIGITS = 8
PHONE = re.compile(r"\+?\d[\d\s()./-]{6,}\d")


class PurgeError(Exception):
    """Who is to be erased cannot be told; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A record of a person: `record_id` as people's keys have it (`hubspot:101`), addresses and names as compared."""

    record_id: str
    emails: frozenset[str]
    mentioned: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]

    @property
    def table(self) -> str:
        """Its raw table."""
        return CONTACTS[self.record_id.partition(":")[0]]

    @property
    def key(self) -> str:
        """Its key there."""
        return self.record_id.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is to be erased, and what was found of them.

    `emails` are theirs alone; `shared_emails` stand with others, too. `rows` are the keys of what is erased and
    `mentions` of what stays though it has a name, number or shared address of theirs, both by raw table.
    """

    record_ids: frozenset[str]
    person_ids: frozenset[str]
    emails: frozenset[str]
    shared_emails: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]
    rows: Mapping[str, frozenset[str]]
    mentions: Mapping[str, frozenset[str]]

    @property
    def identity(self) -> "Identity":
        """What the person is searched by."""
        return Identity(
            emails=self.emails,
            phones=self.phones,
            names=self.names,
            record_ids=self.record_ids,
            person_ids=self.person_ids,
        )

    @property
    def keys(self) -> frozenset[str]:
        """What is hashed and kept. An association goes with either of its ends and needs no key."""
        records = (
            record_key(table, each)
            for table, ids in self.rows.items()
            if table != purged.ASSOCIATIONS
            for each in ids
        )
        contacts = (
            record_key(CONTACTS[source], key)
            for source, _, key in (each.partition(":") for each in self.record_ids)
        )
        return frozenset((*records, *contacts, *(purged.address_key(each) for each in self.emails)))


@dataclass(slots=True)
class Erased:
    """What went, by place, and what could not be looked into."""

    counts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, place: str, count: int) -> None:
        """Count what went from there."""
        if count:
            self.counts[place] = self.counts.get(place, 0) + count


def find(client: bigquery.Client, settings: Settings, who: Sequence[str]) -> Person | None:
    """The person with these e-mail addresses or records (`hubspot:101`), None when raw has nobody of them.

    Raises `PurgeError` when they are several people.
    """
    contacts = {each.record_id: each for each in _contacts(client, settings)}
    people = _person_ids(client, settings)
    seeds = {
        record_id
        for each in who
        for record_id in (
            [key for key, contact in contacts.items() if email_key(each) in contact.emails]
            if "@" in each
            else [each]
        )
        if record_id in contacts or record_id in people
    }
    if not seeds:
        return None
    groups = {people.get(each, each) for each in seeds}
    if len(groups) > 1:
        raise PurgeError(
            f"{len(groups)} people have it: {'; '.join(_by_person(seeds, people))}. Name the records of the one who is "
            "meant instead of the address. Are they one? Say so in dbt/seeds/people_overrides.csv, and build first."
        )
    records = seeds | {each for each, person in people.items() if person in groups}
    theirs = [contacts[each] for each in records if each in contacts]
    others = [each for key, each in contacts.items() if key not in records]
    emails = frozenset().union(*(each.emails for each in theirs))
    shared = emails & frozenset().union(*(each.mentioned for each in others))
    identity = Identity(
        emails=emails - shared,
        phones=frozenset().union(*(each.phones for each in theirs)),
        names=frozenset().union(*(each.names for each in theirs)),
        record_ids=frozenset(records),
        person_ids=frozenset(people[each] for each in records if each in people),
    )
    rows, mentions = _rows(client, settings, identity, shared)
    return Person(
        record_ids=identity.record_ids,
        person_ids=identity.person_ids,
        emails=identity.emails,
        shared_emails=shared,
        phones=identity.phones,
        names=identity.names,
        rows=rows,
        mentions=mentions,
    )


def begin(
    client: bigquery.Client, settings: Settings, person: Person, backups: Backups | None, at: datetime
) -> Matcher:
    """Note who is erased, before anything is; returns what tells their records from others'."""
    known = purged.read(client, settings)
    salt = next((each.salt for each in sorted(known, key=lambda each: each.purged_at)), None)
    # Who comes again under a new key is the same person, and goes on under either.
    matcher = Matcher(known)
    met = sorted({found.purge_id for key in person.keys if (found := matcher.find(key))})
    keys = purged.hashed(person.keys, met[0] if met else f"purge-{new_id(at)}", at, salt)
    if backups:
        backups.note_purged(backups.purged_keys() | known | keys)
    purged.add(client, settings, keys)
    return Matcher(keys)


def begun(
    client: bigquery.Client, settings: Settings, backups: Backups | None, who: Sequence[str]
) -> frozenset[PurgedKey]:
    """The keys of the purges in which these addresses or records were erased before."""
    known = purged.read(client, settings) | (backups.purged_keys() if backups else frozenset())
    matcher = Matcher(known)
    found = set()
    for each in who:
        source, _, key = each.partition(":")
        name = purged.address_key(each) if "@" in each else record_key(CONTACTS.get(source, source), key)
        if met := matcher.find(name):
            found.add(met.purge_id)
    return frozenset(each for each in known if each.purge_id in found)


def allow_again(
    client: bigquery.Client, settings: Settings, backups: Backups | None, keys: Iterable[PurgedKey]
) -> None:
    """Take keys off the list: the next read brings these people again if the source has them."""
    gone = {each.purge_id for each in keys}
    purged.forget(client, settings, gone)
    if backups:
        backups.note_purged(each for each in backups.purged_keys() if each.purge_id not in gone)


def erase(
    client: bigquery.Client,
    settings: Settings,
    landing: Landing,
    backups: Backups | None,
    matcher: Matcher,
    say: Callable[[str], None] = logger.info,
) -> Erased:
    """Erase from raw, snapshots, landing and backups all that `matcher` knows. Repeating it changes nothing."""
    done = Erased()
    say("Erasing from the warehouse ...")
    for name, table in filled_tables(client, settings, DATASETS):
        if name not in NOT_SEARCHED:
            done.add(name, purged.erase_rows(client, table, matcher.of_table(name)))
    say("Erasing from the landing ...")
    for source, entity, screen, run_id in _landings(landing, matcher):
        try:
            erased = landing.erase(landing.folder(source, entity, run_id), screen.page)
        except LandingError as error:
            done.problems.append(str(error))
            continue
        done.add(f"landing of {source}__{entity}", erased)
        if erased:
            # A read that goes on would take copies of parts that were removed.
            for refresh in ("full", "changed"):
                landing.remove_note(f"{source}/{entity}/checkpoint-{refresh}.json")
    if backups:
        say("Erasing from the backups ...")
        _erase_copies(backups, matcher, done)
    return done


def identity_of(who: Iterable[str]) -> "Identity":
    """What is known of somebody whose rows are gone already."""
    given = list(who)
    return Identity(
        emails=frozenset(email_key(each) for each in given if "@" in each),
        phones=frozenset(),
        names=frozenset(),
        record_ids=frozenset(each for each in given if "@" not in each),
        person_ids=frozenset(),
    )


def _erase_copies(backups: Backups, matcher: Matcher, done: Erased) -> None:
    every = list(backups.all())
    at = datetime.now(UTC)
    for number, copy in enumerate(_copies(every)):
        if not copy.row_count:
            continue
        try:
            # Each has a name of its own, of the time of its making.
            name = new_id(at + timedelta(microseconds=number))
            new = backups.copies.without(copy, matcher.of_table(copy.table), name)
        except DamagedCopyError as error:
            done.problems.append(str(error))
            continue
        if new is None:
            continue
        for place, backup in enumerate(every):
            if any(each.place == copy.place for each in backup.copies):
                every[place] = backup.with_copy(copy.place, new)
                backups.write(every[place])
        done.add(f"backups of {copy.table}", copy.row_count - new.row_count)
    backups.discard_copies(at, longest_backup=timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a person is searched by."""

    emails: frozenset[str]
    phones: frozenset[str]
    names: frozenset[str]
    record_ids: frozenset[str]
    person_ids: frozenset[str]

    def kinds_in(self, value: Any) -> set[str]:
        """Which of e-mail, phone, name and key stand in any text of `value`."""
        found: set[str] = set()
        tails = {_tail(each) for each in self.phones}
        for text in texts_in(value):
            if "@" in text and not self.emails.isdisjoint(addresses_in(text)):
                found.add("e-mail")
            if tails and any(_tail(each) in tails for each in PHONE.findall(text)):
                found.add("phone")
            if self.names and any(f" {name} " in f" {_folded(text)} " for name in self.names):
                found.add("name")
            if text in self.record_ids or text in self.person_ids:
                found.add("key")
        return found

    def is_in_mart(self, row: Row) -> bool:
        """Whether a column for keys of contacts has one of theirs; marts have no source beside them."""
        keys = {each.partition(":")[2] for each in self.record_ids}
        return any(
            not keys.isdisjoint(texts_in(value)) for column, value in row.items() if "contact_id" in column
        )


def search(
    client: bigquery.Client,
    settings: Settings,
    landing: Landing,
    backups: Backups | None,
    identity: Identity,
    matcher: Matcher,
) -> tuple[dict[str, dict[str, int]], list[str]]:
    """Where the person is still met: by place the number of rows with an e-mail, phone, name or key of theirs.

    Looks into every table of the warehouse, every line of the landing and every copy; what cannot be looked into is told
    as well.
    """
    found: dict[str, dict[str, int]] = {}
    problems: list[str] = []

    def look(place: str, rows: Iterable[Any], is_theirs: Callable[[Any], bool]) -> None:
        try:
            for row in rows:
                kinds = identity.kinds_in(row) | ({"key"} if is_theirs(row) else set())
                for kind in kinds:
                    counts = found.setdefault(place, {})
                    counts[kind] = counts.get(kind, 0) + 1
        except (LandingError, DamagedCopyError) as error:
            problems.append(str(error))

    for name, table in filled_tables(client, settings, (*DATASETS, "staging", "marts")):
        if name not in NOT_SEARCHED:
            is_mart = name.partition(".")[0] not in DATASETS
            is_theirs = identity.is_in_mart if is_mart else matcher.of_table(name)
            look(name, read_rows(client, address_of(table), table.schema), is_theirs)
    for source, entity, screen, run_id in _landings(landing, matcher):
        lines = map(_Line, landing.lines(landing.folder(source, entity, run_id)))
        look(f"landing of {source}__{entity}", lines, partial(_is_emptied, screen))
    for copy in _copies(backups.all() if backups else ()):
        if backups and copy.row_count and copy.table not in NOT_SEARCHED:
            look(f"backups of {copy.table}", backups.copies.rows(copy), matcher.of_table(copy.table))
    return found, problems


class _Line(dict[str, Any]):
    """What a line of the landing holds, to be searched like a row."""

    def __init__(self, page: Page) -> None:
        super().__init__(
            records=[{"payload": each.payload, "values": each.values} for each in page.records],
            tombstones=[each.id for each in page.tombstones],
        )
        self.page = page


def _is_emptied(screen: Screen, line: _Line) -> bool:
    left = screen.page(line.page)
    return not (left.records or left.tombstones)


def _landings(landing: Landing, matcher: Matcher) -> Iterator[tuple[str, str, Screen, str]]:
    for source, entity in landing.entities():
        try:
            screen = Screen(entity_named(f"{source}__{entity}"), matcher)
        except LookupError:
            # A folder of somebody else's in the same bucket.
            continue
        for run_id in landing.run_ids(source, entity):
            yield source, entity, screen, run_id


def _copies(backups: Iterable[Backup]) -> list[Copy]:
    """Each copy once, whichever backups name it."""
    return list({copy.place: copy for backup in backups for copy in backup.copies}.values())


def _contacts(client: bigquery.Client, settings: Settings) -> Iterator[Contact]:
    for source, table in CONTACTS.items():
        address = f"{settings.project}.{settings.dataset('raw')}.{table}"
        for row in read_rows(client, address, client.get_table(address).schema):
            emails, phones, names = _of_hubspot(row) if source == "hubspot" else _of_google(row)
            yield Contact(
                record_id=f"{source}:{row['id']}",
                emails=frozenset(each for text in emails if text for each in addresses_in(text)),
                mentioned=frozenset(addresses_in(row)),
                phones=frozenset(each for each in phones if each),
                # One word alone is the name of too many.
                names=frozenset(name for text in names if " " in (name := _folded(text or ""))),
            )


def _of_hubspot(row: Row) -> tuple[list[str | None], list[str | None], list[str | None]]:
    names = " ".join(each for each in (row["firstname"], row["lastname"]) if each)
    return [row["email"], row["hs_additional_emails"]], [row["phone_e164"], row["mobilephone_e164"]], [names]


def _of_google(row: Row) -> tuple[list[str | None], list[str | None], list[str | None]]:
    names = [each["display_name"] for each in row["names"]]
    parts = [" ".join(filter(None, (each["given_name"], each["family_name"]))) for each in row["names"]]
    return (
        [each["value"] for each in row["email_addresses"]],
        [each["e164"] for each in row["phone_numbers"]],
        [*names, *parts],
    )


def _person_ids(client: bigquery.Client, settings: Settings) -> dict[str, str]:
    """The person of each record, as the last build has it."""
    table = f"{settings.project}.{settings.dataset('snapshots')}.person_keys"
    try:
        client.get_table(table)
    except NotFound:
        return {}
    rows = client.query(f"SELECT record_id, person_id FROM `{table}`").result()
    return {row["record_id"]: row["person_id"] for row in rows}


def _rows(
    client: bigquery.Client, settings: Settings, identity: Identity, shared: frozenset[str]
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """What is erased, and what stays though it names the person, by raw table."""
    erased: dict[str, set[str]] = {}
    mentions: dict[str, set[str]] = {}
    for record_id in identity.record_ids:
        source, _, key = record_id.partition(":")
        erased.setdefault(CONTACTS[source], set()).add(key)
    contact_ids = erased.get(CONTACTS["hubspot"], set())
    for table, key in _alone_with(client, settings, contact_ids):
        erased.setdefault(table, set()).add(key)
    weak = Identity(
        emails=shared,
        phones=identity.phones,
        names=identity.names,
        record_ids=frozenset(),
        person_ids=frozenset(),
    )
    for name, filled in filled_tables(client, settings, ("raw",)):
        short = name.partition(".")[2]
        for row in read_rows(client, address_of(filled), filled.schema):
            is_end = short == purged.ASSOCIATIONS and any(
                row[f"{end}_id"] in erased.get(f"hubspot__{row[f'{end}_type']}", ()) for end in ("from", "to")
            )
            if is_end or not identity.emails.isdisjoint(addresses_in(row)):
                erased.setdefault(short, set()).add(row["id"])
            elif row["id"] not in erased.get(short, ()) and weak.kinds_in(row):
                mentions.setdefault(short, set()).add(row["id"])
    return _frozen(erased), _frozen(mentions)


def _alone_with(
    client: bigquery.Client, settings: Settings, contact_ids: set[str]
) -> Iterator[tuple[str, str]]:
    """Table and key of each engagement that is associated with these contacts and with no other."""
    sql = f"""
        SELECT from_type, from_id, ARRAY_AGG(DISTINCT to_id) AS contact_ids
        FROM `{settings.dataset("raw")}.{purged.ASSOCIATIONS}`
        WHERE to_type = 'contacts' AND _deleted_at IS NULL
        GROUP BY from_type, from_id
    """
    for row in client.query(sql).result():
        if row["from_type"] in ENGAGEMENTS and set(row["contact_ids"]) <= contact_ids:
            yield f"hubspot__{row['from_type']}", row["from_id"]


def _by_person(record_ids: Iterable[str], people: Mapping[str, str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for each in sorted(record_ids):
        found.setdefault(people.get(each, each), []).append(each)
    return [", ".join(each) for each in found.values()]


def _folded(text: str) -> str:
    """Words in lower case without accents and punctuation."""
    plain = "".join(
        each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each)
    )
    return " ".join(re.findall(r"\w+", plain))


def _tail(phone: str) -> str:
    """The digits by which a number is recognised with or without its country."""
    return re.sub(r"\D", "", phone)[-LEAST_PHONE_DIGITS:]


def _frozen(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {table: frozenset(ids) for table, ids in found.items() if ids}
