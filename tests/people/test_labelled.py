"""The labelled sample: the same for the same seed, wide enough, and without labels that contradict themselves."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.people.labelled import DIRT, GUESSES, Labelled, pairs, people


@pytest.fixture(scope="module")
def sample() -> list[Labelled]:
    return people()


def _emails(record: Labelled) -> Iterator[str]:
    if record.source == "google":
        yield from (each["value"] for each in record.fields.get("emailAddresses", ()))
    else:
        yield from filter(
            None, (record.fields.get("email"), *record.fields.get("hs_additional_emails", "").split(";"))
        )


def test_the_same_for_the_same_seed(sample: list[Labelled]) -> None:
    assert people() == sample
    assert people(2) != sample


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wide_enough(seed: int) -> None:
    sample = people(seed)
    assert len({each.human for each in sample}) >= 500
    humans = Counter(dirt for _, dirt in {(each.human, each.dirt) for each in sample})
    assert {*DIRT, *GUESSES} <= set(humans)
    assert min(humans.values()) >= 15, humans
    assert max(Counter(each.human for each in sample).values()) <= 4


def test_a_small_sample_has_every_class(sample: list[Labelled]) -> None:
    lookalikes = {each.dirt for each in sample if each.dirt.startswith("lookalike_")}
    assert lookalikes == {each.dirt for each in people(humans=60) if each.dirt.startswith("lookalike_")}


def test_every_record_has_an_id_of_its_own(sample: list[Labelled]) -> None:
    assert len({each.id for each in sample}) == len(sample)
    for each in sample:
        assert each.id.removeprefix("people/c" if each.source == "google" else "").isdecimal()


def test_no_two_lookalikes_are_one_human(sample: list[Labelled]) -> None:
    humans = Counter(each.human for each in sample if each.dirt.startswith("lookalike_"))
    assert max(humans.values()) == 1


def test_no_human_has_a_class_twice(sample: list[Labelled]) -> None:
    assert max(Counter((each.human, each.dirt) for each in sample).values()) == 1


def test_hubspot_never_has_an_email_twice(sample: list[Labelled]) -> None:
    emails = Counter(email for each in sample if each.source == "hubspot" for email in _emails(each))
    assert max(emails.values()) == 1
    assert all(email == email.strip().lower() for email in emails)


def test_no_email_of_a_real_company(sample: list[Labelled]) -> None:
    for each in sample:
        for email in _emails(each):
            domain = email.strip().rstrip(">").lower().rpartition("@")[2]
            assert domain.endswith(
                ("example.com", "example.org", "example.net", "gmail.com", "googlemail.com")
            )


def test_pairs(sample: list[Labelled]) -> None:
    found = list(pairs(sample))
    size = Counter(each.human for each in sample)
    assert len(found) == sum(count * (count - 1) // 2 for count in size.values())
    for one, other, name in found:
        assert one.human == other.human
        assert set(name.split("+")) == {one.dirt, other.dirt} - {"clean"}
        assert name.startswith("guess_") == any(each.dirt.startswith("guess_") for each in (one, other))
