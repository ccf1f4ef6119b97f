"""Entities of the owner's own. `script/new-entity` writes them here, and no upgrade changes this file."""

from reporting.entity import NotionDatabase

NOTION: tuple[NotionDatabase, ...] = ()
