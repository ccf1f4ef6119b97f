"""Who the matcher takes for one person, against labels that somebody else made."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import combinations

import pytest

from tests.dbt.sample_warehouse import migrated
from tests.people.labelled import Labelled, pairs, people
from tests.people.sample_warehouse import Neighbourhood


@dataclass(frozen=True)
class Score:
    """What became of the pairs of a labelled sample. A candidate is listed for the owner, and not joined."""

    sample: list[Labelled]
    person_of: dict[str, str]
    candidates: set[frozenset[str]]

    def found(self, one: Labelled, other: Labelled) -> bool:
        return self.person_of[name_of(one)] == self.person_of[name_of(other)]

    def wrong(self) -> list[tuple[Labelled, Labelled]]:
        """Pairs of different humans that were joined."""
        by_person: dict[str, list[Labelled]] = {}
        for each in self.sample:
            by_person.setdefault(self.person_of[name_of(each)], []).append(each)
        return [
            pair
            for members in by_person.values()
            for pair in combinations(members, 2)
            if pair[0].human != pair[1].human
        ]

    def recall(self) -> dict[str, tuple[int, int]]:
        """Found and all pairs of each class of dirt. A pair that only a guess could join counts if it is not listed."""
        found: Counter[str] = Counter()
        every: Counter[str] = Counter()
        for one, other, dirt in pairs(self.sample):
            is_found = self.found(one, other)
            is_listed = frozenset((name_of(one), name_of(other))) in self.candidates
            if dirt.startswith("guess_") and not is_found and is_listed:
                continue
            every[dirt] += 1
            found[dirt] += is_found
        return {dirt: (found[dirt], every[dirt]) for dirt in sorted(every)}


def name_of(record: Labelled) -> str:
    return f"{record.source}:{record.id}"


@pytest.fixture(scope="module")
def score(shared_environment: dict[str, str]) -> Iterator[Score]:
    with migrated(shared_environment, REPORTING_DEFAULT_REGION="DE") as (client, settings):
        sample_warehouse = Neighbourhood(client, settings, date(2026, 6, 30))
        sample = people()
        sample_warehouse.hold((each.source, each.id, each.fields) for each in sample)
        sample_warehouse.dbt("+people_matches,tag:staging")
        sample_warehouse.dbt("+people_matches,tag:marts")
        candidates = {
            frozenset(pair)
            for pair in sample_warehouse.rows(
                f"SELECT record_id, other_record_id FROM {sample_warehouse.mart('people_matches')} WHERE NOT is_match"
            )
        }
        yield Score(sample, sample_warehouse.people(), candidates)


def test_nobody_is_taken_for_somebody_else(score: Score) -> None:
    assert score.wrong() == []


def test_nine_of_ten_are_found(score: Score, record_property: Callable[[str, object], None]) -> None:
    recall = score.recall()
    for dirt, counts in recall.items():
        record_property(dirt, f"{counts[0]} of {counts[1]}")
    found, every = (sum(counts) for counts in zip(*recall.values(), strict=True))
    assert every > 300
    assert found / every >= 0.9, recall
