"""Values of a category that look like spellings of others: they differ in case, accents, spaces or signs, or by a slip.

A slip is one letter too many, too few or another, or two that changed places. It counts only where the value is rare
beside the other, long enough, and not told apart by digits: `Stage 1` and `Stage 2` are two stages.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from reporting.warehouse.problems import Problem

LEAST_LENGTH = 5
RARE_SHARE = 0.1
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Category:
    """A column of a mart, and where its values come from."""

    mart: str
    column: str
    source: str

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return f"{self.mart}.{self.column}"


CATEGORIES = (
    Category("contacts", "country", "HubSpot"),
    Category("contacts", "lead_status", "HubSpot"),
    Category("companies", "country", "HubSpot"),
    Category("companies", "city", "HubSpot"),
    Category("companies", "industry", "HubSpot"),
    Category("deals", "deal_type", "HubSpot"),
    Category("deals", "pipeline", "HubSpot"),
    Category("deals", "stage", "HubSpot"),
    Category("engagements", "channel", "HubSpot"),
    Category("engagements", "status", "HubSpot"),
    Category("habits", "habit", "Notion"),
)


def find(counts: Mapping[Category, Mapping[str, int]]) -> Iterator[Problem]:
    """A problem a value that others are spellings of; `counts` says in how many rows each value is."""
    for category, values in counts.items():
        for known, others in sorted(spellings(values).items()):
            said = ", ".join(f"'{each}' ({values[each]:,})" for each in others[:MOST_SHOWN])
            more = f" and {len(others) - MOST_SHOWN} more" if len(others) > MOST_SHOWN else ""
            yield Problem(
                problem_key=f"categories/{category.name}/{known}",
                kind="categories",
                subject=f"{category.name} spells '{known}' in {len(others) + 1} ways",
                what=(
                    f"Beside '{known}' ({values[known]:,} rows) there is {said}{more}: a report counts each for itself."
                ),
                todo=(
                    f"Make them one in {category.source}, and the next run takes it. If they are different things, there is "
                    "nothing to do, and it is not told again while it stays so."
                ),
            )


def spellings(values: Mapping[str, int]) -> dict[str, list[str]]:
    """The values that look like spellings of a more frequent one, by that one."""
    alike: dict[str, list[str]] = defaultdict(list)
    for value in values:
        alike[plain(value)].append(value)
    # The most frequent way is the known one; of equals the first by the alphabet, so that it is the same each time.
    ranked = {
        key: sorted(each, key=lambda value: (-values[value], value)) for key, each in alike.items() if key
    }
    totals = {key: sum(values[value] for value in each) for key, each in ranked.items()}
    found: dict[str, list[str]] = defaultdict(list)
    for key, each in ranked.items():
        commoner = [
            other for other in ranked if totals[key] <= RARE_SHARE * totals[other] and is_slip(key, other)
        ]
        if commoner:
            found[ranked[max(commoner, key=lambda other: (totals[other], other))][0]] += each
        else:
            found[each[0]] += each[1:]
    return {known: sorted(others) for known, others in found.items() if others}


def plain(value: str) -> str:
    """`value` without case, accents, spaces and signs."""
    # Each may bring what the other takes away: https://www.unicode.org/versions/latest/core-spec/chapter-3/#G53253
    for _ in range(2):
        value = unicodedata.normalize("NFKD", value).casefold()
    return "".join(each for each in value if each.isalnum())


def is_slip(one: str, other: str) -> bool:
    """Whether one letter too many, too few or another, or two that changed places, is all that tells them apart."""
    if one == other or min(len(one), len(other)) < LEAST_LENGTH or abs(len(one) - len(other)) > 1:
        return False
    start = _shared(one, other)
    left, right = one[start:][::-1], other[start:][::-1]
    end = _shared(left, right)
    left, right = left[end:], right[end:]
    if any(each.isdigit() for each in left + right):
        return False
    return max(len(left), len(right)) == 1 or (len(left) == 2 and left == right[::-1])


def _shared(one: str, other: str) -> int:
    """How many letters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
