"""What each page reads from the marts and the sync log, and what it makes of it."""

from collections import Counter
from copy import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from reporting.reports import (
    calendar,
    companies,
    engagement,
    formats,
    habits,
    health,
    money,
    overview,
    pipelines,
    quality,
    relationships,
)
from reporting.reports.build import PAGES, build
from reporting.reports.marts import Marts, ReportError
from reporting.settings import Settings
from reporting.sources.registry import ENTITIES
from sandbox.marts import metrics
from tests.reports.conftest import Fill
from tests.reports.sample_warehouse import NOW, TODAY, built, month_of_runs, note, run


def checkbox(name: str, on: date, is_complete: bool, **values: Any) -> dict[str, Any]:
    return {
        "habit_id": name,
        "data_source_id": "d",
        "property_id": name,
        "property_type": "checkbox",
        "habit": name,
        "period": "daily",
        "date": on,
        "is_complete": is_complete,
        "amount": None,
        "target": 0.5,
        "is_recorded": True,
        "is_due": True,
        "is_current": on == TODAY,
    } | values


def days(count: int) -> list[date]:
    """That many days up to today."""
    return [TODAY - timedelta(days=count - 1 - number) for number in range(count)]


def test_without_rows_every_page_says_that_there_is_nothing(marts: Marts) -> None:
    contents = {page: page.read(marts) for page in PAGES}
    for page, content in contents.items():
        assert content.tiles(), page.name
        assert all(shown.empty and not shown.lines for shown in content.lists())
    assert "none yet" in {tile.value for tile in contents[habits.PAGE].tiles()}
    assert [section.page for section in overview.of(contents).sections] == list(PAGES)


def test_without_marts_it_says_how_to_make_them(marts: Marts, settings: Settings) -> None:
    with pytest.raises(ReportError, match="mart_personal__models__full"):
        build(marts.client, replace(settings, dataset_prefix="never_built_"))


def test_a_habit_is_a_letter_a_day_and_its_months(marts: Marts, hold: Fill) -> None:
    done = [True, False, True, True, True, True, False]
    ticks = [checkbox("Read", on, is_done) for on, is_done in zip(days(7), done, strict=True)]
    ticks[0]["is_due"] = False
    ticks[1]["is_due"] = False
    amounts = (None, 4.5, 8.0)
    water = [
        checkbox(
            "Water",
            on,
            bool(amount and amount >= 8),
            property_type="number",
            amount=amount,
            target=8,
            period="weekly",
        )
        for on, amount in zip((date(2026, 5, 25), date(2026, 6, 1), date(2026, 6, 8)), amounts, strict=True)
    ]
    hold("habits", *ticks, *water)
    hold("habit_metrics", *metrics(ticks), *metrics(water))

    read, drunk = habits.read(marts).habits
    assert (read.marks, read.first_on, read.amounts) == ("encccco", date(2026, 6, 24), ())
    assert (read.current_streak, read.longest_streak) == (4, 4)
    [month] = read.months
    assert (month.due, month.complete, month.rate, month.is_target_met) == (4, 4, 1.0, True)
    assert (drunk.marks, drunk.amounts) == ("mmc", (None, 4.5, 8.0))

    found = habits.read(marts)
    assert found.rate(date(2026, 6, 1)) == pytest.approx(5 / 6)
    assert found.rate(date(2026, 5, 1)) == 0
    assert found.rate(date(2026, 4, 1)) is None
    rows = found.rows()
    assert [(row.habit.name, row.change) for row in rows] == [("Read", None), ("Water", 50)]
    assert found.payload()["habits"][1] == {
        "name": "Water",
        "period": "weekly",
        "first": "2026-05-25",
        "marks": "mmc",
        "since": "2026-05",
        "rates": [0, 0.5],
        "targets": [8, 8],
        "amounts": [None, 4.5, 8],
        "averages": [0, 6.25],
    }
    done_tile, streak, targets = found.tiles()
    assert (done_tile.value, done_tile.detail, done_tile.tone) == ("83%", "0% in May", "good")
    assert done_tile.trend[-3:] == (None, 0, pytest.approx(5 / 6))
    assert (streak.value, streak.detail, targets.value) == ("4 days", "Read", "1 of 2")
    assert found.lists()[0].lines == (("Read", "4 days, the longest yet"),)
    assert found.lists()[1].lines == (("Water", "6.2 of 8 a week"),)


