"""Google Calendar from its fake API to the raw tables: equal to the fake API's own truth after any history."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from reporting.ingest.landing import Landing, Refresh
from reporting.ingest.load import TombstoneGuardError
from reporting.ingest.sync_log import Counts
from reporting.ingest.verify import verify
from reporting.settings import Settings
from reporting.sources.google_calendar import event_reader
from tests.support.calendar_account import (
    ENTITIES,
    FAMILY,
    OWN,
    TEAM,
    TODAY,
    CalendarAccount,
    calendar_account,
    check_all,
    check_living,
    timed,
)
from tests.support.syncs import Syncs

EVENTS, CALENDARS = ENTITIES["events"], ENTITIES["calendars"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalendarAccount]:
    with calendar_account(tmp_path_factory.mktemp("account")) as running:
        running.control("POST", "mark")
        yield running


@pytest.fixture
def account(served: CalendarAccount) -> Iterator[CalendarAccount]:
    served.control("POST", "reset")
    yield served
    served.today = TODAY


class Calendars(Syncs):
    """Runs extract and load against one account."""

    account: CalendarAccount

    def run(self, refresh: Refresh = "full", kind: str = "events", share: float | None = 1.0) -> Counts:
        return self.synced(ENTITIES[kind], refresh, self.account.reader(kind), share)

    def rows(self, kind: str = "events") -> dict[str, Any]:
        return self.raw(ENTITIES[kind])

    def check(self) -> None:
        check_all(self.rows(), self.account, "events")


@pytest.fixture
def syncs(
    current_warehouse: tuple[bigquery.Client, Settings],
    account: CalendarAccount,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Calendars:
    # A handful of instances is enough.
    monkeypatch.setattr(event_reader, "MONTHS_AHEAD", 2)
    made = Calendars(*current_warehouse, Landing(str(tmp_path / "landing")))
    made.forget(EVENTS, CALENDARS)
    made.account = account
    return made


def test_everything_is_loaded_once(syncs: Calendars) -> None:
    for kind in ("calendars", "events"):
        count = len(syncs.account.truth(kind))
        assert syncs.run("full", kind) == Counts(count, count)
        check_all(syncs.rows(kind), syncs.account, kind)
        assert syncs.run("full", kind) == Counts(count)
        assert syncs.manifest.is_unchanged
    assert syncs.run("changed") == Counts()
    rows = syncs.rows()
    birthday = rows[f"{OWN}/birthday0_20250704"]
    assert (birthday["start_date"], birthday["end_date"]) == (date(2025, 7, 4), date(2025, 7, 5))
    assert birthday["start_at"] is None
    team = next(row for key, row in rows.items() if key.startswith(TEAM))
    assert [each["is_self"] for each in team["attendees"]] == [True, False, False]
    # The clocks change, and the meeting stays at nine in Berlin.
    hours = {
        row["start_at"].hour
        for row in rows.values()
        if row["recurring_event_id"] == "teammeeting0" and row["original_start_at"] == row["start_at"]
    }
    assert hours == {7, 8}


def test_changes_and_cancelled_events_are_loaded(syncs: Calendars) -> None:
    edited, gone = (
        syncs.account.create(summary=each, **timed("2026-03-16T08:00")) for each in ("One", "Two")
    )
    syncs.run()
    instance = sorted(key for key in syncs.account.truth() if key.startswith(f"{FAMILY}/choir"))[2]
    syncs.account.change(edited, summary="Edited", location="There")
    syncs.account.delete(gone)
    syncs.account.delete(instance)
    assert syncs.run("changed") == Counts(3, 0, 1, 2)
    syncs.check()
    assert syncs.rows()[gone]["_deleted_reason"] == "trashed"
    assert syncs.rows()[gone]["summary"] == "Two"
    assert not syncs.run("full").has_changes


def test_what_a_full_refresh_does_not_meet_was_deleted_or_moved_away(syncs: Calendars) -> None:
    gone, far = (syncs.account.create(summary=each, **timed("2026-03-16T08:00")) for each in ("Gone", "Far"))
    syncs.run()
    syncs.account.delete(gone)
    syncs.account.change(far, **timed("2029-01-01T08:00"))
    assert syncs.run("full").tombstoned == 1
    rows = syncs.rows()
    assert (rows[gone]["_deleted_reason"], rows[far]["_deleted_reason"]) == ("trashed", None)
    assert rows[far]["start_at"].year == 2029
    assert not syncs.run("full").has_changes
    assert syncs.rows()[far]["_deleted_at"] is None
    syncs.check()


def test_a_window_that_moves_adds_and_takes_nothing_away(syncs: Calendars) -> None:
    # Nor does a calendar that may not be read any more.
    syncs.run()
    syncs.account.change_calendar(TEAM, accessRole="freeBusyReader")
    before = {key for key, row in syncs.rows().items() if row["_deleted_at"] is None}
    syncs.account.today = date(2026, 4, 2)
    counts = syncs.run("changed")
    assert syncs.sync_log()[-1]["refresh"] == "full"
    assert (counts.inserted > 0, counts.updated, counts.tombstoned) == (True, 0, 0)
    # And back, as on another machine with another clock: what has only left the window stays.
    syncs.account.today = TODAY
    assert syncs.run("full").tombstoned == 0
    living = {key for key, row in syncs.rows().items() if row["_deleted_at"] is None}
    assert before < living


def test_a_deleted_recurring_event_is_gone_after_the_next_full_refresh(syncs: Calendars) -> None:
    syncs.run()
    syncs.account.delete(f"{FAMILY}/choir0")
    syncs.run("changed")
    check_living(syncs.rows(), syncs.account, "events")
    # Which an expired token makes of the next read.
    syncs.account.expire()
    syncs.run("changed")
    syncs.check()


@pytest.mark.heavy
def test_a_calendar_that_leaves_the_list_takes_its_events_along_and_back(syncs: Calendars) -> None:
    for kind in ("calendars", "events"):
        syncs.run("full", kind)
    theirs = {key for key in syncs.rows() if key.startswith(f"{FAMILY}/")}
    syncs.account.change_calendar(FAMILY, hidden=True)
    with pytest.raises(TombstoneGuardError, match=r"full refresh of google_calendar__events misses \d+ of"):
        syncs.run("full", share=0.1)
    assert syncs.rows()[min(theirs)]["_deleted_at"] is None
    syncs.run("full")
    syncs.run("full", "calendars")
    assert {key for key, row in syncs.rows().items() if row["_deleted_reason"] == "missing"} == theirs
    assert syncs.rows("calendars")[FAMILY]["_deleted_reason"] == "missing"
    syncs.account.change_calendar(FAMILY, hidden=False)
    syncs.run("changed")
    syncs.check()


def test_values_that_do_not_fit_are_null_and_their_event_is_loaded(
    syncs: Calendars, caplog: pytest.LogCaptureFixture
) -> None:
    odd = {"start": {"date": "2026-02-30"}, "end": {"dateTime": "noon"}}
    key = syncs.account.create(summary="Odd", **timed("2026-03-16T08:00"))
    folder = syncs.extracted(EVENTS, "full", _Bent(syncs.account.reader(), key, odd))
    syncs.loaded(EVENTS, folder)
    row = syncs.rows()[key]
    assert (row["summary"], row["start_date"], row["end_at"]) == ("Odd", None, None)
    assert "google_calendar__events: 1 values do not fit the column start_date" in caplog.text
    assert len([each for each in syncs.rows().values() if each["_deleted_at"] is None]) == len(
        syncs.account.truth()
    )


class _Bent:
    """A reader whose answers have other fields in one event."""

    def __init__(self, reader: Any, key: str, fields: dict[str, Any]) -> None:
        self._reader, self._key, self._fields = reader, key, fields

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, since: Any) -> Iterator[Any]:
        for page in self._reader.read(since):
            for each in page.records:
                if each.id == self._key:
                    each.payload["event"].update(self._fields)
            yield page


@pytest.mark.heavy
def test_verify_finds_no_difference_and_every_difference(syncs: Calendars) -> None:
    far = syncs.account.create(summary="Far", **timed("2026-03-16T08:00"))
    edited = syncs.account.create(summary="Edited", **timed("2026-03-16T09:00"))
    syncs.run()
    syncs.account.change(far, **timed("2029-01-01T08:00"))
    syncs.run("full")
    found = verify(syncs.client, syncs.settings, EVENTS, syncs.account.reader)
    assert found.is_equal, found.differences
    syncs.account.change(edited, summary="Edited once more")
    made = syncs.account.create(summary="New", **timed("2026-03-16T10:00"))
    syncs.account.delete(far)
    found = verify(syncs.client, syncs.settings, EVENTS, syncs.account.reader)
    assert found.differences == {"missing": (made,), "different": (edited,), "extra": (far,)}
    syncs.run("full", "calendars")
    assert verify(syncs.client, syncs.settings, CALENDARS, lambda: syncs.account.reader("calendars")).is_equal
