"""The grammar of DAG ids: `[layer]_[source]__[entity]__[refresh]`, in lower case.

raw_notion__daily_habits__changed
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

LAYERS = ("raw", "staging", "mart", "report", "ops")
REFRESHES = ("full", "changed")
# DAGs of these layers end in a verb, since they are named by what they do and not by how they read.
VERB_LAYERS = ("report", "ops")
_WORD = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"


@dataclass(frozen=True, slots=True)
class DagId:
    """The parts of a DAG id. Raises `ValueError`, with the grammar, when they do not make one."""

    layer: str
    source: str
    entity: str
    refresh: str

    GRAMMAR: ClassVar[re.Pattern[str]] = re.compile(
        rf"(?P<layer>{'|'.join(LAYERS)})_(?P<source>{_WORD})__(?P<entity>{_WORD})__(?P<refresh>{_WORD})"
    )

    def __post_init__(self) -> None:
        match = self.GRAMMAR.fullmatch(str(self))
        parts = (self.layer, self.source, self.entity, self.refresh)
        if match is None or match.groups() != parts or not self._has_known_refresh():
            raise ValueError(
                f"'{self}' is no DAG id: expected [layer]_[source]__[entity]__[refresh] in lower case, with a layer of "
                f"{', '.join(LAYERS)} and a refresh of {' or '.join(REFRESHES)} (a verb for {' and '.join(VERB_LAYERS)})."
            )

    def __str__(self) -> str:
        return f"{self.layer}_{self.source}__{self.entity}__{self.refresh}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of `text`."""
        match = cls.GRAMMAR.fullmatch(text)
        if match is None:
            raise ValueError(
                f"'{text}' is no DAG id: expected [layer]_[source]__[entity]__[refresh] in lower case."
            )
        return cls(**match.groupdict())

    def _has_known_refresh(self) -> bool:
        return self.refresh in REFRESHES or self.layer in VERB_LAYERS


def nearest(name: str, known: Iterable[str], most: int = 3) -> str:
    """ " Did you mean X or Y?" with those of `known` that `name` is a part of or a slip of; empty where there is none."""
    # Only after a mistake: nobody else waits for the import.
    from difflib import get_close_matches

    words = sorted(known)
    parts = [each for each in words if name and name.lower() in each]
    found = (parts or get_close_matches(name.lower(), words, most))[:most]
    return f" Did you mean {' or '.join(found)}?" if found else ""
