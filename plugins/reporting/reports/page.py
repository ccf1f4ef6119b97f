"""What a page of the report is, and what it gives to the overview."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reporting.reports.marts import Marts

Tone = Literal["plain", "good", "warning", "bad"]
# Rows of a table that are in the page; the rest is counted.
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure. `trend` is what its small line shows, the latest last, None where there is a gap."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"
    trend: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ShortList:
    """A few lines of a name and what there is to say of it; `empty` is said when there are none."""

    title: str
    lines: tuple[tuple[str, str], ...]
    empty: str


class Content(Protocol):
    """What a page's module read."""

    def tiles(self) -> Sequence[Tile]:
        """The figures that stand first, here and on the overview."""
        ...

    def lists(self) -> Sequence[ShortList]:
        """What the overview shows of this page beside its figures."""
        ...

    def payload(self) -> Mapping[str, Any]:
        """What the charts draw, as plain values for JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page. `name` is that of its file, its template and its script."""

    name: str
    title: str
    read: Callable[[Marts], Content]

    @property
    def file(self) -> str:
        """The file that it is written to."""
        return f"{self.name}.html"