def person(name: str, **values: Any) -> dict[str, Any]:
    return {
        "person_id": name,
        "full_name": name,
        "touches_30_days": 0,
        "touches_90_days": 0,
        "touches_365_days": 12,
    } | values


def silent(name: str, since: int, cadence: float, **values: Any) -> dict[str, Any]:
    last = datetime(2026, 6, 30, 12, tzinfo=UTC) - timedelta(days=since)
    return person(
        name,
        last_touch_at=last,
        last_touch_type="calls",
        days_since_last_touch=since,
        cadence_days=cadence,
        is_going_cold=since > max(2 * cadence, 30),
        **values,
    )


def test_whom_to_call_is_who_is_silent_without_a_plan_or_has_a_birthday(marts: Marts, hold: Fill) -> None:
    planned_at = datetime(2026, 7, 3, 8, tzinfo=UTC)
    hold(
        "relationships",
        silent("cold", 90, 10),
        silent("colder, and planned", 200, 10, next_touch_at=planned_at, next_touch_type="meetings"),
        silent("due", 12, 10),
        silent("not yet due", 9, 10),
        person("born today", next_birthday_on=TODAY, days_to_birthday=0, age_at_birthday=40),
        person("born soon", next_birthday_on=TODAY + timedelta(days=60), days_to_birthday=60),
        person("born later", next_birthday_on=TODAY + timedelta(days=61), days_to_birthday=61),
        # The marts are of yesterday.
        person("born yesterday", next_birthday_on=TODAY - timedelta(days=1), days_to_birthday=0),
        person("", full_name=None, email="x@example.com", next_birthday_on=TODAY + timedelta(days=30)),
    )
    found = relationships.read(marts)
    assert found.people_count == 9
    assert [each.name for each in found.to_call()] == ["born today", "cold", "due"]
    assert found.to_call()[0].reasons == [f"birthday {formats.ahead(TODAY)}, turns 40"]
    assert found.to_call()[1].reasons == ["90 days of silence, usually every 10 days"]
    assert [each.name for each in found.going_cold()] == ["colder, and planned", "cold"]
    assert found.going_cold()[0].planned == "meeting on 3 Jul 2026"
    assert [each.name for each in found.birthdays()] == ["born today", "x@example.com", "born soon"]
    # Within a week, a month, three, six, a year, and longer.
    assert (found.silences, found.unheard) == ((0, 2, 1, 0, 1, 0), 5)
    assert sum(found.silences) + found.unheard == found.people_count
    values = [tile.value for tile in found.tiles()]
    assert values == ["3", "2", "1", "75%"]
    # Who was never contacted is nobody with whom contact was lost.
    assert found.tiles()[3].detail == "3 of 4 who were ever contacted"
    assert found.lists()[1].lines[0] == (
        "born today",
        f"{formats.ahead(TODAY)}, 30 Jun 2026, turns 40",
    )
    dots = found.payload()["dots"]
    assert [dot[0] for dot in dots] == ["colder, and planned", "cold", "due", "not yet due"]


def deal(key: str, stage: str, **values: Any) -> dict[str, Any]:
    return {
        "deal_id": key,
        "deal_name": key,
        "pipeline_id": "default",
        "pipeline": "Sales",
        "stage": stage,
        "stage_order": {"Offer": 1, "Won": 2, "Lost": 3}[stage],
        "is_closed": stage != "Offer",
        "is_won": stage == "Won",
        "is_stage_since_known": True,
        "days_in_stage": 1,
    } | values


def flow(month_on: date, category: str, income: str, expense: str, balance: str) -> dict[str, Any]:
    return {
        "month_on": month_on,
        "category": category,
        "income": income,
        "expense": expense,
        "net": str(Decimal(income) - Decimal(expense)),
        "entries_count": 1,
        "balance": balance,
    }


