"""The readers of Google Calendar against its fake API: what is read, what is gone, and what cannot be read."""

import json
from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.settings import read_settings
from reporting.sources.base import (
    AccessDeniedError,
    Finding,
    IncompleteReadError,
    LookupReader,
    Page,
    Record,
    SyncReader,
    Tombstone,
)
from reporting.sources.google_api import RefusedError
from reporting.sources.google_calendar import checks, event_reader, records, rows
from reporting.sources.google_calendar.api import Account as Source
from reporting.sources.http import Policy
from tests.support.calendar_account import (
    ENTITIES,
    FAMILY,
    OWN,
    TEAM,
    CalendarAccount,
    calendar_account,
    content,
    timed,
)
from tests.support.google_account import LONG_AGO, UNPACED, USER, ids, tombstones

SETTINGS = read_settings({})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalendarAccount]:
    with calendar_account(tmp_path_factory.mktemp("account")) as running:
        running.control("POST", "mark")
        yield running


@pytest.fixture
def account(served: CalendarAccount) -> CalendarAccount:
    """An account as at first."""
    served.control("POST", "reset")
    return served


def read(account: CalendarAccount, token: str | None = None, **options: Any) -> tuple[list[Page], Any]:
    """The pages of a full refresh, or of what changed since `token`, and the reader."""
    reader = account.reader(**options)
    reader.resume_at(token)
    reader.describe()
    return list(reader.read(None if token is None else LONG_AGO)), reader


def row(event: dict[str, Any]) -> dict[str, Any]:
    return rows.row(ENTITIES["events"], records.event_record(OWN, event), {}, SETTINGS)


def test_every_event_of_every_calendar_is_read_once(account: CalendarAccount) -> None:
    for size in (None, 7):
        pages, reader = read(account, page_size=size)
        found = {str(each.id): each for page in pages for each in page.records}
        assert len(found) == len(ids(pages))
        truth = account.truth()
        assert {key: content(each.payload["event"]) for key, each in found.items()} == {
            key: content(each) for key, each in truth.items()
        }
        assert reader.is_full_refresh
        assert tombstones(pages) == set()
    # An instance is an event of its own, and a moved one is where it was moved to.
    team = [each for key, each in truth.items() if key.startswith(TEAM)]
    assert {each["recurringEventId"] for each in team} == {"teammeeting0"}
    assert sum(each["start"]["dateTime"][11:16] == "15:00" for each in team) == 1
    calendars = [each for page in account.reader("calendars").read(None) for each in page.records]
    assert {each.id for each in calendars} == set(account.truth("calendars"))


def test_readers_are_what_the_loader_asks_of_them(account: CalendarAccount) -> None:
    reader = account.reader()
    assert isinstance(reader, SyncReader)
    assert isinstance(reader, LookupReader)
    assert not isinstance(account.reader("calendars"), SyncReader)


def test_a_sync_brings_changes_and_cancelled_events(account: CalendarAccount) -> None:
    edited, gone = (account.create(summary=each, **timed("2026-03-16T08:00")) for each in ("One", "Two"))
    choir = sorted(key for key in account.truth() if key.startswith(f"{FAMILY}/choir"))
    _, reader = read(account)
    made = account.create(summary="Three", **timed("2026-03-17T08:00"))
    account.change(edited, summary="Edited")
    account.delete(gone)
    account.delete(choir[3])
    account.change(choir[4], location="Elsewhere")
    before = account.requests()
    pages, later = read(account, reader.sync_token)
    assert not later.is_full_refresh
    assert set(ids(pages)) == {made, edited, choir[4]}
    assert tombstones(pages) == {Tombstone(gone, "trashed"), Tombstone(choir[3], "trashed")}
    asked = {name: count - before.get(name, 0) for name, count in account.requests().items()}
    assert asked["GET /calendar/v3/calendars/{id}/events"] == len(account.truth("calendars"))
    pages, _ = read(account, later.sync_token)
    assert (ids(pages), tombstones(pages)) == ([], set())


