"""The checks of HubSpot for `script/doctor` and `script/connect`."""

from collections.abc import Iterator

from reporting.entity import Entity
from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import AccessDeniedError, Dialogue, Finding, SourceError
from reporting.sources.http import IMPATIENT
from reporting.sources.hubspot.api import DEFAULT_BASE_URL, HubSpot
from reporting.sources.hubspot.entities import HUBSPOT, HUBSPOT_OBJECTS

STEPS = """
1. In HubSpot, open Settings → Integrations → Private Apps, and create one (you must be a super admin).
2. Give it these scopes, all for reading: crm.objects.contacts, .companies, .deals and .owners; for engagements
   crm.objects.contacts covers calls, meetings, notes, tasks and communications; e-mails need sales-email-read.
3. Copy the app's access token (it begins with pat-) and paste it here; it is not shown.
"""


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the token, and its scope for each entity."""
    portal = _open(settings, token, host)
    try:
        for entity in HUBSPOT:
            if settings.names.get(entity.table) == SWITCHED_OFF:
                yield Finding(entity.table, True, "is switched off.")
                continue
            refusal = _refusal(portal, entity)
            yield Finding(entity.table, refusal is None, str(refusal or "can be read."))
    finally:
        portal.close()


def connect(dialogue: Dialogue, settings: Settings, token: str, host: str | None) -> dict[str, str]:
    """Ask the owner about entities for which the token lacks a scope, and return the settings that switch them off.

    Raises the errors of `reporting.sources.base`.
    """
    portal = _open(settings, token, host)
    try:
        refusals = {entity: _refusal(portal, entity) for entity in HUBSPOT}
    finally:
        portal.close()
    if all(refusals[entity] for entity in HUBSPOT_OBJECTS):
        raise SourceError(str(refusals[HUBSPOT_OBJECTS[0]]))
    changes = {}
    for entity, refusal in refusals.items():
        # An entity that was switched off because of a missing scope is switched on again when the scope exists.
        name = f"REPORTING_NAME_{entity.table.upper()}"
        changes[name] = ""
        if refusal:
            dialogue.say(f"\n{refusal}")
            if dialogue.ask(f"Go on without {entity.name} (yes or no)", "yes").lower() not in ("y", "yes"):
                raise SourceError("add the scope to the private app, and run this again.")
            changes[name] = SWITCHED_OFF
    return changes


def _open(settings: Settings, token: str, host: str | None) -> HubSpot:
    return HubSpot(token, host or DEFAULT_BASE_URL, settings.hubspot_version, IMPATIENT)


def _refusal(portal: HubSpot, entity: Entity) -> AccessDeniedError | None:
    """The error if the token may not read `entity`; None if it may."""
    try:
        portal.probe(entity)
    except AccessDeniedError as error:
        return error
    return None
