"""The checks of HubSpot for `script/doctor` and `script/connect`."""

from collections.abc import Iterator

from reporting.entity import Entity
from reporting.settings import PREFIX, SWITCHED_OFF, Settings
from reporting.sources.base import AccessDeniedError, Dialogue, Finding, SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot, MissingScopeError
from reporting.sources.hubspot.entities import (
    HUBSPOT_OBJECTS,
    LISTS,
    OPTIONAL_OBJECTS,
    HubSpotObject,
    scope_of,
)
from reporting.sources.hubspot.lists import EVERY_LIST

# https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/account-service-keys
STEPS = """
1. In HubSpot, open Development → Keys → Service keys, and create a key. A super admin may do so, and whoever has the
   permission for developer tools.
2. Give it these scopes, all for reading: crm.objects.contacts.read, crm.objects.companies.read, crm.objects.deals.read and
   crm.objects.owners.read. The first is that of calls, meetings, notes, tasks and communications, too; e-mails need
   sales-email-read. Only if you want them: tickets for tickets, crm.objects.products.read, crm.objects.line_items.read,
   crm.lists.read for lists, and crm.objects.custom.read for objects of your own.
3. Show the key, copy it and paste it here; it is not shown. A private app that you have already works as well until September
   2027: paste its access token. HubSpot lets nobody make a new one since 2026-10-26.
"""


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the token, and its scope for each entity."""
    portal = _open(settings, token, host)
    lacking: dict[str, list[str]] = {}
    try:
        for entity in _entities():
            named = settings.names.get(entity.table)
            if named == SWITCHED_OFF:
                yield Finding(entity.table, True, "is switched off.")
                continue
            if named is None and entity.needs_name:
                text = f"is not read. {_variable(entity)}={_switched_on(entity)} switches it on."
                yield Finding(entity.table, True, text, "note")
                continue
            refusal = _refusal(portal, entity)
            yield Finding(entity.table, refusal is None, str(refusal or "can be read."))
            if isinstance(refusal, MissingScopeError):
                lacking.setdefault(_lacking(entity, refusal), []).append(entity.name)
    finally:
        portal.close()
    if lacking:
        yield Finding("HubSpot's scopes", False, _advice(lacking))


def connect(dialogue: Dialogue, settings: Settings, token: str, host: str | None) -> dict[str, str]:
    """Tell which scopes the token lacks, ask whether to go on without what needs them, and return the settings that switch
    that off.

    Raises the errors of `reporting.sources.base`.
    """
    changes = _ask_for_optional(dialogue, settings)
    portal = _open(settings, token, host)
    try:
        refusals = {
            entity: _refusal(portal, entity)
            for entity in _entities()
            if not entity.needs_name or changes[_variable(entity)]
        }
    finally:
        portal.close()
    if all(refusals[entity] for entity in HUBSPOT_OBJECTS):
        raise SourceError(str(refusals[HUBSPOT_OBJECTS[0]]))
    lacking: dict[str, list[str]] = {}
    for entity, refusal in refusals.items():
        if isinstance(refusal, MissingScopeError):
            lacking.setdefault(_lacking(entity, refusal), []).append(entity.name)
    if lacking:
        dialogue.say(f"\nThe key {_advice(lacking)}")
    for entity, refusal in refusals.items():
        # An entity that was switched off because of a missing scope is switched on again when the scope exists.
        changes.setdefault(_variable(entity), "")
        if refusal:
            if dialogue.ask(f"Go on without {entity.name} (yes or no)", "yes").lower() not in ("y", "yes"):
                raise SourceError("add the scope to the key, and run this again.")
            changes[_variable(entity)] = "" if entity.needs_name else SWITCHED_OFF
    return changes


def _ask_for_optional(dialogue: Dialogue, settings: Settings) -> dict[str, str]:
    """The settings of what is only read if it is configured: as they are, or as the owner says."""
    groups: dict[str, tuple[Entity, ...]] = {each.name: (each,) for each in OPTIONAL_OBJECTS} | {
        "lists": LISTS
    }
    configured = {each: settings.names.get(each.table, "") for group in groups.values() for each in group}
    on = [
        name
        for name, group in groups.items()
        if any(configured[each] not in ("", SWITCHED_OFF) for each in group)
    ]
    question = f"What else is to be read: {', '.join(groups)} (with commas between them, or none)"
    default = ", ".join(on) or SWITCHED_OFF
    while True:
        try:
            answer = dialogue.ask(question, default)
        except EOFError:
            # The key came through a pipe, where nobody answers.
            answer = default
        chosen = {each.strip().lower().replace(" ", "_") for each in answer.split(",")} - {
            "",
            "no",
            SWITCHED_OFF,
        }
        if chosen <= groups.keys():
            break
        dialogue.say(f"{', '.join(sorted(chosen - groups.keys()))} is none of these.")
    return {
        _variable(each): (configured[each] if name in on else _switched_on(each)) if name in chosen else ""
        for name, group in groups.items()
        for each in group
    }


def _entities() -> tuple[Entity, ...]:
    # The registry imports this source, and knows what the owner has added to it.
    from reporting.sources.registry import SOURCES

    return SOURCES["hubspot"].entities


def _variable(entity: Entity) -> str:
    return f"{PREFIX}NAME_{entity.table.upper()}"


def _switched_on(entity: Entity) -> str:
    """The value of its setting with which all of it is read."""
    return entity.path_name if isinstance(entity, HubSpotObject) else EVERY_LIST


def _advice(lacking: dict[str, list[str]]) -> str:
    """What is to be added, each scope once with what needs it."""
    scopes = "; ".join(f"{scope} (for {', '.join(names)})" for scope, names in lacking.items())
    return (
        f"lacks {len(lacking)} scope{'s' if len(lacking) > 1 else ''}: {scopes}. Add what is missing to it: in HubSpot under "
        "Development → Keys → Service keys, or in the settings of the private app under Scopes. The key stays the same."
    )


def _lacking(entity: Entity, refusal: MissingScopeError) -> str:
    """The scope to add. HubSpot names every one that would do, of which the narrowest for reading is enough."""
    known = scope_of(entity)
    if known in refusal.scopes or not refusal.scopes:
        return known
    return " or ".join(refusal.scopes)


def _open(settings: Settings, token: str, host: str | None) -> HubSpot:
    return HubSpot(token, host or DEFAULT_BASE_URL, settings.hubspot_version, IMPATIENT)


def _refusal(portal: HubSpot, entity: Entity) -> AccessDeniedError | None:
    """The error if the token may not read `entity`; None if it may."""
    try:
        portal.probe(entity)
    except AccessDeniedError as error:
        return error
    return None