def test_a_recurring_event_that_changes_as_a_whole(account: CalendarAccount) -> None:
    _, reader = read(account)
    account.change(f"{FAMILY}/choir0", summary="Chamber choir")
    pages, later = read(account, reader.sync_token)
    choir = {key for key, each in account.truth().items() if each["summary"] == "Chamber choir"}
    # What Google tells of the time beyond the horizon is left out.
    assert set(ids(pages)) == choir
    account.delete(f"{FAMILY}/choir0")
    pages, _ = read(account, later.sync_token)
    told = {each.id for each in tombstones(pages)}
    assert told
    # Google does not tell of all of them; a full refresh asks once, and the recurring event answers for its instances.
    before = account.requests()["GET /calendar/v3/calendars/{id}/events/{id}"] if told == choir else 0
    _, full = read(account)
    found = list(full.ask_about(sorted(choir)))
    assert tombstones(found) == {Tombstone(each, "trashed") for each in choir}
    assert account.requests()["GET /calendar/v3/calendars/{id}/events/{id}"] == before + 1


@pytest.mark.parametrize("token", ["expired", "moved horizon", "unreadable", "null"])
def test_a_token_that_cannot_be_used_makes_it_a_full_refresh(
    account: CalendarAccount, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, reader = read(account)
    held = reader.sync_token
    if token == "expired":
        account.expire()
    elif token == "moved horizon":
        held = json.dumps(json.loads(held) | {"horizon": "2027-03-01"})
    else:
        held = "null" if token == "null" else "{"
    pages, later = read(account, held)
    assert later.is_full_refresh
    assert set(ids(pages)) == set(account.truth())
    if token == "expired":
        assert "does not accept a sync token any more, so everything is read" in caplog.text


def test_one_expired_token_of_several_is_enough(account: CalendarAccount) -> None:
    """The others were asked first, and nothing of their answers is taken twice."""
    _, reader = read(account)
    held = json.loads(reader.sync_token)
    last = sorted(held["calendars"])[-1]
    held["calendars"][last] = "bogus"
    account.create(summary="New", **timed("2026-03-17T08:00"))
    pages, later = read(account, json.dumps(held))
    assert later.is_full_refresh
    assert len(ids(pages)) == len(set(ids(pages))) == len(account.truth())


def test_the_token_names_nobody(account: CalendarAccount) -> None:
    _, reader = read(account)
    assert "@" not in reader.sync_token
    assert OWN not in reader.sync_token


def test_a_new_calendar_is_read_completely_and_the_others_go_on(account: CalendarAccount) -> None:
    _, reader = read(account)
    account.create_calendar("choir@example.com")
    key = account.create("choir@example.com", summary="Rehearsal", **timed("2026-03-17T18:00"))
    pages, later = read(account, reader.sync_token)
    assert (ids(pages), later.is_full_refresh) == ([key], False)
    pages, _ = read(account, later.sync_token)
    assert ids(pages) == []


def test_a_calendar_that_may_not_be_read_keeps_its_events(
    account: CalendarAccount, caplog: pytest.LogCaptureFixture
) -> None:
    _, reader = read(account)
    account.change_calendar(TEAM, accessRole="freeBusyReader")
    for token in (None, reader.sync_token):
        pages, later = read(account, token)
        assert not any(key.startswith(TEAM) for key in ids(pages))
        assert not later.would_meet(f"{TEAM}/teammeeting0")
        assert later.would_meet(f"{FAMILY}/choir0")
    assert "cannot be read (403), so they stay as they were read last" in caplog.text
    assert "Ask its owner to share its details" in caplog.text
    assert "@" not in caplog.text
    # Its token is kept for when it can be read again.
    account.change_calendar(TEAM, accessRole="reader")
    key = account.create(TEAM, summary="Back", **timed("2026-03-17T08:00"))
    pages, _ = read(account, later.sync_token)
    assert ids(pages) == [key]


def test_what_is_not_met_is_asked_for(account: CalendarAccount) -> None:
    here, gone, far = (
        account.create(summary=each, **timed("2026-03-16T08:00")) for each in ("Here", "Gone", "Far")
    )
    _, reader = read(account)
    account.delete(gone)
    account.change(far, **timed("2029-01-01T08:00"))
    account.delete_calendar(FAMILY)
    unlisted = f"{FAMILY}/choir0_20260316T183000Z"
    unknown = f"{OWN}/never"
    found = list(reader.ask_about([here, gone, far, unknown]))
    assert set(ids(found)) == {here, far}
    assert tombstones(found) == {Tombstone(gone, "trashed"), Tombstone(unknown, "missing")}
    # The same content as in the list, whoever was asked.
    (listed,) = (each for page in read(account)[0] for each in page.records if each.id == here)
    (asked,) = (each for page in found for each in page.records if each.id == here)
    assert reader.content_hash(listed) == reader.content_hash(asked)
    # A calendar that is not in the list takes its events along, without a request for each.
    _, later = read(account)
    before = account.requests()
    assert tombstones(list(later.ask_about([unlisted]))) == {Tombstone(unlisted, "missing")}
    assert account.requests() == before
    # A reader that has read nothing yet looks at the list.
    assert tombstones(list(account.reader().look_up([unlisted]))) == {Tombstone(unlisted, "missing")}


def test_faults_on_the_way_change_nothing(account: CalendarAccount) -> None:
    truth = account.truth()
    for fault in (
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 503},
        {"kind": "truncated"},
        {"kind": "empty_page"},
        {"kind": "page_twice"},
    ):
        account.fault(**fault, path="events$|calendarList$", times=2)
        pages, _ = read(account, page_size=20)
        assert set(ids(pages)) == set(truth), fault


