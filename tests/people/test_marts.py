"""The marts of people through a small story: what is typed badly, who becomes one, and what the owner decides."""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

import pytest

from reporting.sources.base import Tombstone
from tests.dbt.sample_warehouse import migrated
from tests.people.sample_warehouse import Neighbourhood

TODAY = date(2026, 6, 30)
Typed = tuple[str, str, dict[str, Any]]


def card(key: str, given: str | None = None, family: str | None = None, **fields: Any) -> Typed:
    """A person of Google Contacts; `emails`, `phones` and `birthday` in short."""
    name = {part: text for part, text in (("givenName", given), ("familyName", family)) if text}
    lists: dict[str, list[Any]] = {
        "names": [name] if name else [],
        "emailAddresses": [{"value": each} for each in fields.get("emails", ())],
        "phoneNumbers": [{"value": each} for each in fields.get("phones", ())],
        "organizations": fields.get("organizations", []),
        "birthdays": [{"date": fields["birthday"]}] if "birthday" in fields else [],
    }
    return ("google", f"people/{key}", {name: values for name, values in lists.items() if values})


def contact(key: str, **properties: str) -> Typed:
    return ("hubspot", key, properties)


READERS = [f"reader{number}@list.example.com" for number in range(199)]
PEOPLE = [
    contact("1", firstname="Ada", lastname="Abel", email="ada@example.com", company="Abel Bakery"),
    card(
        "ada",
        "Ada",
        "Abel",
        emails=["  ADA@Example.com ", "ada@home.example.com"],
        phones=["030 1234567"],
        birthday={"month": 2, "day": 29},
        organizations=[{"name": "ABEL BAKERY", "title": "Baker"}, {"name": "Choir"}],
    ),
    card("nothing"),
    card("ben", "Ben", birthday={"year": 1988, "month": 2, "day": 29}, phones=["12"]),
    card("year", "Una", "Year", birthday={"year": 1990}),
    card("apple", "Amy", "Apple", birthday={"year": 1604, "month": 5, "day": 9}),
    card("sheet", "Sue", "Sheet", birthday={"year": 1904, "month": 1, "day": 2}),
    card("to-come", "Tom", "Come", birthday={"year": 2999, "month": 5, "day": 9}),
    contact("6", firstname="Fay", lastname="First", date_of_birth="0001-05-09"),
    contact("7", firstname="Abe", lastname="Apple", date_of_birth="1604-05-09"),
    card("list", "Newsletter", emails=[*READERS, "ada@example.com"]),
    card("dora", "Dora", "Dahl", emails=["dora@example.com"]),
    contact("2", firstname="Emil", lastname="Egge", email="dora@example.com"),
    contact("3", firstname="Gil", lastname="Gross", email="gil@example.com"),
    contact("4", firstname="Hal", lastname="Holm", email="hal@example.com"),
    contact("5", firstname="Hal", lastname="Holm", email="hal.holm@example.org"),
]
LATER = card("gil", "Gil", "Gross", emails=["gil@home.example.com"])
TOGETHER = card("gil", "Gil", "Gross", emails=["gil@home.example.com", "gil@example.com"])
MERGED = ("hubspot", Tombstone("5", "merged", "4"))


class Day(NamedTuple):
    """What a build left: the rows of the marts by person, and each record's person."""

    people: dict[str, dict[str, Any]]
    relationships: dict[str, dict[str, Any]]
    matches: list[dict[str, Any]]
    person_of: dict[str, str]

    def of(self, record: str) -> dict[str, Any]:
        return self.people[self.person_of[record]]

    def pair(self, one: str, other: str) -> list[tuple[Any, ...]]:
        """Evidence, whether it is a match, and the doubt, of two records."""
        return [
            (each["evidence"], each["value"], each["is_match"], each["doubt"])
            for each in self.matches
            if {each["record_id"], each["other_record_id"]} == {one, other}
        ]


class Story(NamedTuple):
    """The days."""

    first: Day
    second: Day
    together: Day
    decided: Day


def day(sample_warehouse: Neighbourhood, *select: str) -> Day:
    # The test of keys looks at every mart, and not all are there.
    sample_warehouse.dbt(*(select or ("int_people__records+,tag:marts",)), exclude=("tag:full",))
    rows = {
        name: [
            dict(row)
            for row in sample_warehouse.client.query_and_wait(f"SELECT * FROM {sample_warehouse.mart(name)}")
        ]
        for name in ("people", "relationships", "people_matches")
    }
    return Day(
        {row["person_id"]: row for row in rows["people"]},
        {row["person_id"]: row for row in rows["relationships"]},
        rows["people_matches"],
        sample_warehouse.people(),
    )


@pytest.fixture(scope="module")
def story(shared_environment: dict[str, str]) -> Iterator[Story]:
    with migrated(shared_environment, REPORTING_DEFAULT_REGION="DE") as (client, settings):
        sample_warehouse = Neighbourhood(client, settings, TODAY)
        sample_warehouse.hold(PEOPLE)
        sample_warehouse.dbt("@int_people__records,tag:staging")
        first = day(sample_warehouse, "+relationships,tag:marts", "+people_matches,tag:marts")
        sample_warehouse.hold([*PEOPLE, LATER])
        second = day(sample_warehouse)
        sample_warehouse.hold([*PEOPLE, TOGETHER])
        together = day(sample_warehouse)
        sample_warehouse.override(
            ("google:people/gil", "hubspot:3", False), ("google:people/dora", "hubspot:2", True)
        )
        sample_warehouse.hold([each for each in [*PEOPLE, TOGETHER] if each[:2] != ("hubspot", "5")], MERGED)
        yield Story(first, second, together, day(sample_warehouse))


