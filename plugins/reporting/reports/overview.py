"""The first page: the figures and short lists of all the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.reports.page import Content, Page, ShortList, Tile

NAME = "index"
TITLE = "Overview"


@dataclass(frozen=True, slots=True)
class Section:
    """What one page gives."""

    page: Page
    tiles: Sequence[Tile]
    lists: Sequence[ShortList]


@dataclass(frozen=True, slots=True)
class Overview:
    """Every page's part, in the order of the menu."""

    sections: tuple[Section, ...]

    def tiles(self) -> Sequence[Tile]:
        """None of its own."""
        return ()

    def lists(self) -> Sequence[ShortList]:
        """None of its own."""
        return ()

    def payload(self) -> Mapping[str, Any]:
        """Nothing: its lines are drawn where they are written."""
        return {}


def of(contents: Mapping[Page, Content]) -> Overview:
    """The overview of what was read for the other pages."""
    return Overview(
        tuple(Section(page, content.tiles(), content.lists()) for page, content in contents.items())
    )
