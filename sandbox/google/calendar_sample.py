"""A year of the same owner's calendars, invented: meetings with people of the address book and of HubSpot's sample, and all that
a calendar has besides.

Most meetings of HubSpot's sample with the same seed are in the calendar, too, at the same time and with the same person. A third
calendar shows some of them again, as an invitation does.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sandbox.google.calendar_control import calendar_record, event_record
from sandbox.google.schema import Json
from sandbox.google.store import SECOND
from sandbox.hubspot.__main__ import SIZES
from sandbox.hubspot.sample import Sample as HubSpotSample

OWN = "robin@example.com"
FAMILY, FRIENDS, TEAM = (
    f"{name}0invented@group.calendar.google.com" for name in ("family", "friends", "team")
)
HOLIDAYS = "en.german#holiday@group.v.calendar.google.com"
ZONE = "Europe/Berlin"
CALENDARS: tuple[Json, ...] = (
    {"id": OWN, "summary": "Robin Sample", "timeZone": ZONE, "accessRole": "owner", "primary": True},
    {"id": FAMILY, "summary": "Family", "timeZone": ZONE, "accessRole": "owner"},
    {"id": FRIENDS, "summary": "Friends", "timeZone": ZONE, "accessRole": "owner"},
    {"id": TEAM, "summary": "Consultancy", "timeZone": "UTC", "accessRole": "writer"},
    {"id": HOLIDAYS, "summary": "Holidays in Germany", "timeZone": ZONE, "accessRole": "reader"},
)
COLLEAGUES = ("kim@consultancy.example.com", "lou@consultancy.example.com")
FEASTS = (
    (1, 1, "New Year's Day"),
    (5, 1, "Labour Day"),
    (10, 3, "Day of German Unity"),
    (12, 25, "Christmas Day"),
)
DAYS_AHEAD = 60
HUBSPOT_SHARE = 0.6
SELF: Json = {"email": OWN, "self": True, "responseStatus": "accepted"}


@dataclass(slots=True)
class CalendarSample:
    """What the calendars are made from. `people` are records of the address book; `days` is how far the events reach back."""

    seed: int
    today: date
    started_at: datetime
    days: int
    people: list[Json]

    def calendars(self) -> list[Json]:
        """The calendars."""
        return [calendar_record(number, dict(fields)) for number, fields in enumerate(CALENDARS, 1)]

    def events(self) -> dict[str, list[Json]]:
        """The events of each calendar, by its id; what was made last is never after the first start."""
        dice = random.Random(f"{self.seed}/calendar")
        made: dict[str, list[Json]] = {each["id"]: [] for each in CALENDARS}
        for calendar_id, fields in self._events(dice):
            number = len(made[calendar_id]) + 1
            fields = {"id": f"s{self.seed}{number:05d}{len(calendar_id)}", **fields}
            at = int(self.started_at.timestamp() - dice.randrange(1, 86400 * 300)) * SECOND
            made[calendar_id].append(event_record(calendar_id, number, fields, at))
        return made

    def _events(self, dice: random.Random) -> Iterator[tuple[str, Json]]:
        first = self.today - timedelta(days=self.days)
        yield from self._recurring(first)
        yield from self._feasts(first)
        if self.days == 0:
            return
        yield from self._of_hubspot(dice, first)
        friends = [each for each in map(_person, self.people) if each]
        day = first
        while day <= self.today + timedelta(days=DAYS_AHEAD):
            yield from self._day(dice, day, friends)
            day += timedelta(days=1)
        last = self.today - timedelta(days=9)
        yield FAMILY, {"summary": "Summer holiday", **_whole(last - timedelta(days=100), 10)}
        yield OWN, {"summary": "Home office", "eventType": "workingLocation", **_whole(self.today, 1)}
        yield OWN, {"summary": "Night train", **_timed(last, "22:30", 600, "Europe/Lisbon")}
        yield OWN, {"summary": "Dentist", "status": "tentative", **_timed(self.today, "15:00", 30)}
        yield OWN, {"summary": "Webinar", "transparency": "transparent", **_timed(last, "10:00", 60)}

    def _recurring(self, first: date) -> Iterator[tuple[str, Json]]:
        monday = first - timedelta(days=first.weekday())
        colleagues = [{"email": each, "responseStatus": "accepted"} for each in COLLEAGUES]
        weekly = {"recurrence": ["RRULE:FREQ=WEEKLY"]}
        team = {"summary": "Team meeting", "attendees": [SELF, *colleagues]}
        yield TEAM, {"id": "teammeeting0", **team, **weekly, **_timed(monday, "09:00", 60)}
        moved = monday + timedelta(days=7 * (self.days // 14))
        # One instance was moved to the afternoon, and one was cancelled.
        original = _timed(moved, "09:00", 60)["start"]
        shared = {"recurringEventId": "teammeeting0", "originalStartTime": original}
        name = f"teammeeting0_{_stamp(original)}"
        yield TEAM, {"id": name, **team, **shared, **_timed(moved, "15:00", 60)}
        original = _timed(moved + timedelta(days=7), "09:00", 60)["start"]
        shared = {"recurringEventId": "teammeeting0", "originalStartTime": original}
        yield TEAM, {"id": f"teammeeting0_{_stamp(original)}", "status": "cancelled", **shared}
        thursday = monday + timedelta(days=3)
        yield FAMILY, {"id": "choir0", "summary": "Choir", **weekly, **_timed(thursday, "19:30", 120)}
        birthday = {"summary": "Happy birthday!", "eventType": "birthday", "transparency": "transparent"}
        yearly = {"recurrence": ["RRULE:FREQ=YEARLY"], **_whole(date(2019, 7, 4), 1)}
        yield OWN, {"id": "birthday0", **birthday, **yearly}

    def _feasts(self, first: date) -> Iterator[tuple[str, Json]]:
        for year in range(first.year, self.today.year + 2):
            for month, day, name in FEASTS:
                free = {"transparency": "transparent", "visibility": "public"}
                yield HOLIDAYS, {"summary": name, **free, **_whole(date(year, month, day), 1)}

    def _of_hubspot(self, dice: random.Random, first: date) -> Iterator[tuple[str, Json]]:
        """Meetings that HubSpot has, too; the team's calendar shows some of them again."""
        hubspot = HubSpotSample(**SIZES | {"seed": self.seed}, today=self.today, started_at=self.started_at)
        records = {(each["kind"], each["id"]): each["properties"] for each in hubspot.records()}
        emails = {
            link[1]: records["contacts", link[3]].get("email")
            for link in hubspot.links
            if link[0] == "meetings" and link[2] == "contacts"
        }
        for (kind, key), properties in records.items():
            email = emails.get(key) if kind == "meetings" else None
            if email is None or dice.random() > HUBSPOT_SHARE:
                continue
            start, end = (_minute(properties[f"hs_meeting_{name}_time"]) for name in ("start", "end"))
            if start.date() < first:
                continue
            times = {
                name: {"dateTime": at.astimezone(ZoneInfo(ZONE)).isoformat(), "timeZone": ZONE}
                for name, at in (("start", start), ("end", end))
            }
            guest = {"email": email.title() if dice.random() < 0.2 else email, "responseStatus": "accepted"}
            shared = {
                "summary": "Meeting",
                "attendees": [SELF, guest],
                "iCalUID": f"meeting{key}@google.com",
                **times,
            }
            yield OWN, shared
            if dice.random() < 0.3:
                yield TEAM, shared

    def _day(
        self, dice: random.Random, day: date, friends: list[tuple[str, str]]
    ) -> Iterator[tuple[str, Json]]:
        """What one day has besides: a workshop that fills it, calls, dinners, and what was declined."""
        if day.weekday() < 5 and dice.random() < 0.02:
            for hour in ("08:30", "11:00", "14:00", "16:30"):
                yield OWN, {"summary": "Workshop", **_timed(day, hour, 120)}
        if day.weekday() < 5 and dice.random() < 0.35:
            name, email = dice.choice(friends)
            answer = dice.choice(("accepted", "accepted", "accepted", "needsAction", "declined"))
            mine = SELF | {"responseStatus": "declined"} if dice.random() < 0.1 else SELF
            guests = [mine, {"email": email, "displayName": name, "responseStatus": answer}]
            hour = f"{dice.randrange(9, 17):02d}:{dice.choice(('00', '30'))}"
            yield OWN, {"summary": f"Call with {name}", "attendees": guests, **_timed(day, hour, 45)}
        if dice.random() < 0.12:
            name, email = dice.choice(friends)
            guests = [SELF, {"email": email, "responseStatus": "accepted"}] if dice.random() < 0.5 else []
            invited = {"attendees": guests} if guests else {}
            yield FRIENDS, {"summary": f"Dinner with {name}", **invited, **_timed(day, "19:00", 150)}
        if dice.random() < 0.1:
            yield (
                FAMILY,
                {
                    "summary": dice.choice(("Parents' evening", "Swimming", "Cinema")),
                    **_timed(day, "17:30", 90),
                },
            )


def _person(record: Json) -> tuple[str, str] | None:
    """The first name and the e-mail address of a record of the address book; None if it lacks one."""
    names, emails = record["fields"].get("names"), record["fields"].get("emailAddresses")
    if not names or not emails or not names[0].get("givenName"):
        return None
    return names[0]["givenName"], emails[0]["value"].strip()


def _timed(day: date, at: str, minutes: int, zone: str = ZONE) -> Json:
    start = datetime.combine(day, time.fromisoformat(at), ZoneInfo(zone))
    end = (start.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
    return {
        "start": {"dateTime": start.isoformat(), "timeZone": zone},
        "end": {"dateTime": end.isoformat(), "timeZone": zone},
    }


def _whole(day: date, days: int) -> Json:
    return {
        "start": {"date": day.isoformat()},
        "end": {"date": (day + timedelta(days=days)).isoformat()},
    }


def _minute(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(second=0, microsecond=0)


def _stamp(start: Json) -> str:
    return f"{datetime.fromisoformat(start['dateTime']).astimezone(UTC):%Y%m%dT%H%M%SZ}"
