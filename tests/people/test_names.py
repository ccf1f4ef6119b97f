"""Names, addresses and numbers of many languages: who is joined, and who stays apart. Each line shares nothing with another."""

from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from typing import Any
from unicodedata import normalize

import pytest

from tests.dbt.sample_warehouse import migrated
from tests.people.sample_warehouse import Neighbourhood

# Given and family name of each record; an empty one is not there.
Names = list[tuple[str, str]]

# Whoever shares a mailbox and a telephone, and is somebody else.
APART: dict[str, Names] = {
    "no family name": [("Mum", ""), ("Dad", "")],
    "a family name of signs": [("Mum", "-"), ("Dad", ".")],
    "a family name that is a picture": [("Mum", "\N{HEAVY BLACK HEART}\ufe0f"), ("Dad", "\u200d")],
    "first names of signs": [("?", "Berg"), ("!", "Dahl")],
    "Ma is a family name": [("Jack", "Ma"), ("Rose", "Ma")],
    "and Chen another": [("Jack", "Ma"), ("Jack", "Chen")],
    "Ba": [("Amadou", "Ba"), ("Fatou", "Ba")],
    "BA": [("Amadou", "BA"), ("Fatou", "BA")],
    "Ba in one field": [("Amadou BA", ""), ("Amadou Sow", "")],
    "Ing": [("Peter", "Ing"), ("Lara", "Ing")],
    "Ing-Marie": [("Ing-Marie", "Larsson"), ("Marie", "Larsson")],
    "Mag": [("Nora", "Mag"), ("Nora", "Lind")],
    "Md": [("Karim", "Md"), ("Salam", "Md")],
    "Mba": [("Samuel Mba", ""), ("Samuel Eto", "")],
    "Herr": [("Michael", "Herr"), ("Michael", "Lenz")],
    "two called Mohammed": [("Md. Karim", "Rahman"), ("Md. Salam", "Rahman")],
    "two doctors in one field": [("Dr. Berg", ""), ("Dr. Dahl", "")],
    "Jo and Joe": [("Jo", "Miller"), ("Joe", "Miller")],
    "Sue and Su": [("Sue", "Kim"), ("Su", "Kim")],
    "Michal and Michael": [("Michal", "Novak"), ("Michael", "Novak")],
    "Mueller and Muller": [("Eva", "Mueller"), ("Eva", "Muller")],
    "Devanagari": [("राम", "शर्मा"), ("रमा", "शर्मा")],
    "Devanagari's other vowels": [("रवि", "शर्मा"), ("रीवा", "शर्मा")],
    "Tamil": [("ராஜா", "குமார்"), ("ராஜி", "குமார்")],
    "Thai": [("มานี", "ใจดี"), ("มานะ", "ใจดี")],
    "Bengali": [("রিনা", "দাস"), ("রানা", "দাস")],
    "kana": [("かき", "はやし"), ("がき", "はやし")],
    "Katakana": [("ハナ", "ハヤシ"), ("バナ", "ハヤシ")],
    "Hebrew": [("דָּן", "לוי"), ("דִּין", "לוי")],
    "Han": [("伟", "王"), ("芳", "王")],
    "father and son": [("Karl", "Berg"), ("Karl", "Berg jr.")],
    "initials": [("A.", "Berg"), ("B.", "Berg")],
}

# Whoever shares a telephone alone, which says nothing of whose first name is not known.
APART_BY_PHONE: dict[str, Names] = {
    "two doctors": [("Dr.", "Berg"), ("Dr.", "Berg")],
    "two doctors in one field": [("Dr. Berg", ""), ("Berg, Dr.", "")],
    "two with a degree": [("Berg, MD", ""), ("Berg, MD", "")],
    "two of whom only the family name has letters": [("-", "Berg"), ("", "Berg")],
    "initials": [("J.", "Smith"), ("J", "Smith")],
}