def test_money_is_added_up_by_month_and_category(marts: Marts, hold: Fill) -> None:
    hold(
        "cash_flow",
        # More than twelve months ago, this month, and a year that was mistyped.
        flow(date(2025, 5, 1), "Rent", "0", "999", "-999"),
        flow(date(2026, 3, 1), "Salary", "3000", "0", "1101"),
        flow(date(2026, 3, 1), "Rent", "0", "900", "1101"),
        flow(date(2026, 5, 1), "Food", "10", "100.5", "1010.5"),
        flow(date(2026, 6, 1), "Food", "0", "10.5", "1000"),
        flow(date(2226, 6, 1), "Food", "0", "5", "995"),
    )
    found = money.read(marts)
    assert (found.months()[0], found.months()[-1]) == (date(2025, 5, 1), date(2027, 6, 1))
    assert found.balances()[9:14] == [-999, 1101, 1101, Decimal("1010.5"), 1000]
    assert found.categories() == ["Rent", "Food", "Salary"]
    assert [(each.name, each.income, each.expense) for each in found.last_year()] == [
        ("Rent", 0, 900),
        ("Food", 10, Decimal("100.5")),
        ("Salary", 3000, 0),
    ]
    assert [tile.value for tile in found.tiles()] == ["1,000", "3,010", "1,000", "67%"]
    assert found.lists()[0].lines == (("Rent", "900 · 90%"), ("Food", "100 · 10%"))
    payload = found.payload()
    assert (payload["weeks"], payload["works"]) == ([], [])
    assert payload["months"][13] == "2026-06"
    assert sum(each[3] for each in payload["flows"]) == 999 + 900 + 100.5 + 10.5


def work(week_on: date, project: str, hours: str, billable: str = "0") -> dict[str, Any]:
    return {
        "week_on": week_on,
        "project": project,
        "hours": hours,
        "billable_hours": billable,
        "entries_count": 1,
    }


def test_hours_are_shown_without_a_ledger(marts: Marts, hold: Fill) -> None:
    hold("cash_flow")
    hold(
        "worked_hours",
        work(date(2026, 6, 29), "Audit", "1.25", "1.25"),
        work(date(2026, 6, 15), "Audit", "2"),
        work(date(2026, 6, 15), "Website", "4", "3"),
        # More than four weeks ago, half a year ago, and a year that was mistyped.
        work(date(2026, 6, 1), "Website", "8", "8"),
        work(date(2025, 12, 29), "Website", "16", "16"),
        work(date(2226, 6, 1), "Website", "32", "32"),
    )
    found = money.read(marts)
    hold("worked_hours")
    assert found.weeks() == [date(2026, 6, 1) + timedelta(weeks=week) for week in range(5)]
    assert found.projects() == ["Website", "Audit"]
    [tile] = found.tiles()
    assert (tile.label, tile.value, tile.detail) == ("Hours in 4 weeks", "7.2", "4.2 of them billable")
    payload = found.payload()
    assert payload["works"] == [[0, 0, 8.0, 8.0], [2, 1, 2.0, 0.0], [2, 0, 4.0, 3.0], [4, 1, 1.25, 1.25]]


def test_without_a_sync_log_there_is_no_money(marts: Marts, hold: Fill) -> None:
    hold("cash_flow")
    found = money.read(marts)
    assert [tile.value for tile in found.tiles()] == ["none yet"]
    assert not any(found.payload().values())
    assert found.lists()[0].lines == ()


def busy(on: date, hours: float, **values: Any) -> dict[str, Any]:
    return {
        "date": on,
        "hours": hours,
        "events_count": 1,
        "meetings_count": 1,
        "average_7_days": hours,
        "average_28_days": 3.0,
        "full_above_hours": 7.0,
        "is_unusually_full": hours > 7,
    } | values


def spent(on: date, name: str, hours: float) -> dict[str, Any]:
    made = {"calendar_id": name, "calendar_name": name, "date": on, "hours": hours, "events_count": 1}
    return made | {"average_7_days": hours, "average_28_days": hours}


