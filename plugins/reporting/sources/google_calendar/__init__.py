"""Google Calendar: the calendars of one account and their events, each instance of a recurring event by itself.

Facts about the API are from its reference: https://developers.google.com/workspace/calendar/api/v3/reference
"""

from reporting.sources.base import Source
from reporting.sources.google_calendar.entities import GOOGLE_CALENDAR

SOURCE = Source(
    name="google_calendar",
    title="Google Calendar",
    package=__name__,
    entities=GOOGLE_CALENDAR,
    needs="an authorized user as its credential_config_file",
    advice="Run script/connect google_calendar.",
    is_login=True,
    when_stale="whether the login still works (while an app is in Testing, it ends after seven days)",
)
