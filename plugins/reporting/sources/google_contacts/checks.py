"""The checks of Google Contacts for `script/doctor`."""

import json
from collections.abc import Iterator

from reporting.settings import Settings
from reporting.sources.base import Finding
from reporting.sources.google_contacts.api import Account
from reporting.sources.http import IMPATIENT
from reporting.sources.phones import check_region


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