def test_a_page_that_is_lost_fails_the_read(account: CalendarAccount) -> None:
    reader = account.reader(page_size=3)
    pages = reader.read(None)
    next(pages)
    account.fault(kind="status", status=400, path="events$", times=20)
    with pytest.raises(IncompleteReadError, match=r"no longer returns the next page .* nothing was loaded"):
        list(pages)
    account.control("DELETE", "faults")


def test_pages_without_anything_new_end_the_read(account: CalendarAccount) -> None:
    account.fault(kind="page_twice", path="events$", times=50)
    with pytest.raises(IncompleteReadError, match="without anything new; nothing was loaded") as raised:
        read(account, page_size=20)
    assert "@" not in str(raised.value)
    account.control("DELETE", "faults")


def test_a_refusal_names_the_login_of_calendars(account: CalendarAccount) -> None:
    account.http.post("/revoke", data={"token": USER["refresh_token"]})
    with pytest.raises(AccessDeniedError, match=r"invalid_grant.*run script/connect google_calendar again"):
        read(account)
    with pytest.raises(AccessDeniedError, match=r"the connection 'google_calendar' lacks refresh_token"):
        Source({"client_id": "a", "client_secret": "b"})


def test_another_refusal_is_no_reason_to_go_on(account: CalendarAccount) -> None:
    account.fault(kind="status", status=418, path="events$", times=20)
    with pytest.raises(RefusedError, match="418"):
        read(account)
    account.control("DELETE", "faults")


def test_messages_leave_out_whose_calendar_it_is(account: CalendarAccount) -> None:
    account.fault(kind="status", status=500, path="events$", times=50)
    impatient: Policy = replace(UNPACED, attempts=2)
    with pytest.raises(Exception, match=r"/calendars/\.\.\./events failed 2 times") as raised:
        read(account, policy=impatient)
    assert "@" not in str(raised.value)
    account.control("DELETE", "faults")


def test_the_doctor_counts_calendars_and_names_those_of_free_times(account: CalendarAccount) -> None:
    token = json.dumps(USER)
    (found,) = checks.check(SETTINGS, token, account.address)
    assert found == Finding("Google Calendar", True, "the login works; it can read 5 calendars.")
    account.change_calendar(TEAM, accessRole="freeBusyReader")
    _, note = checks.check(SETTINGS, token, account.address)
    assert note.level == "note"
    assert "of Consultancy only free times can be read" in note.text


