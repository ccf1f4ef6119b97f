"""Unrolls a recurring event into its instances: https://developers.google.com/workspace/calendar/api/guides/recurringevents

Of the rules of RFC 5545 it knows FREQ (DAILY, WEEKLY, YEARLY), INTERVAL, COUNT and UNTIL, which is what the sample has.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.google.schema import Json

DAYS = {"DAILY": 1, "WEEKLY": 7}


def instances(fields: Json, until: datetime) -> Iterator[Json]:
    """The instances of a recurring event that begin before `until`, each with the id and the times that Google gives to it."""
    rule = dict(part.split("=", 1) for part in fields["recurrence"][0].removeprefix("RRULE:").split(";"))
    last = _moment(rule["UNTIL"]) if "UNTIL" in rule else None
    count = int(rule.get("COUNT", 10_000))
    for number in range(count):
        start = _moved(fields["start"], rule["FREQ"], number * int(rule.get("INTERVAL", 1)))
        at = instant(start)
        if at >= until or (last is not None and at > last):
            return
        shared = {name: value for name, value in fields.items() if name != "recurrence"}
        end = _ended(fields, start)
        yield {
            **shared,
            "id": f"{fields['id']}_{_suffix(start)}",
            "start": start,
            "end": end,
            "recurringEventId": fields["id"],
            "originalStartTime": start,
        }


def instant(moment: Json) -> datetime:
    """When something begins or ends; a whole day as in UTC."""
    if "date" in moment:
        return datetime.combine(date.fromisoformat(moment["date"]), datetime.min.time(), UTC)
    return datetime.fromisoformat(moment["dateTime"]).astimezone(UTC)


def _moved(start: Json, frequency: str, steps: int) -> Json:
    """The beginning of the instance after so many: at the same time of the day in its time zone."""
    if "date" in start:
        return {"date": _later(date.fromisoformat(start["date"]), frequency, steps).isoformat()}
    zone = ZoneInfo(start["timeZone"])
    local = datetime.fromisoformat(start["dateTime"]).astimezone(zone)
    day = _later(local.date(), frequency, steps)
    at = datetime.combine(day, local.time(), zone)
    return {"dateTime": at.isoformat(), "timeZone": start["timeZone"]}


def _later(day: date, frequency: str, steps: int) -> date:
    if frequency == "YEARLY":
        return day.replace(year=day.year + steps)
    return day + timedelta(days=DAYS[frequency] * steps)


def _ended(fields: Json, start: Json) -> Json:
    length = instant(fields["end"]) - instant(fields["start"])
    if "date" in start:
        return {"date": (date.fromisoformat(start["date"]) + length).isoformat()}
    zone = ZoneInfo(start["timeZone"])
    return {
        "dateTime": (instant(start) + length).astimezone(zone).isoformat(),
        "timeZone": start["timeZone"],
    }


def _suffix(start: Json) -> str:
    at = instant(start)
    return f"{at:%Y%m%d}" if "date" in start else f"{at:%Y%m%dT%H%M%SZ}"


def _moment(text: str) -> datetime:
    form = "%Y%m%dT%H%M%SZ" if "T" in text else "%Y%m%d"
    return datetime.strptime(text, form).replace(tzinfo=UTC)
