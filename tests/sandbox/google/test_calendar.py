"""The fake Calendar API answers as Google's published schemas say, pages, and syncs."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sandbox.google.calendar_sample import FRIENDS, HOLIDAYS, OWN, TEAM
from tests.sandbox.google.account import CALENDAR_DOCUMENT, Account

Start = Callable[..., Account]
LIST = "/calendar/v3/users/me/calendarList"


def events(calendar: str) -> str:
    return f"/calendar/v3/calendars/{quote(calendar, safe='')}/events"


def every(account: Account, calendar: str, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
    return account.pages(events(calendar), "items", singleEvents="true", **query)


def reason(account: Account, calendar: str, **query: Any) -> tuple[int, str]:
    status, error = account.refusal(events(calendar), singleEvents="true", **query)
    return status, error["errors"][0]["reason"]


def test_the_sample_has_what_a_calendar_has(google: Account) -> None:
    calendars = {each["id"]: each for each in google.pages(LIST, "items", maxResults=2)[0]}
    assert len(calendars) == 5
    assert [key for key, each in calendars.items() if each.get("primary")] == [OWN]
    found = {key: every(google, key, timeMax="2026-06-01T00:00:00Z")[0] for key in calendars}
    assert all("date" in each["start"] for each in found[HOLIDAYS])
    own = found[OWN]
    assert {each["eventType"] for each in own} == {"default", "birthday", "workingLocation"}
    assert {each["status"] for each in own} == {"confirmed", "tentative"}
    answers = Counter(guest["responseStatus"] for each in own for guest in each.get("attendees", ()))
    assert answers.keys() == {"accepted", "declined", "needsAction"}
    assert len({each["summary"] for each in found[FRIENDS]}) > 5
    # Invitations that the team's calendar has again.
    uids = {each["iCalUID"] for each in own}
    assert 0 < sum(each["iCalUID"] in uids for each in found[TEAM]) < len(uids)
    # Most meetings of HubSpot's sample.
    assert sum(each["summary"] == "Meeting" for each in own) > 100


def test_pages_are_those_of_one_moment(google: Account) -> None:
    whole, token = every(google, OWN, maxResults=2500)
    assert token
    paged, _ = every(google, OWN, maxResults=90)
    assert [each["id"] for each in paged] == [each["id"] for each in whole]
    one = google.get(f"{events(OWN)}/{whole[0]['id']}")
    assert one == whole[0]
    assert google.refusal(f"{events(OWN)}/never")[0] == 404


def test_a_sync_tells_of_changes_alone(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--calendar-days", "0")
    path = f"calendars/{quote(TEAM, safe='')}/events"
    whole, token = every(account, TEAM, timeMax="2026-06-01T00:00:00Z")
    assert every(account, TEAM, syncToken=token) == ([], every(account, TEAM, syncToken=token)[1])
    cancelled, moved = (each["id"] for each in whole[2:4])
    account.control("DELETE", f"{path}/{cancelled}")
    account.control("PATCH", f"{path}/{moved}", {"location": "Elsewhere"})
    found, later = every(account, TEAM, syncToken=token)
    assert {each["id"]: each["status"] for each in found} == {cancelled: "cancelled", moved: "confirmed"}
    gone = next(each for each in found if each["status"] == "cancelled")
    assert gone.keys() == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
    account.control("DELETE", f"{path}/teammeeting0")
    found, _ = every(account, TEAM, syncToken=later)
    assert {each["status"] for each in found} <= {"cancelled"}
    assert every(account, TEAM)[0] == []


def test_refusals_have_googles_reasons(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--calendar-days", "0")
    _, token = every(account, TEAM)
    assert reason(account, TEAM, syncToken=token, timeMax="2026-06-01T00:00:00Z") == (400, "badRequest")
    assert reason(account, TEAM, syncToken="bogus") == (400, "invalid")
    assert reason(account, TEAM, syncToken=token, maxResults=7) == (400, "invalid")
    assert reason(account, "nobody@example.com") == (404, "notFound")
    account.control("PATCH", f"calendars/{quote(TEAM, safe='')}", {"accessRole": "freeBusyReader"})
    assert reason(account, TEAM) == (403, "requiredAccessLevel")
    account.control("POST", "sync_tokens/expire")
    _, other = every(account, OWN)
    assert other
    account.control("POST", "sync_tokens/expire")
    assert reason(account, OWN, syncToken=other) == (410, "fullSyncRequired")


def test_the_parameters_are_those_of_the_document(google: Account) -> None:
    methods = CALENDAR_DOCUMENT["resources"]["events"]["methods"]
    assert {"singleEvents", "syncToken", "timeMax", "maxResults"} <= methods["list"]["parameters"].keys()
    assert google.refusal(events(OWN), singleEvents="true", single="true")[0] == 400
