"""The entities of Google Calendar."""

from reporting.entity import Entity

GOOGLE_CALENDAR = (
    Entity(
        source="google_calendar",
        name="calendars",
        description="Calendars in the list of Google Calendar, other than hidden ones.",
        # A single request reads all of them, and a sync token would spare nothing.
        has_changed=False,
        page_size=250,
    ),
    Entity(
        source="google_calendar",
        name="events",
        description="Events of the calendars, with each instance of a recurring event as an event of its own.",
        page_size=1000,
    ),
)