# Whoever shares a telephone, and is one.
ONE: dict[str, Names] = {
    "one sign each": [("伟", "王"), ("伟", "王")],
    "one sign each, exchanged": [("伟", "王"), ("王", "伟")],
    "one syllable each": [("민", "김"), (normalize("NFD", "민"), "김")],
    "Md Rahman": [("Md", "Rahman"), ("Md", "Rahman")],
    "Md Rahman in one field": [("Md Rahman", ""), ("Md.", "Rahman")],
    "Md in front": [("Md. Karim", "Rahman"), ("Karim", "Rahman")],
    "Jack Ma": [("Jack", "Ma"), ("Jack Ma", "")],
    "Ma, Jack": [("Ma, Jack", ""), ("JACK", "MA")],
    "a doctor": [("Dr. Anna", "Berg"), ("Anna", "Berg")],
    "Dr. med.": [("Dr. med. Anna", "Berg"), ("Anna", "Berg")],
    "an engineer": [("Dipl.-Ing. Anna", "Berg"), ("Anna", "Berg")],
    "a master": [("Mag. Anna Berg", ""), ("Anna", "Berg")],
    "degrees": [("Anna", "Berg, MD, PhD"), ("Anna", "Berg")],
    "a degree in capitals": [("Anna", "Berg MBA"), ("Anna", "Berg")],
    "a degree with full stops": [("Anna Berg M.A.", ""), ("Anna", "Berg")],
    "a degree in front of a family name": [("Berg, Dr. Anna", ""), ("Anna", "Berg")],
    "Mrs. Herr": [("Frau Lena", "Herr"), ("Lena", "Herr")],
    "Müller is Mueller": [("Jörg", "Müller"), ("Joerg", "Mueller")],
    "Müller is Muller": [("Jörg", "Müller"), ("Jorg", "Muller")],
    "Ødegård": [("Bjørn", "Ødegård"), ("Bjoern", "Oedegaard")],
    "decomposed": [("José", "Núñez"), (normalize("NFD", "José"), normalize("NFD", "Núñez"))],
    "decomposed Devanagari": [("\u0958ादिर", "ख़ान"), ("\u0915\u093cादिर", "ख़ान")],
    "decomposed kana": [("ガク", "バンノ"), ("ｶﾞｸ", "バンノ")],
    "without accents": [("Ζωή", "Παπαδοπούλου"), ("Ζωη", "Παπαδοπουλου")],
    "Cyrillic": [("Семён", "Королёв"), ("Семен", "Королев")],
    "a joiner that nobody sees": [("క్‌షమ", "రావు"), ("క్షమ", "రావు")],
}

# Whoever the rules of before had joined, and had apart.
JOINED_BEFORE = ("no family name", "Ma is a family name", "Jo and Joe", "Devanagari")
JOINED_NOW = "one sign each"

# Addresses of which nothing is left, each in two records.
NOTHING = ["+4930111@fax.example.net", "+tag@example.com", "...@gmail.com", "+1@gmail.com"]
ADDRESSES: list[tuple[list[str], list[str], bool]] = [
    (["+4930111@gate.example.net"], ["+4930222@gate.example.net"], False),
    (["info.@one.example.com"], ["info.@one.example.com"], False),
    (["ada@two.example.com."], ["ada@two.example.com"], True),
    (["ada+home@three.example.com"], ["ada@three.example.com"], True),
    (["ada @ four.example.com"], ["ada@four.example.com"], True),
    (["see ada @ five.example.com"], ["ada@five.example.com"], False),
    (["ada. berg@six.example.com"], ["berg@six.example.com"], False),
]


def card(number: int, name: tuple[str, str], emails: list[str], phones: list[str]) -> tuple[str, str, Any]:
    """A record of Google Contacts: nothing else has two of one address."""
    given, family = name
    parts = {part: text for part, text in (("givenName", given), ("familyName", family)) if text}
    return (
        "google",
        f"people/c{number}",
        {
            "names": [parts] if parts else [],
            "emailAddresses": [{"value": each} for each in emails],
            "phoneNumbers": [{"value": each} for each in phones],
        },
    )


def _was_built_before(sample_warehouse: Neighbourhood) -> None:
    """Keys of an installation that joined whoever stands in `JOINED_BEFORE` and has the others apart."""
    sample_warehouse.client.create_dataset(sample_warehouse.settings.dataset("snapshots"), exists_ok=True)
    table = f"{sample_warehouse.settings.dataset('snapshots')}.person_keys"
    sample_warehouse.client.query_and_wait(
        f"CREATE TABLE {table} (record_id STRING, person_id STRING, joined_at TIMESTAMP, founded_at TIMESTAMP)"
    )
    rows = []
    for line in JOINED_BEFORE:
        founder, other = (f"google:people/c{1000 + 2 * list(APART).index(line) + which}" for which in (0, 1))
        rows.append(f"('{founder}', '{founded(founder)}', TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-01')")
        rows.append(f"('{other}', '{founded(founder)}', TIMESTAMP '2026-01-02', NULL)")
    for which in (0, 1):
        record = f"google:people/c{2000 + 2 * list(ONE).index(JOINED_NOW) + which}"
        rows.append(
            f"('{record}', '{founded(record)}', TIMESTAMP '2026-01-0{which + 1}', TIMESTAMP '2026-01-0{which + 1}')"
        )
    sample_warehouse.client.query_and_wait(f"INSERT INTO {table} VALUES {', '.join(rows)}")