def meeting(key: str, at: datetime, *people: str, **values: Any) -> dict[str, Any]:
    return {
        "meeting_id": key,
        "calendar_id": "c",
        "calendar_name": "c",
        "title": f"Talk {key}",
        "start_at": at,
        "end_at": at + timedelta(hours=1),
        "hours": 1.0,
        "is_recurring": False,
        "guests_count": len(people),
        "unknown_guests_count": 0,
        "person_ids": list(people),
        "is_past": at <= NOW,
    } | values


def test_the_calendar_has_hours_full_days_and_who_was_met(marts: Marts, hold: Fill) -> None:
    hold(
        "busy_days",
        busy(TODAY - timedelta(days=300), 12.0),
        busy(TODAY - timedelta(days=8), 2.0, full_above_hours=None, is_unusually_full=None),
        busy(TODAY - timedelta(days=1), 9.0),
        busy(TODAY, 1.5),
    )
    hold(
        "calendar_days",
        # The 28th is a Sunday.
        spent(date(2026, 6, 28), "Friends", 2.0),
        spent(date(2026, 6, 29), "Mine", 4.0),
        spent(date(2026, 6, 30), "Mine", 1.0),
        spent(date(2026, 6, 15), "Mine", 1.0),
        spent(date(2026, 6, 16), "Quiet", 0.0),
        spent(date(2025, 6, 16), "Mine", 8.0),
    )
    hold(
        "people",
        *(
            {"person_id": key, "full_name": name, "email": f"{key}@example.com", "records_count": 1}
            for key, name in (("ada", "Ada Abel"), ("ben", None))
        ),
    )
    hold(
        "meetings",
        meeting("a", NOW - timedelta(days=3), "ada"),
        meeting("b", NOW - timedelta(days=2), "ada", "ben", "unknown"),
        meeting("c", NOW - timedelta(days=91), "ben"),
        # Half past midnight in Berlin is the day after.
        meeting("d", NOW.replace(hour=22, minute=30), "ben", "ada"),
        meeting("e", NOW + timedelta(days=1), title=None),
        meeting("f", NOW + timedelta(days=8), "ada"),
    )
    found = calendar.read(marts)
    for name in ("busy_days", "calendar_days", "people", "meetings"):
        hold(name)
    assert [each.on for each in found.days] == [TODAY - timedelta(days=back) for back in (8, 1, 0)]
    assert [each.on for each in found.full_days] == [TODAY - timedelta(days=1)]
    assert found.week_starts() == [date(2026, 6, 15), date(2026, 6, 22), date(2026, 6, 29)]
    assert found.calendars() == ["Mine", "Friends"]
    assert [(each.name, each.meetings, each.hours) for each in found.met] == [
        ("Ada Abel", 2, 2.0),
        ("ben@example.com", 1, 1.0),
    ]
    assert [(f"{each.at:%d %H:%M}", each.title, each.names) for each in found.ahead] == [
        ("01 00:30", "Talk d", "Ada Abel, ben@example.com"),
        ("01 05:30", "(no title)", ""),
    ]
    assert [tile.value for tile in found.tiles()] == ["12.5", "3", "2", "1"]
    assert found.tiles()[-1].tone == "warning"
    assert found.lists()[0].lines[0] == ("Talk d", "1 Jul 2026, 00:30 · Ada Abel, ben@example.com")
    payload = found.payload()
    assert (payload["hours"], payload["full"]) == ([2.0, 9.0, 1.5], [0, 1, 0])
    assert payload["spent"] == [[0, 0, 1.0], [1, 1, 2.0], [2, 0, 5.0]]


