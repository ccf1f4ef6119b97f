"""The Calendar API's endpoints for reading: the list of calendars, and the events of each by pages and by sync tokens.

https://developers.google.com/workspace/calendar/api/v3/reference

A kept event is a record whose `fields` are those of the API; the `recurrence` of a recurring event is unrolled when it is read, and
an instance that was changed or cancelled is a record of its own. What Google's documentation leaves open is imitated as follows:
a sync gives the instances of a changed recurring event up to two years ahead, and of a deleted one those of half a year.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from starlette.requests import Request

from sandbox.google import schema
from sandbox.google.cursors import fingerprint, opened, sealed
from sandbox.google.errors import ApiError, calendar_error
from sandbox.google.gate import Behaviour
from sandbox.google.queries import flag_of, query_of
from sandbox.google.recurring import instances, instant
from sandbox.google.schema import Json
from sandbox.google.store import EPOCH, SECOND, Store

CALENDARS = "calendars"
LONGEST_LIST, LONGEST_PAGE = 250, 2500
AHEAD = timedelta(days=730)
DELETED_INSTANCES = timedelta(days=183)
# https://developers.google.com/workspace/calendar/api/v3/reference/events/list (syncToken)
NOT_WITH_TOKEN = ("iCalUID", "orderBy", "q", "timeMin", "timeMax", "updatedMin")
FREE_TIMES_ALONE = "freeBusyReader"


class Calendar:
    """The API's endpoints over one store."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        self.store, self.behaviour = store, behaviour
        self._pages: dict[str, Json] = {}

    async def calendars(self, request: Request) -> Json:
        """GET users/me/calendarList, without sync tokens.

        https://developers.google.com/workspace/calendar/api/v3/reference/calendarList/list
        """
        query = query_of(request, "maxResults", "pageToken", "showHidden")
        shows_hidden = flag_of(query, "showHidden")
        found = [
            shown_calendar(each.record)
            for each in self.store.select(CALENDARS, "ID")
            if shows_hidden or not each.record["fields"].get("hidden")
        ]
        size = _size(query, 100, LONGEST_LIST)
        state = self._state(query, {"list": CALENDARS, "size": size, "hidden": shows_hidden})
        return {"kind": "calendar#calendarList", "etag": '"0"'} | self._page(state, found, size)

    async def events(self, request: Request) -> Json:
        """GET calendars/{key}/events.

        https://developers.google.com/workspace/calendar/api/v3/reference/events/list
        """
        calendar = self.known(request.path_params["key"])
        query = query_of(
            request,
            *("maxResults", "pageToken", "singleEvents", "syncToken", "timeMin", "timeMax", "orderBy"),
        )
        if not flag_of(query, "singleEvents") or "orderBy" in query:
            raise ApiError(501, "The fake API gives single events alone, in no order.")
        if calendar["fields"]["accessRole"] == FREE_TIMES_ALONE:
            raise calendar_error(
                403, "requiredAccessLevel", "You need to have reader access to this calendar."
            )
        size = _size(query, 250, LONGEST_PAGE)
        if "syncToken" in query and any(each in query for each in NOT_WITH_TOKEN):
            raise calendar_error(400, "badRequest", "Sync token cannot be used together with a filter.")
        key = calendar["fields"]["id"]
        sync = {"list": f"events/{key}", "size": size}
        call = sync | {name: query.get(name) for name in ("syncToken", "timeMin", "timeMax")}
        state = self._state(query, call)
        since = None
        if "syncToken" in query:
            token = self._opened(query["syncToken"], "sync", fingerprint(sync))
            since, state["full"] = token["since"], token["full"]
        found = list(
            self._changed(key, since, state["horizon"])
            if since is not None
            else self._every(key, query, state)
        )
        answer = self._page(state, found, size)
        if "nextPageToken" not in answer:
            token = {
                "use": "sync",
                "call": fingerprint(sync),
                "since": state["horizon"],
                "full": state["full"],
            }
            answer["nextSyncToken"] = sealed(self.store.secret, token)
        head = {name: calendar["fields"][name] for name in ("summary", "timeZone", "accessRole")}
        return {"kind": "calendar#events", "etag": '"0"', "defaultReminders": [], **head} | answer

    async def event(self, request: Request) -> Json:
        """GET calendars/{key}/events/{event}: also a cancelled one.

        https://developers.google.com/workspace/calendar/api/v3/reference/events/get
        """
        key = self.known(request.path_params["key"])["fields"]["id"]
        found = self.found(key, request.path_params["event"])
        if found is None:
            raise calendar_error(404, "notFound", "Not Found")
        return found

    def page_again(self, key: str) -> str | None:
        """A token of the page last served that began with this entry."""
        state = self._pages.get(key)
        return sealed(self.store.secret, state) if state else None

    def known(self, key: str) -> Json:
        """The record of a calendar, which may be called `primary`."""
        for each in self.store.select(CALENDARS, "ID"):
            fields = each.record["fields"]
            if key == fields["id"] or (key == "primary" and fields.get("primary")):
                return each.record
        raise calendar_error(404, "notFound", "Not Found")

    def found(self, key: str, event_id: str) -> Json | None:
        """An event by its id, an instance also by its own; None when there never was one."""
        version = self.store.named(f"events/{key}/{event_id}")
        if version:
            record = version.record
            series = record["fields"].get("recurringEventId")
            is_gone = record["deleted"] or (series and self._is_gone(key, series))
            return _cancelled(record["fields"]) if is_gone else shown_event(record, record["fields"])
        series = self.store.named(f"events/{key}/{event_id.rpartition('_')[0]}")
        if series is None or "recurrence" not in series.record["fields"]:
            return None
        for each in instances(series.record["fields"], self._now() + AHEAD):
            if each["id"] == event_id:
                return _cancelled(each) if series.record["deleted"] else shown_event(series.record, each)
        return None

    def every(self, key: str, time_max: str | None = None) -> dict[str, Json]:
        """The events that a calendar has, by their id, as they are shown."""
        query = {"timeMax": time_max} if time_max else {}
        return {each["id"]: each for each in self._every(key, query, {"horizon": 2**62})}

    def _is_gone(self, key: str, event_id: str) -> bool:
        found = self.store.named(f"events/{key}/{event_id}")
        return found is None or bool(found.record["deleted"])

    def _every(self, key: str, query: Json, state: Json) -> Iterator[Json]:
        """The events within the bounds of a request, without cancelled ones."""
        time_max = datetime.fromisoformat(query["timeMax"]) if "timeMax" in query else self._now() + AHEAD
        time_min = datetime.fromisoformat(query["timeMin"]) if "timeMin" in query else None
        for each in self._unrolled(key, state["horizon"], max(time_max, self._now() + AHEAD)).values():
            begins, ends = instant(each["start"]), instant(each["end"])
            if begins < time_max and (time_min is None or ends > time_min):
                yield each

    def _unrolled(self, key: str, horizon: int, until: datetime) -> dict[str, Json]:
        """All events of a calendar as of a version, each instance by itself."""
        records = [each.record for each in self.store.select(f"events/{key}", "ID", horizon)]
        found: dict[str, Json] = {}
        for record in records:
            if "recurrence" in record["fields"]:
                found |= {
                    each["id"]: shown_event(record, each) for each in instances(record["fields"], until)
                }
        series = {each["fields"]["id"] for each in records}
        for record in records:
            fields = record["fields"]
            if (
                fields.get("status") == "cancelled"
                or fields.get("recurringEventId", fields["id"]) not in series
            ):
                found.pop(fields["id"], None)
            elif "recurrence" not in fields:
                found[fields["id"]] = shown_event(record, fields)
        return found

    def _changed(self, key: str, since: int, horizon: int) -> Iterator[Json]:
        """What a sync gives: changed events, and cancelled ones with little more than their id."""
        until = self._now() + AHEAD
        before = self._unrolled(key, since, until)
        now = self._unrolled(key, horizon, until)
        changed = [each.record["fields"] for each in self.store.select(f"events/{key}", "ID", horizon, since)]
        ids = {each["id"] for each in changed}
        for event_id, each in now.items():
            if event_id in ids or each.get("recurringEventId") in ids:
                yield each
        for event_id, each in before.items():
            if event_id in now:
                continue
            is_near = abs(instant(each["start"]) - self._now()) <= DELETED_INSTANCES
            if event_id in ids or is_near:
                yield _cancelled(each)
        for each in changed:
            if each["id"] not in now and each["id"] not in before and "recurrence" not in each:
                yield _cancelled(each)

    def _state(self, query: Json, call: Json) -> Json:
        """Where a page begins: as of the first page of its list, and as of the propagation delay before that."""
        now = self.store.now()
        if "pageToken" in query:
            return self._opened(query["pageToken"], "page", fingerprint(call))
        settled = self.store.horizon(now - round(self.behaviour.propagation * SECOND))
        return {"use": "page", "call": fingerprint(call), "horizon": settled, "full": now, "offset": 0}

    def _page(self, state: Json, found: list[Json], size: int) -> Json:
        page = found[state["offset"] : state["offset"] + size]
        if page:
            self._pages[page[0]["id"]] = dict(state)
        answer: Json = {"items": page}
        if len(found) > state["offset"] + size:
            following = state | {"offset": state["offset"] + size}
            answer["nextPageToken"] = sealed(self.store.secret, following)
        return answer

    def _opened(self, token: str, use: str, call: str) -> Json:
        found = opened(self.store.secret, token)
        if found is None or found.get("use") != use or found.get("call") != call:
            raise calendar_error(400, "invalid", "Invalid value for: Invalid token.")
        oldest = self.store.now() - round(self.behaviour.sync_token_lifetime * SECOND)
        ended = int(self.store.setting("sync_tokens_expired") or 0)
        if use == "sync" and (found["full"] < oldest or found["full"] <= ended):
            raise calendar_error(
                410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required."
            )
        return found

    def _now(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.store.now())


