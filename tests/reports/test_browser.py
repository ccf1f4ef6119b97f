"""The report in a real browser, from a disk: it is drawn, its filters work, and nothing leaves the machine."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from google.cloud import bigquery
from playwright.sync_api import Browser, BrowserContext, Page

from reporting.reports import formats
from reporting.reports.build import PAGES, build
from reporting.settings import Settings
from sandbox.mart_tables import fill
from sandbox.marts import Sample
from tests.reports.sample_warehouse import EVIL, NOW, TODAY, built, month_of_runs, note
from tests.support import browser

COLOURS = """box => Math.max(...[...box.querySelectorAll("canvas")].map((layer) => new Set(new Uint32Array(
    layer.getContext("2d").getImageData(0, 0, layer.width, layer.height).data.buffer)).size))"""
# All text against the nearest background, by the formula of WCAG 2: https://www.w3.org/TR/WCAG22/#contrast-minimum
LOW_CONTRAST = """() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const found = parse(getComputedStyle(at).backgroundColor);
            if (found.length === 3 || found[3] === 1) return found;
        }
        return [255, 255, 255];
    };
    const low = new Set();
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
        const [one, other] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (ratio < 4.5) low.add(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
    }
    return [...low];
}"""
CUT_TABLES = """() => [...document.querySelectorAll("table[id]")]
    .filter((table) => table.scrollWidth > table.parentElement.clientWidth).map((table) => table.id)"""
NAMES = ("index", *(page.name for page in PAGES))
ENGAGEMENTS = 1_000
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(warehouse: tuple[bigquery.Client, Settings]) -> Path:
    """The report of two years of habits, eighty people and a thousand engagements."""
    client, settings = warehouse
    marts = settings.dataset("marts")
    Sample(TODAY, engagements=ENGAGEMENTS).fill(client, marts)
    evil = {"person_id": "evil", "full_name": EVIL, "next_birthday_on": TODAY, "touches_30_days": 0}
    fill(
        client,
        marts,
        "relationships",
        [evil | {"touches_90_days": 0, "touches_365_days": 0, "company_name": EVIL}],
    )
    note(client, settings, "sync_runs", *month_of_runs())
    note(client, settings, "dbt_builds", built(NOW))
    build(client, settings, NOW)
    return Path(settings.site_uri)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser."""
    with browser.running() as made:
        yield made


@dataclass
class Window:
    """A window of the browser, and what went wrong in it."""

    context: BrowserContext
    site: Path
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, name: str) -> Page:
        """Open a page of the report, as it lies on the disk."""
        page = self.context.new_page()
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(f"file://{self.site}/{name}.html")
        return page


@pytest.fixture
def window(chromium: Browser, site: Path) -> Iterator[Window]:
    """A window of a desktop; whatever was done in it, it had no error and asked nobody."""
    made = Window(chromium.new_context(viewport=DESKTOP), site)
    yield made
    made.context.close()
    assert made.errors == []
    assert {urlsplit(each).scheme for each in made.requests} <= {"file", "data"}


def unfold(page: Page, figure: str) -> None:
    """Open the table of a figure; it is made when its fold has opened, which the browser says a moment later."""
    page.locator(f"{figure} summary").click()
    page.locator(f"{figure} tbody tr").first.wait_for()


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_every_page_is_drawn(chromium: Browser, site: Path, size: dict[str, int], theme: str) -> None:
    context = chromium.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]  # a literal of it
    window = Window(context, site)
    for name in NAMES:
        page = window.open(name)
        assert page.locator("h1").is_visible()
        assert page.locator("html").get_attribute("data-theme") == theme
        charts = page.locator(".chart")
        for place in range(charts.count()):
            # A drawing has layers; an empty one is of one colour.
            colours = charts.nth(place).evaluate(COLOURS)
            assert colours > 10, f"{name}, chart {place}"
            assert charts.nth(place).get_attribute("aria-label")
        assert page.evaluate(LOW_CONTRAST) == [], name
        # No table is cut: on a phone wide ones are cards.
        assert page.evaluate(CUT_TABLES) == [], name
        # Whatever scrolls does so within itself, and never the page.
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.close()
    context.close()
    assert window.errors == []
    assert {urlsplit(each).scheme for each in window.requests} <= {"file", "data"}


