"""The sample has the people that a CRM has, too, and everything that makes matching them hard."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.serving import fake_api
from tests.sandbox.google.account import Account
from tests.support.control import client

Start = Callable[..., Account]
Person = dict[str, Any]


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """HubSpot's sample with the same seed, and the default sizes."""
    with fake_api("hubspot", tmp_path_factory.mktemp("hubspot"), None, "--today", "2026-03-15") as served:
        truth = client(served).get("/_control/truth/contacts").json()
    return {f"hubspot:{each['id']}": each["properties"] for each in truth}


def by_case(google: Account) -> dict[str, list[Person]]:
    found = defaultdict(list)
    for each in google.people().values():
        found[each["origin"]["case"]].append(each)
    return found


def emails(person: Person) -> list[str]:
    return [each["value"] for each in person["fields"].get("emailAddresses", [])]


def phones(person: Person) -> list[str]:
    """The numbers without what is only a way of writing them."""
    values = [each["value"].split(" ext")[0] for each in person["fields"].get("phoneNumbers", [])]
    return [re.sub(r"^(\+49|0049|0)", "", re.sub(r"[^\d+]", "", value)) for value in values]


def name(person: Person) -> tuple[str | None, str | None]:
    first = person["fields"].get("names", [{}])[0]
    return first.get("givenName"), first.get("familyName")


def test_nearly_half_are_contacts_of_the_crm(google: Account, crm: dict[str, dict[str, str]]) -> None:
    cases = by_case(google)
    shared = [each for each in google.people().values() if each["origin"]["human"] in crm]
    assert len(shared) == len({each["origin"]["human"] for each in shared}) == 120
    for case, people in cases.items():
        for person in people:
            known = crm.get(person["origin"]["human"], {})
            same_name = name(person) == (known.get("firstname"), known.get("lastname"))
            if case in ("same_email", "second_email"):
                assert known["email"] in emails(person)
                assert same_name
            elif case in ("email_case", "email_spaces"):
                (email,) = emails(person)
                assert email != known["email"]
                assert email.strip().lower() == known["email"]
            elif case == "phone_only":
                assert emails(person) == []
                assert phones(person) == [known["phone"].replace("+49", "").replace(" ", "")]
                assert person["fields"]["phoneNumbers"][0]["value"] != known["phone"]
            elif case == "changed_last_name":
                assert emails(person) == [known["email"]]
                assert name(person)[0] == known["firstname"]
                assert name(person)[1] != known["lastname"]
            elif case == "email_without_name":
                assert emails(person) == [known["email"]]
                assert "names" not in person["fields"]


def test_others_only_look_like_them(google: Account, crm: dict[str, dict[str, str]]) -> None:
    cases = by_case(google)
    by_email = {each["email"]: each for each in crm.values() if each["email"]}
    for person in cases["one_email_two_names"]:
        known = by_email[emails(person)[0]]
        assert name(person)[0] != known["firstname"]
        assert name(person)[1] != known["lastname"]
    switchboard = cases["switchboard"]
    (number,) = {phone for each in switchboard for phone in phones(each)}
    assert len({name(each) for each in switchboard}) == 10
    assert number in {(each["phone"] or "").replace("+49", "").replace(" ", "") for each in crm.values()}
    assert len({tuple(emails(each)) for each in cases["info_mailbox"]}) == 1
    assert len(cases["info_mailbox"]) == 5
    assert sorted(Counter(phone for each in cases["family"] for phone in phones(each)).values()) == [3, 3]
    humans = Counter(each["origin"]["human"] for each in cases["twice"])
    assert set(humans.values()) == {2}


def test_address_books_are_untidy(google: Account) -> None:
    cases = by_case(google)
    people = list(google.people().values())
    assert max(len(emails(each)) for each in people) == 200
    assert sum("names" not in each["fields"] for each in people) >= 10
    assert sum(not emails(each) and not phones(each) for each in people) >= 9
    birthdays = [each for person in people for each in person["fields"].get("birthdays", [])]
    dates = [frozenset(each.get("date", ())) for each in birthdays]
    assert set(map(tuple, map(sorted, dates))) == {
        ("day", "month"),
        ("day", "month", "year"),
        ("month", "year"),
        ("year",),
        (),
    }
    leap = [each["date"] for each in birthdays if each.get("date", {}).get("day") == 29]
    assert {"year": 1988, "month": 2, "day": 29} in leap
    assert {"month": 2, "day": 29} in leap
    first, second = (each for each in cases["unusual_name"] if emails(each) == ["zoe@mail.example.com"])
    assert name(first) != name(second)
    numbers = [each for person in people for each in person["fields"].get("phoneNumbers", [])]
    assert 20 < sum("canonicalForm" not in each for each in numbers) < len(numbers)
    assert all(
        re.search(r"[.@]example\.com\s*$", each.lower()) for person in people for each in emails(person)
    )


def test_a_seed_is_always_the_same_people(start: Start, tmp_path: Path) -> None:
    one, same, other = (
        start(tmp_path / folder, "--seed", seed).control("GET", "truth")
        for folder, seed in (("one", "7"), ("same", "7"), ("other", "8"))
    )
    assert one == same
    assert not {each["resourceName"] for each in one["people"]} & {
        each["resourceName"] for each in other["people"]
    }
    assert len({each["origin"]["case"] for each in one["people"]}) == 21
