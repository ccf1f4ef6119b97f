"""What an application that may only read cannot do to calendars, for tests: /_control."""

from starlette.requests import Request

from sandbox.google.calendar import CALENDARS, Calendar, shown_calendar
from sandbox.google.errors import ApiError
from sandbox.google.schema import Json
from sandbox.google.store import Store


class CalendarControl:
    """Changes of calendars and events, and what there is of both."""

    def __init__(self, store: Store, calendar: Calendar) -> None:
        self.store, self.calendar = store, calendar

    async def truth(self, request: Request) -> Json:
        """GET the calendars in the list that are not hidden, and the events of each that begin before `timeMax`."""
        time_max = request.query_params.get("timeMax")
        every = [each.record for each in self.store.select(CALENDARS, "ID")]
        listed = [each for each in every if not each["fields"].get("hidden")]
        return {
            "calendars": {each["fields"]["id"]: shown_calendar(each) for each in listed},
            "events": {
                each["fields"]["id"]: self.calendar.every(each["fields"]["id"], time_max) for each in listed
            },
        }

    async def create_calendar(self, request: Request) -> Json:
        """POST the fields of a calendar, with its id."""
        fields: Json = {"timeZone": "Europe/Berlin", "accessRole": "owner"} | await request.json()
        self.store.put(CALENDARS, calendar_record(self.store.next_id(CALENDARS), fields))
        return {}

    async def edit_calendar(self, request: Request) -> Json:
        """PATCH fields of a calendar."""
        record = self.calendar.known(request.path_params["key"])
        self.store.put(CALENDARS, {**record, "fields": record["fields"] | await request.json()})
        return {}

    async def delete_calendar(self, request: Request) -> Json:
        """DELETE a calendar from the list; its events are there again when it is created again."""
        record = self.calendar.known(request.path_params["key"])
        self.store.put(CALENDARS, {**record, "deleted": True})
        return {}

    async def create_event(self, request: Request) -> Json:
        """POST the fields of an event; a `recurrence` makes it a recurring one."""
        key = self.calendar.known(request.path_params["key"])["fields"]["id"]
        number = self.store.next_id(f"events/{key}")
        fields: Json = {"id": f"made{number:x}"} | await request.json()
        self.store.put(f"events/{key}", event_record(key, number, fields, self.store.now()))
        return {"id": fields["id"]}

    async def edit_event(self, request: Request) -> Json:
        """PATCH fields of an event; of an instance, it is changed alone."""
        key, event_id = request.path_params["key"], request.path_params["event"]
        return self._changed(key, event_id, await request.json())

    async def delete_event(self, request: Request) -> Json:
        """DELETE an event; an instance is cancelled, and a recurring event goes as a whole."""
        key, event_id = request.path_params["key"], request.path_params["event"]
        found = self.store.named(f"events/{key}/{event_id}")
        if found and "recurringEventId" not in found.record["fields"]:
            self.store.put(f"events/{key}", {**found.record, "deleted": True})
            return {}
        return self._changed(key, event_id, {"status": "cancelled"})

    def _changed(self, key: str, event_id: str, changes: Json) -> Json:
        kind = f"events/{key}"
        found = self.store.named(f"{kind}/{event_id}")
        if found and not found.record["deleted"]:
            self.store.put(kind, {**found.record, "fields": found.record["fields"] | changes})
            return {}
        shown = self.calendar.found(key, event_id)
        if shown is None or shown["status"] == "cancelled":
            raise ApiError(404, "Not Found")
        own = {
            name: value
            for name, value in shown.items()
            if name not in ("kind", "etag", "created", "updated", "creator", "sequence")
        }
        self.store.put(kind, event_record(key, self.store.next_id(kind), own | changes, self.store.now()))
        return {}


def calendar_record(number: int, fields: Json, updated: int = 0) -> Json:
    """The record of a calendar."""
    return {
        "id": number,
        "name": f"{CALENDARS}/{fields['id']}",
        "updated": updated,
        "deleted": False,
        "fields": fields,
    }


def event_record(key: str, number: int, fields: Json, at: int) -> Json:
    """The record of an event of the calendar `key`, which was made at that time, in microseconds."""
    return {
        "created": at,
        "id": number,
        "name": f"events/{key}/{fields['id']}",
        "updated": at,
        "deleted": False,
        "fields": fields,
    }