def test_a_person_is_found_and_an_owner_filters_tables_and_charts(window: Window) -> None:
    page = window.open("relationships")
    rows = page.locator("#call tbody tr")
    visible = page.locator("#call tbody tr:visible")
    names = rows.locator("th").all_text_contents()
    assert EVIL in names
    page.get_by_label("Search").fill("unal")
    assert visible.locator("th").all_text_contents() == [EVIL]
    page.get_by_label("Search").fill("nobody of that name")
    assert visible.count() == 0
    assert page.locator("[data-empty=call]").is_visible()
    page.get_by_label("Search").fill("")
    page.locator("#owner").select_option("Kim Sample")
    expected = rows.locator("xpath=self::*[@data-owner='Kim Sample']").count()
    assert 0 < expected < rows.count()
    assert page.locator("[data-count=call]").inner_text() == f"{expected} people of those shown"
    unfold(page, "#dots-figure")
    table = page.locator("#dots-figure table tbody tr")
    assert table.count() == page.evaluate(
        "Report.data.dots.filter((each) => each[4] === 'Kim Sample').length"
    )


def test_a_long_table_opens_and_sorts_by_keyboard(window: Window) -> None:
    page = window.open("companies")
    rows = page.locator("#deals tbody tr")
    visible = page.locator("#deals tbody tr:visible")
    assert visible.count() == 12 < rows.count()
    page.locator("#deals").locator("xpath=../following-sibling::button").click()
    assert visible.count() == rows.count()
    head = page.locator("#deals").get_by_role("button", name="Amount")
    head.focus()
    page.keyboard.press("Enter")
    values = [
        float(each) for each in rows.evaluate_all("all => all.map((row) => row.cells[3].dataset.value)")
    ]
    assert values == sorted(values, reverse=True)
    page.keyboard.press("Enter")
    values = [
        float(each) for each in rows.evaluate_all("all => all.map((row) => row.cells[3].dataset.value)")
    ]
    assert values == sorted(values)
    assert page.locator("#deals th[aria-sort=ascending]").inner_text() == "Amount"


def test_a_search_says_what_it_filters(window: Window) -> None:
    page = window.open("companies")
    unfold(page, "#stages-figure")
    drawn = page.locator("#stages-figure tbody").inner_text()
    page.get_by_label("Search the tables").fill("website")
    shown = page.locator("#deals tbody tr:visible th").all_inner_texts()
    assert shown
    assert all("Website" in each for each in shown)
    assert page.locator("#stages-figure tbody").inner_text() == drawn


def test_a_habit_is_chosen_and_its_years_are_there(window: Window) -> None:
    page = window.open("habits")
    page.locator("#all-habits").get_by_role("button", name="Water").click()
    assert page.locator("#habit option:checked").inner_text() == "Water"
    unfold(page, "#calendar-figure")
    table = page.locator("#calendar-figure table")
    assert table.locator("thead").inner_text().split() == ["Day", "Amount", "State"]
    assert table.locator("tbody tr").count() == 365
    page.locator("#year").select_option("2025")
    assert table.locator("tbody th").first.inner_text() == "Wed 31 Dec 2025"
    page.locator("#other").select_option("2025-06")
    page.locator("#period").select_option("weekly")
    unfold(page, "#compare-figure")
    rows = page.locator("#compare-figure table tr").all_inner_texts()
    assert rows[0].split("\t") == ["Habit", "Jun 2026", "Jun 2025"]
    assert [row.split("\t")[0] for row in rows[1:]] == ["Call family", "Runs"]


def test_engagements_are_added_up_by_month_and_owner(window: Window) -> None:
    page = window.open("engagement")
    page.locator("#range").select_option("Everything")
    page.locator("#step").select_option("Month")
    unfold(page, "#time-figure")

    def total() -> int:
        cells = page.locator("#time-figure tbody td").all_inner_texts()
        return sum(int(cell.replace(",", "")) for cell in cells)

    assert total() == ENGAGEMENTS
    parts = []
    for owner in ("Robin Sample", "Kim Sample", "Lou Former"):
        page.locator("#owner").select_option(owner)
        parts.append(total())
    assert sum(parts) == ENGAGEMENTS
    assert all(parts)