def test_deals_are_grouped_and_companies_are_named(marts: Marts, hold: Fill) -> None:
    hold(
        "deals",
        deal("small", "Offer", amount="10.5", close_on=date(2026, 7, 9), company_id="c1", owner="Kim"),
        deal(
            "large",
            "Offer",
            amount="99999999.25",
            close_on=date(2026, 6, 29),
            days_in_stage=31,
            company_id="gone",
        ),
        deal("worthless", "Offer"),
        deal("won", "Won", amount="100", close_on=date(2026, 6, 2)),
        deal("lost", "Lost", amount="50", close_on=date(2026, 1, 2)),
        deal("long ago", "Won", amount="7", close_on=date(2020, 1, 2)),
    )
    hold(
        "companies",
        {
            "company_id": "c1",
            "company_name": "Bäckerei Ünal",
            "contacts_count": 2,
            "deals_count": 1,
            "open_deals_amount": "10.5",
            "won_amount": "0",
            # The evening before in UTC, and the next day already in Berlin.
            "last_engagement_at": datetime(2026, 6, 1, 23, tzinfo=UTC),
        },
        {
            "company_id": "c2",
            "domain": "example.com",
            "contacts_count": 0,
            "deals_count": 0,
            "open_deals_amount": "0",
            "won_amount": "900",
        },
    )
    found = companies.read(marts)
    assert [each.name for each in found.deals] == ["large", "small", "worthless"]
    assert [each.company for each in found.deals] == [None, "Bäckerei Ünal", None]
    assert (found.open_count, found.open_amount) == (3, Decimal("100000009.75"))
    assert (found.still_count, found.late_count) == (1, 1)
    assert [found.is_late(each) for each in found.deals] == [True, False, False]
    assert found.won(date(2026, 6, 1)) == 100
    assert [each.name for each in found.companies] == ["Bäckerei Ünal", "example.com"]
    assert (found.companies_count, found.companies[0].last_engagement_on) == (2, date(2026, 6, 2))
    assert [tile.value for tile in found.tiles()] == ["100M", "100", "50%", "1"]
    payload = found.payload()
    assert payload["stages"] == [[0, "Offer"], [0, "Won"], [0, "Lost"]]
    # What was closed more than three years ago is not drawn.
    assert sum(group[4] for group in payload["groups"]) == 5
    assert found.lists()[1].lines == (("large", "29 Jun 2026, late"), ("small", "9 Jul 2026"))


def engaged(
    at: datetime, kind: str = "calls", is_touch: bool = True, owner: str | None = "Kim"
) -> dict[str, Any]:
    key = f"{kind}:{at.isoformat()}{owner}"
    return {
        "engagement_id": key,
        "type": kind,
        "occurred_at": at,
        "is_touch": is_touch,
        "owner": owner,
        "unknown_association_count": 0,
    }


def test_engagements_are_counted_in_the_owners_weeks_and_hours(marts: Marts, hold: Fill) -> None:
    hold(
        "engagements",
        # Sunday in UTC, Monday in Berlin.
        engaged(datetime(2026, 6, 21, 22, 30, tzinfo=UTC)),
        engaged(datetime(2026, 6, 22, 9, tzinfo=UTC), "notes", is_touch=False),
        engaged(datetime(2026, 6, 29, 9, tzinfo=UTC), owner=None),
        engaged(datetime(2026, 6, 30, 3, tzinfo=UTC), "faxes"),
        # To come, and without a time.
        engaged(datetime(2026, 7, 1, 9, tzinfo=UTC)),
        engaged(datetime(2026, 7, 1, 10, tzinfo=UTC)) | {"occurred_at": None},
    )
    found = engagement.read(marts)
    assert (found.first_on, found.week_count, found.total()) == (date(2026, 6, 22), 2, 4)
    assert found.weeks == {
        ("Kim", "calls"): Counter({0: 1}),
        ("Kim", "notes"): Counter({0: 1}),
        ("Kim", "faxes"): Counter({1: 1}),
        ("(no owner)", "calls"): Counter({1: 1}),
    }
    assert found.touches == Counter({0: 1, 1: 2})
    assert found.hours == {"Kim": Counter({(0, 0): 1, (1, 5): 1}), "(no owner)": Counter({(0, 11): 1})}
    assert (found.owners(), found.titles()) == (["Kim", "(no owner)"], ["Calls", "Notes", "faxes"])
    assert found.by_year() == [(2026, {"calls": 2, "notes": 1, "faxes": 1})]
    assert found.payload()["counts"][0] == {"owner": 1, "type": 0, "from": 1, "n": [1]}
    tile = found.tiles()[0]
    assert (tile.value, tile.detail) == ("1", "0 in the 4 before")


