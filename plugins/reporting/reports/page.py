"""The interface between a page of the report, its template and the overview."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from reporting.reports.marts import Marts

Tone = Literal["plain", "good", "warning", "bad"]
# A table shows at most so many rows, and says how many more there are.
MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure with a label. `trend` holds the values of its small chart, the latest last; None is a gap."""

    label: str
    value: str
    detail: str = ""
    tone: Tone = "plain"
    trend: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ShortList:
    """A list of a few lines, each with a name and a detail. `empty` is shown if there are no lines."""

    title: str
    lines: tuple[tuple[str, str], ...]
    empty: str


class Content(Protocol):
    """What a page's module returns: the data of its template."""

    def tiles(self) -> Sequence[Tile]:
        """The figures at the top of the page and on the overview."""
        ...

    def lists(self) -> Sequence[ShortList]:
        """The lists that the overview shows in addition to the figures."""
        ...

    def payload(self) -> Mapping[str, Any]:
        """The data of the charts, as values that JSON has."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page. Its file, template and script are all called `name`."""

    name: str
    title: str
    read: Callable[[Marts], Content]

    @property
    def file(self) -> str:
        """The name of its HTML file."""
        return f"{self.name}.html"
