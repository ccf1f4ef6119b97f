"""The login to Google Contacts, and its checks for `script/doctor`."""

import json
from collections.abc import Iterator, Mapping

from reporting.settings import PREFIX, SWITCHED_OFF, SettingError, Settings
from reporting.sources.base import Dialogue, Finding
from reporting.sources.google_api import Api
from reporting.sources.google_contacts.api import PEOPLE, Account
from reporting.sources.google_sheets.entities import GOOGLE_SHEETS
from reporting.sources.google_sheets.reader import SHEETS
from reporting.sources.http import IMPATIENT
from reporting.sources.phones import check_region


def login(variables: Mapping[str, str]) -> list[Api]:
    """The APIs that one login is for: that of contacts, and that of sheets only if one is configured."""
    names = (f"{PREFIX}NAME_{entity.table.upper()}" for entity in GOOGLE_SHEETS)
    has_sheets = any(variables.get(name) not in (None, "", SWITCHED_OFF) for name in names)
    return [PEOPLE, *([SHEETS] if has_sheets else ())]


def connect(dialogue: Dialogue, settings: Settings, token: str, host: str | None) -> dict[str, str]:
    """Try the login, and ask for the country of telephone numbers without a country code."""
    account = open_account(token, host)
    try:
        dialogue.say(f"The login works; it can read {account.count()} contacts.")
    finally:
        account.close()
    default = settings.default_region or "none"
    while True:
        asked = "Country of telephone numbers without a country code (two letters such as DE, or none)"
        answer = dialogue.ask(asked, default)
        if answer == "none":
            return {"REPORTING_DEFAULT_REGION": ""}
        try:
            check_region(answer.upper())
        except SettingError:
            dialogue.say(f"'{answer}' is not the two letters of a country.")
        else:
            return {"REPORTING_DEFAULT_REGION": answer.upper()}


def open_account(token: str, host: str | None) -> Account:
    """A connection with few retries, for a person who waits. `token` is an authorized user as JSON."""
    return Account(json.loads(token), host, IMPATIENT)


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the login, its access to contacts, and the country of telephone numbers."""
    check_region(settings.default_region)
    account = open_account(token, host)
    try:
        yield Finding("Google Contacts", True, f"the login works; it can read {account.count()} contacts.")
    finally:
        account.close()
    if settings.default_region is None:
        text = "is not set, so telephone numbers without a country code have no E.164 form."
        yield Finding("REPORTING_DEFAULT_REGION", True, text)