def shown_calendar(record: Json) -> Json:
    """A CalendarListEntry."""
    return {
        "kind": "calendar#calendarListEntry",
        "etag": f'"{record["updated"]}"',
        "colorId": "1",
        "selected": True,
        "defaultReminders": [],
        **record["fields"],
    }


def shown_event(record: Json, fields: Json) -> Json:
    """An Event; `fields` are those of the record or of one of its instances."""
    organizer = fields.get("organizer", {"email": "robin@example.com", "self": True})
    return {
        "kind": "calendar#event",
        "etag": f'"{record["updated"]}"',
        "status": "confirmed",
        "created": schema.iso(record["created"]),
        "updated": schema.iso(record["updated"]),
        "creator": organizer,
        "organizer": organizer,
        "iCalUID": f"{fields.get('recurringEventId', fields['id'])}@google.com",
        "sequence": 0,
        "reminders": {"useDefault": True},
        "eventType": "default",
        **fields,
    }


def _cancelled(fields: Json) -> Json:
    """All that is told of an event that was cancelled."""
    kept = {name: fields[name] for name in ("id", "recurringEventId", "originalStartTime") if name in fields}
    return {"kind": "calendar#event", "etag": '"0"', "status": "cancelled", **kept}


def _size(query: Json, default: int, longest: int) -> int:
    size = int(query.get("maxResults", default))
    if size < 1:
        raise calendar_error(400, "invalid", "Invalid value for: maxResults.")
    return min(size, longest)