def test_owners_with_little_are_one(marts: Marts, hold: Fill) -> None:
    at = datetime(2026, 6, 22, 9, tzinfo=UTC)
    busy = [
        engaged(at + timedelta(minutes=minute), owner=f"o{number}")
        for number in range(10)
        for minute in range(12 - number)
    ]
    hold("engagements", *busy)
    found = engagement.read(marts)
    assert found.owners() == [*(f"o{number}" for number in range(engagement.MOST_OWNERS)), engagement.OTHERS]
    assert found.weeks[engagement.OTHERS, "calls"].total() == 4 + 3
    assert found.total() == len(busy)


def test_health_is_what_the_sync_log_says(marts: Marts) -> None:
    runs = list(month_of_runs())
    cut_off = run("hubspot.deals", NOW - timedelta(hours=1), is_complete=False, rows_rejected=2)
    # It reads nothing new, so it makes nothing fresher.
    replayed = run("hubspot.calls", NOW - timedelta(minutes=5), refresh="replay", rows_read=7)
    note(marts.client, marts.settings, "sync_runs", *runs, cut_off, replayed)
    taken = [each["run_id"] for each in runs if each["committed_at"] < NOW - timedelta(days=1)]
    note(marts.client, marts.settings, "dbt_builds", built(NOW - timedelta(hours=3), "full", *taken))
    note(
        marts.client,
        marts.settings,
        "schema_changes",
        {
            "change_id": "1",
            "source": "notion",
            "entity": "daily_habits",
            "property_id": "p",
            "change": "renamed",
            "name_before": "Run",
            "name_after": "Läufe",
            "first_seen_at": NOW,
        },
    )
    found = health.read(marts)
    by_name = {each.name: each for each in found.entities}
    assert [each.name for each in found.entities] == [f"{each.source}.{each.name}" for each in ENTITIES]
    calls, deals = by_name["hubspot.calls"], by_name["hubspot.deals"]
    assert (calls.status, calls.missed_days, calls.age) == ("stale", 4, NOW - calls.last_complete_at)  # type: ignore[operator]
    assert (deals.status, deals.missed_days, deals.incomplete, deals.rejected) == ("fresh", 2, 1, 2)
    assert {each.status for name, each in by_name.items() if name != "hubspot.calls"} == {"fresh"}
    expected = sum(
        each["rows_updated"]
        for each in runs
        if each["entity"] == "deals" and each["committed_at"] > NOW - timedelta(days=30)
    )
    assert deals.updated == expected
    changed = {each["run_id"] for each in runs if each["rows_inserted"] + each["rows_updated"]}
    assert found.pending_runs == len(changed - set(taken))
    assert [(each.entity, each.name) for each in found.changes] == [("notion.daily_habits", "Run → Läufe")]
    assert [tile.value for tile in found.tiles()] == [
        f"{len(ENTITIES) - 1} of {len(ENTITIES)}",
        formats.ago(NOW - timedelta(hours=3)),
        "6 days",
    ]
    assert found.tiles()[2].detail == "without a complete run of an entity"
    assert found.marts_at == found.built_at
    assert found.lists()[0].lines == (
        ("hubspot.calls", f"last complete run {formats.ago(calls.last_complete_at)}"),
    )
    assert len(found.payload()["days"]) == health.DAYS


