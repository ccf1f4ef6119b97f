"""The first page: the tiles and short lists of all other pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reporting.reports.page import Content, Page, ShortList, Tile

NAME = "index"
TITLE = "Overview"


@dataclass(frozen=True, slots=True)
class Section:
    """The part of one page."""

    page: Page
    tiles: Sequence[Tile]
    lists: Sequence[ShortList]


@dataclass(frozen=True, slots=True)
class Overview:
    """The parts of all pages, in the order of the menu."""

    sections: tuple[Section, ...]

    def tiles(self) -> Sequence[Tile]:
        """None, since the overview shows those of the other pages."""
        return ()

    def lists(self) -> Sequence[ShortList]:
        """None, since the overview shows those of the other pages."""
        return ()

    def payload(self) -> Mapping[str, Any]:
        """Nothing, since its charts are drawings within the HTML."""
        return {}


def of(contents: Mapping[Page, Content]) -> Overview:
    """The overview of the other pages, made from what was read for them."""
    return Overview(
        tuple(Section(page, content.tiles(), content.lists()) for page, content in contents.items())
    )