def test_one_person_of_two_sources(story: Story) -> None:
    ada = story.first.of("hubspot:1")
    assert story.first.person_of["google:people/ada"] == ada["person_id"]
    assert ada["emails"] == ["ada@example.com", "ada@home.example.com"]
    assert ada["phones"] == ["+49301234567"]
    assert ada["companies"] == ["Abel Bakery", "Choir"] or ada["companies"] == ["ABEL BAKERY", "Choir"]
    assert (ada["job_title"], ada["sources"], ada["records_count"]) == ("Baker", ["google", "hubspot"], 2)
    assert (ada["hubspot_contact_ids"], ada["google_contact_ids"]) == (["1"], ["people/ada"])
    assert story.first.pair("hubspot:1", "google:people/ada") == [("email", "ada@example.com", True, None)]


def test_a_card_without_name_and_address_is_a_person_of_its_own(story: Story) -> None:
    nothing = story.first.of("google:people/nothing")
    assert (nothing["full_name"], nothing["email"], nothing["emails"], nothing["phones"]) == (
        None,
        None,
        [],
        [],
    )
    assert story.first.relationships[nothing["person_id"]]["touches_365_days"] == 0


def test_birthdays_are_known_as_far_as_they_are_typed(story: Story) -> None:
    def birthday(record: str) -> tuple[Any, ...]:
        row = story.first.relationships[story.first.person_of[record]]
        return row["next_birthday_on"], row["days_to_birthday"], row["age_at_birthday"]

    leap = date(2027, 2, 28)
    assert birthday("hubspot:1") == (leap, (leap - TODAY).days, None)
    assert birthday("google:people/ben") == (leap, (leap - TODAY).days, 39)
    assert birthday("google:people/year") == (None, None, None)
    assert story.first.of("google:people/year")["birth_year"] == 1990


@pytest.mark.parametrize(
    "record",
    ["google:people/apple", "google:people/sheet", "google:people/to-come", "hubspot:6", "hubspot:7"],
)
def test_a_year_that_stands_for_an_unknown_one_gives_no_age(story: Story, record: str) -> None:
    row = story.first.relationships[story.first.person_of[record]]
    assert row["next_birthday_on"] is not None
    assert (row["age_at_birthday"], story.first.of(record)["birth_year"]) == (None, None)


def test_a_list_of_addresses_is_nobody(story: Story) -> None:
    letter = story.first.of("google:people/list")
    assert len(letter["emails"]) == 200
    assert letter["records_count"] == 1
    assert story.first.of("hubspot:1")["records_count"] == 2


def test_what_is_ambiguous_is_listed_and_not_joined(story: Story) -> None:
    assert story.first.person_of["google:people/dora"] != story.first.person_of["hubspot:2"]
    assert story.first.pair("google:people/dora", "hubspot:2") == [
        ("email", "dora@example.com", False, "one e-mail, several names")
    ]
    assert story.first.pair("hubspot:4", "hubspot:5") == [("name", "hal holm", False, "same name")]


def test_of_two_who_turn_out_to_be_one_the_older_key_stays(story: Story) -> None:
    older, younger = story.second.person_of["hubspot:3"], story.second.person_of["google:people/gil"]
    assert older == story.first.person_of["hubspot:3"] != younger
    both = story.together.of("google:people/gil")
    assert (both["person_id"], both["former_person_ids"], both["records_count"]) == (older, [younger], 2)
    assert younger not in story.together.people


def test_the_owner_keeps_apart_and_joins(story: Story) -> None:
    older, younger = story.second.person_of["hubspot:3"], story.second.person_of["google:people/gil"]
    assert story.decided.person_of["hubspot:3"] == older
    assert story.decided.person_of["google:people/gil"] == younger
    assert story.decided.people[older]["former_person_ids"] == []
    assert story.decided.people[younger]["former_person_ids"] == [older]
    assert (
        "email",
        "gil@example.com",
        False,
        "kept apart by an override",
    ) in story.decided.pair("hubspot:3", "google:people/gil")
    assert story.decided.person_of["google:people/dora"] == story.decided.person_of["hubspot:2"]
    assert ("override", "said so", True, None) in story.decided.pair("google:people/dora", "hubspot:2")


def test_a_merge_in_the_source_joins_and_keeps_a_key(story: Story) -> None:
    winner, loser = story.first.person_of["hubspot:4"], story.first.person_of["hubspot:5"]
    merged = story.decided.of("hubspot:4")
    assert {merged["person_id"], *merged["former_person_ids"]} == {winner, loser}
    assert (merged["hubspot_contact_ids"], merged["records_count"]) == (["4"], 1)
    assert ("merge", "", True, None) in story.decided.pair("hubspot:4", "hubspot:5")


def test_everybody_else_keeps_their_key(story: Story) -> None:
    untouched = {
        "hubspot:1",
        "google:people/ada",
        "google:people/nothing",
        "google:people/ben",
        "google:people/list",
    }
    for later in story[1:]:
        assert {name: later.person_of[name] for name in untouched} == {
            name: story.first.person_of[name] for name in untouched
        }
