"""The checks of Notion for `script/doctor` and `script/connect`."""

from collections.abc import Iterator, Mapping
from typing import Any

from reporting.entity import NotionDatabase
from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Dialogue, Finding, NotFoundError, SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.notion.client import DEFAULT_BASE_URL
from reporting.sources.notion.entities import NOTION
from reporting.sources.notion.properties import date_property, title_of
from reporting.sources.notion.reader import NotionSource

STEPS = """
1. Make an integration at https://www.notion.so/profile/integrations (type: internal; capability: read content).
2. Open each habits database in Notion and choose ··· → Connections → the integration's name.
3. Copy the integration's secret (it begins with ntn_) and paste it here; it is not shown.
"""


def open_source(token: str, host: str | None) -> NotionSource:
    """A connection with few retries, for a person who waits."""
    return NotionSource(token, host or DEFAULT_BASE_URL, IMPATIENT)


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the token, and each database."""
    source = open_source(token, host)
    try:
        seen = len(list(source.data_sources()))
        yield Finding("Notion", True, f"the token works; {seen} databases are shared with it.")
        for entity in NOTION:
            yield _check_database(source, settings, entity)
    finally:
        source.close()


def _check_database(source: NotionSource, settings: Settings, entity: NotionDatabase) -> Finding:
    name = settings.names.get(entity.table, entity.default_name)
    if name == SWITCHED_OFF:
        return Finding(entity.table, True, "is switched off.")
    try:
        found = source.find(name)
        if entity.is_dated:
            date_property(found, settings.date_properties.get(entity.table))
    except NotFoundError as error:
        if entity.is_optional and not error.found_count and entity.table not in settings.names:
            return Finding(entity.table, True, f"there is no '{name}', but it is optional.")
        return Finding(entity.table, False, f"{error} (REPORTING_NAME_{entity.table.upper()})")
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    return Finding(entity.table, True, f"reads '{title_of(found)}'.")


def connect(dialogue: Dialogue, settings: Settings, token: str, host: str | None) -> dict[str, str]:
    """Ask the owner which database each entity is read from, and return the settings. Raises the errors of
    `reporting.sources.base`."""
    source = open_source(token, host)
    try:
        found = list(source.data_sources())
        if not found:
            raise SourceError(
                "the token works, but no database is shared with the integration yet. Do step 2, and run this again."
            )
        dialogue.say("These databases are shared with the integration:")
        for number, each in enumerate(found, 1):
            dialogue.say(f"  {number}. {title_of(each)}")
        changes: dict[str, str] = {}
        for entity in NOTION:
            changes |= _choose(dialogue, source, found, entity)
    finally:
        source.close()
    return changes


def _choose(
    dialogue: Dialogue, source: NotionSource, found: list[dict[str, Any]], entity: NotionDatabase
) -> dict[str, str]:
    """The settings for the database of one entity. They hold its id, so that renaming the database changes nothing."""
    named = [n for n, each in enumerate(found, 1) if title_of(each) == entity.default_name]
    default = str(named[0]) if len(named) == 1 else SWITCHED_OFF
    table = entity.table.upper()
    dialogue.say(f"\n{entity.description}")
    while True:
        answer = dialogue.ask(f"Number of the database for {entity.name.replace('_', ' ')}, or none", default)
        if answer == SWITCHED_OFF:
            # Switched off, since the default name matches no database and would be an error in every run.
            return {f"REPORTING_NAME_{table}": SWITCHED_OFF, f"REPORTING_DATE_PROPERTY_{table}": ""}
        if answer.isdecimal() and 1 <= int(answer) <= len(found):
            break
        dialogue.say(f"'{answer}' is not one of these numbers.")
    chosen = source.find(found[int(answer) - 1]["id"])
    date = _date_property(dialogue, chosen) if entity.is_dated else ""
    return {f"REPORTING_NAME_{table}": chosen["id"], f"REPORTING_DATE_PROPERTY_{table}": date}


def _date_property(dialogue: Dialogue, chosen: Mapping[str, Any]) -> str:
    """The id of the property with the date of a row; empty if the database has only one date property."""
    try:
        date_property(chosen)
    except NotFoundError:
        dates = [each for each in chosen["properties"].values() if each["type"] == "date"]
    else:
        return ""
    if not dates:
        raise SourceError(
            f"'{title_of(chosen)}' has no date property, so its rows have no day. Add a date property in Notion."
        )
    for number, each in enumerate(dates, 1):
        dialogue.say(f"  {number}. {each['name']}")
    while True:
        answer = dialogue.ask("Number of the property with the date of a row", "1")
        if answer.isdecimal() and 1 <= int(answer) <= len(dates):
            return str(dates[int(answer) - 1]["id"])