def founded(record: str) -> str:
    """The key of the person that a record founded."""
    return f"person_{sha256(record.encode()).hexdigest()[:16]}"


@pytest.fixture(scope="module")
def built(shared_environment: dict[str, str]) -> Iterator[Neighbourhood]:
    with migrated(shared_environment, REPORTING_DEFAULT_REGION="DE") as (client, settings):
        sample_warehouse = Neighbourhood(client, settings, date(2026, 6, 30))
        records = []
        for place, names in enumerate(APART.values()):
            for which, name in enumerate(names):
                number = 1000 + 2 * place + which
                records.append(card(number, name, [f"sun{place}@x.example.com"], [f"+49 30 91{place:03}11"]))
        for place, names in enumerate(APART_BY_PHONE.values()):
            for which, name in enumerate(names):
                records.append(card(5000 + 2 * place + which, name, [], [f"+49 30 93{place:03}33"]))
        for place, names in enumerate(ONE.values()):
            for which, name in enumerate(names):
                records.append(card(2000 + 2 * place + which, name, [], [f"+49 30 92{place:03}22"]))
        for place, address in enumerate(NOTHING):
            for which in range(2):
                records.append(card(3000 + 2 * place + which, ("", ""), [address], []))
        for place, (*pair, _) in enumerate(ADDRESSES):
            for which, emails in enumerate(pair):
                records.append(card(4000 + 2 * place + which, ("Ada", ""), emails, []))
        sample_warehouse.hold(records)
        sample_warehouse.dbt("+people_matches,tag:staging")
        _was_built_before(sample_warehouse)
        sample_warehouse.dbt(
            "int_people__records",
            "int_people__links",
            "int_people__connected",
            "int_people__matched",
            "person_keys",
        )
        yield sample_warehouse


@pytest.fixture(scope="module")
def people(built: Neighbourhood) -> dict[str, str]:
    return built.people()


def is_one(people: dict[str, str], number: int) -> bool:
    return people[f"google:people/c{number}"] == people[f"google:people/c{number + 1}"]


@pytest.mark.parametrize("line", APART)
def test_two_people_are_not_one(people: dict[str, str], line: str) -> None:
    assert not is_one(people, 1000 + 2 * list(APART).index(line)), APART[line]


@pytest.mark.parametrize("line", APART_BY_PHONE)
def test_a_telephone_alone_joins_nobody_without_a_first_name(people: dict[str, str], line: str) -> None:
    assert not is_one(people, 5000 + 2 * list(APART_BY_PHONE).index(line)), APART_BY_PHONE[line]


@pytest.mark.parametrize("line", ONE)
def test_one_person_is_one(people: dict[str, str], line: str) -> None:
    assert is_one(people, 2000 + 2 * list(ONE).index(line)), ONE[line]


@pytest.mark.parametrize("address", NOTHING)
def test_an_address_of_which_nothing_is_left_joins_nobody(people: dict[str, str], address: str) -> None:
    assert not is_one(people, 3000 + 2 * NOTHING.index(address))


@pytest.mark.parametrize("place", range(len(ADDRESSES)))
def test_addresses_are_one_only_as_a_whole(people: dict[str, str], place: int) -> None:
    assert is_one(people, 4000 + 2 * place) == ADDRESSES[place][2], ADDRESSES[place]


@pytest.mark.parametrize("line", JOINED_BEFORE)
def test_whoever_was_joined_wrongly_parts_and_the_founder_keeps_the_key(
    built: Neighbourhood, people: dict[str, str], line: str
) -> None:
    first, second = (f"google:people/c{1000 + 2 * list(APART).index(line) + which}" for which in (0, 1))
    assert people[first] == founded(first)
    assert people[second] == founded(second)
    keys = f"{built.settings.dataset('snapshots')}.person_keys"
    parted = dict(
        built.rows(f"SELECT record_id, parted_from FROM {keys} WHERE record_id IN ('{first}', '{second}')")
    )
    assert parted == {first: None, second: founded(first)}


def test_of_two_who_are_one_by_now_the_older_key_stays(people: dict[str, str]) -> None:
    first, second = (f"google:people/c{2000 + 2 * list(ONE).index(JOINED_NOW) + which}" for which in (0, 1))
    assert people[first] == people[second] == founded(first)
