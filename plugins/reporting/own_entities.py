"""The entities that you added yourself. `script/new-entity` writes them here, and no upgrade changes this file."""

from reporting.entity import NotionDatabase

NOTION: tuple[NotionDatabase, ...] = ()
