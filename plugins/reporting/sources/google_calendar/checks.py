"""The login to Google Calendar, and its checks for `script/doctor`."""

import json
from collections.abc import Iterator, Mapping

from reporting.settings import Settings
from reporting.sources.base import Dialogue, Finding
from reporting.sources.google_api import Api
from reporting.sources.google_calendar.api import CALENDAR, Account
from reporting.sources.http import IMPATIENT

# Whether the details of events may be read with it: https://developers.google.com/workspace/calendar/api/v3/reference/calendarList
FREE_TIMES_ALONE = "freeBusyReader"


def login(variables: Mapping[str, str]) -> list[Api]:
    """The APIs that one login is for."""
    return [CALENDAR]


def connect(dialogue: Dialogue, settings: Settings, token: str, host: str | None) -> dict[str, str]:
    """Try the login. There is nothing to ask."""
    for found in check(settings, token, host):
        dialogue.say(f"{found.subject}: {found.text}")
    return {}


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the login, and whether every calendar in the list can be read."""
    account = Account(json.loads(token), host, IMPATIENT)
    try:
        calendars = [each for answer in account.calendars() for each in answer.items]
    finally:
        account.close()
    yield Finding("Google Calendar", True, f"the login works; it can read {len(calendars)} calendars.")
    # Names may be those of other people, and are only shown in a terminal.
    if hidden := [
        str(each.get("summary")) for each in calendars if each.get("accessRole") == FREE_TIMES_ALONE
    ]:
        text = (
            f"of {' and '.join(hidden)} only free times can be read, so the events have no titles or are left out. Ask the owner "
            "to share the details, or hide the calendar in the settings of Google Calendar."
        )
        yield Finding("Google Calendar", True, text, "note")
