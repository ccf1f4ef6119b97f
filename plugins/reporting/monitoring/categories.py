"""Finds values of a category that look like other spellings of one value.

Two values are spellings of one if they differ only in case, accents, spaces or signs, or by a typing error: one letter added,
missing or wrong, or two letters swapped. A typing error only counts if the value is rare compared with the other, long
enough, and does not differ in digits: `Stage 1` and `Stage 2` are two stages.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from reporting.monitoring.record import Incident

LEAST_LENGTH = 5
RARE_SHARE = 0.1
MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Category:
    """A column of a mart that holds categories, and the source of its values, as a person calls it."""

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
    Category("cash_flow", "category", "the ledger in Google Sheets"),
)


def find(counts: Mapping[Category, Mapping[str, int]]) -> Iterator[Incident]:
    """One incident per value that has other spellings. `counts` gives the number of rows of each value."""
    for category, values in counts.items():
        for known, others in sorted(spellings(values).items()):
            said = ", ".join(f"'{each}' ({values[each]:,})" for each in others[:MOST_SHOWN])
            more = f" and {len(others) - MOST_SHOWN} more" if len(others) > MOST_SHOWN else ""
            yield Incident(
                problem_key=f"categories/{category.name}/{known}",
                kind="categories",
                subject=f"{category.name} spells '{known}' in {len(others) + 1} ways",
                what=(
                    f"Beside '{known}' ({values[known]:,} rows) there is {said}{more}. A report counts each spelling separately."
                ),
                todo=(
                    f"Use one spelling in {category.source}; the next sync brings it. If they are different things, there is "
                    "nothing to do, and no further alert is sent while this stays as it is."
                ),
            )


def spellings(values: Mapping[str, int]) -> dict[str, list[str]]:
    """For each value, the rarer values that look like other spellings of it."""
    alike: dict[str, list[str]] = defaultdict(list)
    for value in values:
        alike[plain(value)].append(value)
    # The most frequent spelling is the known one. Of equally frequent ones the first by alphabet, so that the choice is stable.
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
    # Twice, because each step may produce what the other removes: https://www.unicode.org/versions/latest/core-spec/chapter-3/#G53253
    for _ in range(2):
        value = unicodedata.normalize("NFKD", value).casefold()
    return "".join(each for each in value if each.isalnum())


def is_slip(one: str, other: str) -> bool:
    """Whether two texts differ by one typing error: a letter added, missing or wrong, or two letters swapped."""
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
    """The length of the common beginning of both texts."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