@pytest.mark.parametrize(
    ("backs", "value", "detail"),
    [
        ((0, 0), "\N{EN DASH}", "The first run was today."),
        ((3, 3), "0 days", "Every entity was read every day since the first run on 27 Jun 2026."),
        (
            (40, 3),
            "0 days",
            "Every entity was read every day since its first run, which for the last of them was on 27 Jun 2026.",
        ),
        ((40, 29), "0 days", "Every entity was read every day."),
    ],
)
def test_days_before_the_first_run_are_neither_missed_nor_read(
    backs: tuple[int, int], value: str, detail: str
) -> None:
    reads = tuple(
        health.Reads(
            entity=entity,
            status="fresh",
            age=timedelta(),
            last_complete_at=NOW,
            last_full_refresh_at=None,
            last_change_at=None,
            first_on=TODAY - timedelta(days=back),
            runs=1,
            incomplete=0,
            missed_days=0,
            read=0,
            inserted=0,
            updated=0,
            tombstoned=0,
            rejected=0,
        )
        for entity, back in zip(ENTITIES, backs, strict=False)
    )
    found = health.Health(TODAY, reads, NOW, None, 0, NOW, (), ())
    assert (found.tiles()[2].value, found.tiles()[2].detail) == (value, detail)
    assert found.payload()["firsts"] == [max(0, 29 - back) for back in backs]


def dag_run(dag_id: str, outcome: str, due_at: datetime, **values: Any) -> dict[str, Any]:
    is_there = outcome != "missing"
    return {
        "dag_id": dag_id,
        "run_id": f"scheduled__{due_at.isoformat()}",
        "layer": dag_id.partition("_")[0],
        "run_type": "scheduled",
        "outcome": outcome,
        "due_at": due_at,
        "started_at": due_at if is_there else None,
        "ended_at": due_at + timedelta(seconds=10) if is_there else None,
        "duration_seconds": 10.0 if is_there else None,
        "usual_seconds": 10.0,
        "is_outlier": False,
        "tasks_count": 2,
        "tries_count": 2,
        "failed_tries_count": 0,
    } | values


def test_pipelines_are_counted_by_how_their_runs_ended(marts: Marts, hold: Fill) -> None:
    one, other = "mart_personal__models__full", "raw_notion__daily_habits__full"
    day = timedelta(days=1)
    hold(
        "ops_runs",
        dag_run(one, "success", NOW - day),
        dag_run(one, "success", NOW - 2 * day, duration_seconds=100.0, is_outlier=True),
        dag_run(one, "recovered", NOW - 3 * day, duration_seconds=40.0, failed_tasks="staging"),
        # Not to be counted as work.
        dag_run(one, "skipped", NOW - 4 * day, duration_seconds=0.1),
        dag_run(other, "failed", NOW - 2 * day, duration_seconds=1000.0, failed_tasks="extract, load"),
        dag_run(other, "missing", NOW - 5 * day),
        dag_run(other, "running", NOW, duration_seconds=None, ended_at=None),
        # The owner's thirty days begin at midnight in Berlin.
        dag_run(other, "failed", datetime(2026, 5, 31, 21, 59, tzinfo=UTC)),
        dag_run(other, "success", datetime(2026, 5, 31, 22, 0, tzinfo=UTC)),
    )
    found = pipelines.read(marts)
    mart, raw = found.pipelines
    assert (mart.dag_id, mart.layer, mart.run_count, mart.status) == (one, "mart", 4, "recovered")
    assert (mart.mean_seconds, mart.slowest_seconds, mart.outlier_count) == (50, 100, 1)
    assert mart.last_good_at == NOW - day + timedelta(seconds=10)
    assert (raw.counts["failed"], raw.counts["missing"], raw.counts["success"], raw.run_count) == (1, 1, 1, 3)
    assert raw.status == "failed"
    assert [(each.what, each.failed_tasks) for each in found.notable] == [
        ("slow", None),
        ("failed", "extract, load"),
        ("recovered", "staging"),
        ("missing", None),
    ]
    assert found.notable_count == 4
    assert [tile.value for tile in found.tiles()] == ["71%", "1", "1", "1"]
    assert found.tiles()[0].trend[-2:] == (1.0, None)
    assert found.lists()[0].lines == (
        (other, f"failed, {formats.ago(NOW - 2 * day)}"),
        (other, f"missing, {formats.ago(NOW - 5 * day)}"),
    )
    assert sum(runs for _, _, runs in found.payload()["runs"]) == 8