def test_odd_events_are_read_as_far_as_possible() -> None:
    assert records.event_record(OWN, None).id is None
    assert records.event_record(OWN, {"summary": "no id"}).id is None
    odd: dict[str, Any] = {
        "id": "a",
        "start": [],
        "end": {"dateTime": 7},
        "attendees": [None, {"email": 5, "self": True}],
        "organizer": "x",
        "summary": {"no": "text"},
    }
    found = row(odd)
    assert (found["start_at"], found["end_at"], found["summary"]) == (None, 7, '{"no": "text"}')
    assert [(each["email"], each["is_self"]) for each in found["attendees"]] == [("5", True)]


@pytest.mark.parametrize(
    ("moment", "at"),
    [
        ({"dateTime": "2026-03-29T01:30:00+01:00", "timeZone": "Europe/Berlin"}, "2026-03-29T00:30:00+00:00"),
        ({"dateTime": "2026-07-01T09:00:00", "timeZone": "Europe/Berlin"}, "2026-07-01T07:00:00+00:00"),
        ({"dateTime": "2026-07-01T09:00:00"}, "2026-07-01T09:00:00+00:00"),
        ({"dateTime": "2026-07-01T09:00:00", "timeZone": "../../etc/passwd"}, "2026-07-01T09:00:00+00:00"),
        ({"dateTime": "2026-07-01T09:00:00Z"}, "2026-07-01T09:00:00+00:00"),
    ],
)
def test_times_are_read_in_their_time_zone(moment: dict[str, Any], at: str) -> None:
    found = row({"id": "a", "start": moment})["start_at"]
    assert datetime.fromisoformat(found).astimezone(UTC).isoformat() == at


def test_an_event_of_whole_days_has_dates() -> None:
    found = row({"id": "a", "start": {"date": "2026-03-15"}, "end": {"date": "2026-03-17"}})
    assert (found["start_date"], found["end_date"], found["start_at"]) == ("2026-03-15", "2026-03-17", None)
    assert records.begins_on({"start": {"date": "2026-03-15"}}) == date(2026, 3, 15)
    assert records.begins_on({"start": {"date": "soon"}}) is None


@given(st.text("abcdefghijklmnopqrstuv0123456789", min_size=1), st.dates(min_value=date(1900, 1, 1)))
def test_an_instance_is_known_by_its_id(series: str, day: date) -> None:
    for suffix in (f"{day:%Y%m%d}", f"{day:%Y%m%dT090000Z}"):
        assert records.series_of(f"{series}_{suffix}") == series
    assert records.series_of(series) is None
    # A recurring event that was split goes on under an id of its own.
    split = f"{series}_R20260105T090000"
    assert records.series_of(split) is None
    assert records.series_of(f"{split}_20260112T090000Z") == split
    assert records.parts_of(records.key_of("a/b@example.com", series)) == ("a/b@example.com", series)


@given(st.dates(max_value=date(9990, 1, 1)))
def test_the_horizon_is_a_year_ahead_and_moves_by_months(today: date) -> None:
    horizon = event_reader.horizon_of(today)
    assert horizon.day == 1
    assert 395 - 31 < (horizon - today).days <= 366 + 31
    assert event_reader.horizon_of(today.replace(day=1)) == horizon


def test_the_content_does_not_depend_on_the_answer() -> None:
    event = {"id": "a", "etag": '"1"', "summary": "A"}
    one, other = (records.event_record(OWN, event | {"etag": each}) for each in ("1", "2"))
    assert records.content_hash(one) == records.content_hash(other)
    assert records.content_hash(one) != records.content_hash(records.event_record(TEAM, event))
    assert records.content_hash(Record({"id": "c", "etag": "1"})) == records.content_hash(Record({"id": "c"}))