def test_what_is_green_in_a_calendar_is_done(window: Window) -> None:
    page = window.open("habits")
    page.locator("#all-habits").get_by_role("button", name="Steps").click()
    found = page.evaluate("""() => {
        const { series, visualMap } = echarts.getInstanceByDom(document.getElementById("calendar")).getOption();
        const habit = Report.data.habits.find((each) => each.name === "Steps");
        const colours = {};
        for (const [, shade, place] of series.flatMap((each) => each.data)) {
            const amount = habit.amounts[place];
            const kind = habit.marks[place] + (habit.marks[place] === "m" ? (amount ? " some" : " none") : "");
            (colours[kind] ??= new Set()).add(visualMap[0].pieces[shade].color);
        }
        return Object.fromEntries(Object.entries(colours).map(([kind, each]) => [kind, [...each]]));
    }""")
    named = {
        name: page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
        for name in ("heat-3", "short", "missed", "empty")
    }
    assert found.pop("o", [named["empty"]]) in ([named["empty"]], [named["heat-3"]])
    assert found == {"c": [named["heat-3"]], "m some": [named["short"]], "m none": [named["missed"]]}


AGES = [
    timedelta(seconds=59),
    timedelta(minutes=1),
    timedelta(minutes=119),
    timedelta(hours=2),
    timedelta(hours=47),
    timedelta(hours=48),
    timedelta(days=1234),
]


def test_times_are_told_by_the_clock_of_the_browser(window: Window) -> None:
    page = window.context.new_page()
    page.clock.set_fixed_time(NOW)
    page.goto(f"file://{window.site}/health.html")
    built_at = page.locator(".tile .value time")
    assert built_at.get_attribute("datetime") == "2026-06-30T03:30:00+00:00"
    for age in AGES:
        page.clock.set_fixed_time(NOW + age)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert built_at.inner_text() == f"{formats.span(age)} ago"
    assert built_at.get_attribute("title") == "30 Jun 2026, 05:30"


def test_an_old_report_says_so_and_nothing_on_it_is_green(window: Window) -> None:
    page = window.context.new_page()
    colour = "each => getComputedStyle(each).color"
    page.clock.set_fixed_time(NOW + timedelta(hours=36))
    page.goto(f"file://{window.site}/health.html")
    fresh = page.locator(".chip.good").first
    assert page.locator("#old").is_hidden()
    muted = page.locator(".as-of").evaluate(colour)
    assert fresh.evaluate(colour) != muted
    page.clock.set_fixed_time(NOW + timedelta(hours=36, seconds=1))
    page.reload()
    assert page.locator("#old").inner_text().startswith("This report is 36 hours old.")
    assert fresh.evaluate(colour) == muted
    page.clock.set_fixed_time(NOW + timedelta(days=21))
    page.goto(f"file://{window.site}/index.html")
    assert page.locator("#old").inner_text().startswith("This report is 21 days old.")
    for good in page.locator(".tile.good .value").all():
        assert good.evaluate(colour) == muted
    assert page.evaluate(LOW_CONTRAST) == []


def test_a_birthday_comes_and_goes_on_the_owners_days(window: Window) -> None:
    page = window.context.new_page()
    for at, expected in (
        (NOW, "today"),
        # The next day in Berlin, and not yet in UTC.
        (NOW.replace(hour=22), "yesterday"),
        (NOW - timedelta(days=1), "tomorrow"),
        (NOW - timedelta(days=4), "in 4 days"),
        (NOW + timedelta(days=21), "21 days ago"),
    ):
        page.clock.set_fixed_time(at)
        page.goto(f"file://{window.site}/relationships.html")
        row = page.locator("#birthday tbody tr", has_text=EVIL).first
        assert row.locator("time").inner_text() == expected


def test_light_and_dark_are_chosen_and_kept(window: Window) -> None:
    page = window.open("index")
    button = page.get_by_role("button", name="Theme")
    shown = page.locator("html")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (button.inner_text(), shown.get_attribute("data-theme")) == ("Theme: auto", "light")
    button.click()
    button.click()
    assert (button.inner_text(), shown.get_attribute("data-theme")) == ("Theme: dark", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.get_by_role("link", name="Habits", exact=True).first.click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Theme").click()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_without_javascript_the_tables_are_there(chromium: Browser, site: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = Window(context, site).open("relationships")
    assert page.locator("#call tbody tr").first.is_visible()
    page = Window(context, site).open("health")
    assert page.locator(".tile .value time").inner_text() == "30 Jun 2026, 03:30 UTC"
    context.close()