def test_what_dbt_spends_its_time_on_comes_first(marts: Marts, hold: Fill) -> None:
    def result(
        name: str, seconds: float, outcome: str = "success", back: int = 1, **values: Any
    ) -> dict[str, Any]:
        at = NOW - timedelta(days=back)
        return {
            "invocation_id": f"{name} {back} {seconds}",
            "node_id": f"model.reporting.{name}",
            "kind": "model",
            "name": name,
            "outcome": outcome,
            "started_at": at,
            "duration_seconds": seconds,
        } | values

    hold(
        "ops_dbt_results",
        result("often", 3.0, bytes_billed=10_000_000),
        result("often", 5.0, "failed", bytes_billed=20_000_000),
        result("once", 7.0, "warning"),
        result("once", 0.0, "skipped"),
        result("once", 90.0, back=31),
    )
    often, once = pipelines.read(marts).nodes
    assert (often.name, often.start_count, often.failed_count, often.mean_seconds) == ("often", 2, 1, 4)
    assert (often.slowest_seconds, often.bytes_billed) == (5, 30_000_000)
    assert (once.start_count, once.warning_count, once.bytes_billed) == (1, 1, None)


def profile(table: str, column: str, at: datetime, **values: Any) -> dict[str, Any]:
    return {
        "table_name": table,
        "column_name": column,
        "profiled_at": at,
        "kind": "text",
        "row_count": 10,
        "row_count_before": 20,
        "deleted_count": 1,
        "null_count": 5,
        "null_share": 0.5,
        "null_share_before": 0.5,
        "distinct_count": 3,
        "minimum": "1",
        "maximum": "9",
        "finding": None,
        "is_latest": True,
    } | values


def test_quality_is_what_the_latest_profiles_say(marts: Marts, hold: Fill) -> None:
    day, old = timedelta(days=1), {"is_latest": False}
    hold(
        "ops_table_profiles",
        profile("b", "x", NOW - day, finding="fewer rows"),
        profile("b", "y", NOW - day, finding="fewer rows", null_share=1.0, minimum=None, maximum=None),
        profile("b", "x", NOW - 2 * day, row_count=20, row_count_before=None, **old),
        profile("b", "x", NOW - 40 * day, finding="became empty", **old),
        profile("b", "x", NOW - 91 * day, row_count=99, **old),
        profile(
            "a",
            "z",
            NOW - 5 * day,
            kind="number",
            null_share=0.0,
            minimum="4",
            maximum="4",
            row_count_before=None,
        ),
        profile("a", "w", NOW - 5 * day, finding="more empty", kind="list", row_count_before=None),
        profile("c", "v", NOW, row_count=0, null_share=None, row_count_before=0),
    )
    found = quality.read(marts)
    one, other, empty = found.tables
    assert (one.name, one.row_count, one.more, one.column_count, one.empty_count) == ("a", 10, None, 2, 0)
    assert (other.name, other.more, other.deleted_count, other.empty_count) == ("b", -10, 1, 1)
    # A profile at half past five in Berlin is of that day.
    assert other.rows == ((TODAY - 40 * day, 10), (TODAY - 2 * day, 20), (TODAY - day, 10))
    assert (empty.row_count, empty.more) == (0, 0)
    told = {each.column_name: (each.state, each.range) for each in found.columns}
    assert told == {
        "z": ("filled", "4"),
        "w": ("in part", "length 1 to 9"),
        "x": ("in part", "length 1 to 9"),
        "y": ("empty", "\N{EN DASH}"),
        "v": ("no rows", "length 1 to 9"),
    }
    assert [(each.name, each.finding) for each in found.findings] == [
        ("b", "fewer rows"),
        ("a.w", "more empty"),
    ]
    assert [tile.value for tile in found.tiles()] == ["20", "1", "2"]
    assert found.lists()[0].lines[0] == ("b", f"fewer rows, {formats.ago(NOW - day)}")
    assert [len(each["rows"]) for each in found.payload()["tables"]] == [1, 3, 1]
