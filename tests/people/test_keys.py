"""Whatever happens to records, a person's key stays while any of theirs does, and no order matters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dbt.sample_warehouse import migrated
from tests.people.sample_warehouse import Neighbourhood

WORLDS = 30
NAMES = (
    ("Ada", "Abel"),
    ("Ada", "Berg"),
    ("Ben", "Abel"),
    ("Abel", "Ada"),
    ("A.", "Abel"),
    ("Ada", ""),
    ("", ""),
)
# In each world: a mailbox of Ada's, one of nobody's, a role's.
MAILBOXES = ("ada.abel@w{}.example.com", "sunshine@w{}.example.com", "info@w{}.example.com")
PHONES = ("+49 30 1{:04}1", "+49 30 2{:04}2")


@dataclass(frozen=True)
class Card:
    """What is typed of somebody; `emails` and `phones` are places in the world's lists."""

    source: str
    name: tuple[str, str]
    emails: frozenset[int]
    phones: frozenset[int]

    def typed(self, world: int) -> dict[str, Any]:
        emails = [MAILBOXES[each].format(world) for each in sorted(self.emails)]
        phones = [PHONES[each].format(world) for each in sorted(self.phones)]
        if self.source == "google":
            name = {"givenName": self.name[0], "familyName": self.name[1]}
            return {
                "names": [{part: text for part, text in name.items() if text}],
                "emailAddresses": [{"value": each} for each in emails],
                "phoneNumbers": [{"value": each} for each in phones],
            }
        return {
            "firstname": self.name[0],
            "lastname": self.name[1],
            "email": emails[0] if emails else None,
            "hs_additional_emails": ";".join(emails[1:]),
            "phone": phones[0] if phones else None,
            "mobilephone": phones[1] if len(phones) > 1 else None,
        }


@dataclass(frozen=True)
class World:
    """The cards of some people before and after, by number; nobody of another world shares anything with them."""

    before: Mapping[int, Card]
    after: Mapping[int, Card]


CARDS = st.builds(
    Card,
    source=st.sampled_from(("google", "hubspot")),
    name=st.sampled_from(NAMES),
    emails=st.frozensets(st.integers(0, 2), max_size=2),
    phones=st.frozensets(st.integers(0, 1), max_size=2),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    before = dict(enumerate(draw(st.lists(CARDS, min_size=1, max_size=6))))
    after = dict(before)
    for number in draw(st.sets(st.sampled_from(range(8)), max_size=3)):
        if draw(st.booleans()):
            after.pop(number, None)
        else:
            after[number] = draw(CARDS)
    return World(before, after)


@pytest.fixture(scope="module")
def sample_warehouse(shared_environment: dict[str, str]) -> Iterator[Neighbourhood]:
    with migrated(shared_environment) as (client, settings):
        made = Neighbourhood(client, settings, date(2026, 6, 30))
        made.dbt("+person_keys,tag:staging")
        yield made


def key_of(world: int, number: int, source: str) -> str:
    """Ids of mirrored worlds run the other way."""
    place = world * 10 + (number if world < WORLDS else 9 - number)
    return f"people/c{1000 + place}" if source == "google" else str(1000 + place)


def names(world: int, cards: Mapping[int, Card]) -> dict[int, str]:
    return {number: f"{card.source}:{key_of(world, number, card.source)}" for number, card in cards.items()}


def groups(person_of: Mapping[str, str], of: Mapping[int, str]) -> set[frozenset[int]]:
    """The people of a world, as sets of their cards' numbers."""
    found: dict[str, set[int]] = {}
    for number, name in of.items():
        found.setdefault(person_of[name], set()).add(number)
    return {frozenset(each) for each in found.values()}


def build(sample_warehouse: Neighbourhood, cards: list[tuple[int, Mapping[int, Card]]]) -> dict[str, str]:
    sample_warehouse.hold(
        (card.source, key_of(world, number, card.source), card.typed(world))
        for world, each in cards
        for number, card in each.items()
    )
    sample_warehouse.dbt(
        "int_people__records",
        "int_people__links",
        "int_people__connected",
        "int_people__matched",
        "person_keys",
    )
    return sample_warehouse.people()


def leads(sample_warehouse: Neighbourhood) -> dict[str, str]:
    """Where the key that a record founded leads."""
    founded = "CONCAT('person_', SUBSTR(TO_HEX(SHA256(record_id)), 1, 16))"
    table = f"{sample_warehouse.settings.dataset('snapshots')}.person_keys"
    return dict(
        sample_warehouse.rows(f"SELECT {founded}, person_id FROM {table} WHERE founded_at IS NOT NULL")
    )


@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
    ],
    derandomize=True,
)
@given(st.lists(worlds(), min_size=WORLDS, max_size=WORLDS))
@pytest.mark.heavy
def test_keys_outlive_what_happens_to_records(sample_warehouse: Neighbourhood, found: list[World]) -> None:
    table = f"{sample_warehouse.settings.dataset('snapshots')}.person_keys"
    sample_warehouse.client.query_and_wait(f"DROP TABLE IF EXISTS {table}")
    every = [(number, each) for number, each in enumerate([*found, *found])]
    before = build(sample_warehouse, [(number, each.before) for number, each in every])
    for number, each in enumerate(found):
        mirrored = groups(before, names(number + WORLDS, each.before))
        assert groups(before, names(number, each.before)) == mirrored, each.before

    # The rows come in another order, too.
    after = build(sample_warehouse, [(number, each.after) for number, each in reversed(every)])
    lead = leads(sample_warehouse)
    for number, each in every:
        was, now = names(number, each.before), names(number, each.after)
        old, new = groups(before, was), groups(after, now)
        remaining = {no for no, name in was.items() if now.get(no) == name}
        keys = [{after[now[member]] for member in members} for members in new]
        # One key a person, and nobody else's.
        assert all(len(each) == 1 for each in keys)
        assert len(set.union(set(), *keys)) == len(new)
        for members in old:
            key = before[was[min(members)]]
            left = members & remaining
            if members in new and left == members:
                assert {after[now[member]] for member in members} == {key}, each
            elif left:
                # It still leads to somebody who has one of the records.
                assert lead[key] in {after[now[member]] for member in left}, each
        assert_the_oldest_stays(each, old, new, before, after, was, now)


def assert_the_oldest_stays(
    world: World,
    old: set[frozenset[int]],
    new: set[frozenset[int]],
    before: Mapping[str, str],
    after: Mapping[str, str],
    was: Mapping[int, str],
    now: Mapping[int, str],
) -> None:
    """Whoever takes over several people whole has one of their keys, and the others lead there."""
    for members in new:
        taken = [each for each in old if each <= members and all(now[no] == was[no] for no in each)]
        if taken:
            assert after[now[min(members)]] in {before[was[min(each)]] for each in old if each & members}, (
                world
            )
