"""Google Contacts, through the People API: people and groups of one account, all of them or the changes since a sync token.

Facts about the API are from its reference: https://developers.google.com/people/api/rest
"""

from reporting.sources.base import Source
from reporting.sources.google_contacts.entities import GOOGLE

SOURCE = Source(
    name="google",
    title="Google Contacts",
    package=__name__,
    entities=GOOGLE,
    needs="an authorized user as its credential_config_file",
    advice="Run script/google-login.",
    is_login=True,
    when_stale="whether the login still works (while an app is in Testing, it ends after seven days)",
)
