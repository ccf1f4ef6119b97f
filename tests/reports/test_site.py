"""How pages are written: safe whatever names hold, whole at every moment, and nothing that is somebody else's."""

import json
import re
from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.reports import (
    calendar,
    companies,
    engagement,
    habits,
    health,
    money,
    pipelines,
    quality,
    relationships,
)
from reporting.reports.page import Content, Page
from reporting.reports.render import render
from reporting.reports.site import LISTING, NAME, Site
from tests.reports.sample_warehouse import EVIL, NOW, TODAY

NAMES = (
    "habits",
    "relationships",
    "calendar",
    "companies",
    "engagement",
    "money",
    "health",
    "pipelines",
    "quality",
    "index",
)


def contents(name: str) -> dict[Page, Content]:
    """A little on every page, with a name that may be anything."""
    habit = habits.Habit(
        name=name,
        period="daily",
        is_number=False,
        first_on=date(2026, 6, 29),
        marks="co",
        amounts=(),
        months=(),
        current_streak=2,
        longest_streak=2,
    )
    person = relationships.Person(
        name=name,
        company=name,
        owner=name,
        last_touch_on=TODAY,
        last_touch_type="calls",
        days_since=90,
        cadence_days=10,
        touches_a_year=30,
        next_touch_on=None,
        next_touch_type=None,
        is_going_cold=True,
        birthday_on=TODAY,
        days_to_birthday=0,
        age=40,
    )
    pipeline = pipelines.Pipeline(
        dag_id=name,
        layer=name,
        counts=dict.fromkeys(pipelines.OUTCOMES, 1),
        mean_seconds=1.0,
        usual_seconds=None,
        slowest_seconds=2.0,
        outlier_count=0,
        last_good_at=NOW,
    )
    notable = pipelines.Notable(
        dag_id=name, what="failed", due_at=NOW, duration_seconds=1.0, usual_seconds=None, failed_tasks=name
    )
    node = pipelines.Node(
        name=name,
        kind=name,
        start_count=1,
        failed_count=1,
        warning_count=0,
        mean_seconds=1.0,
        slowest_seconds=None,
        bytes_billed=None,
    )
    table = quality.Table(
        name=name,
        profiled_at=NOW,
        row_count=1,
        row_count_before=None,
        deleted_count=0,
        column_count=1,
        empty_count=0,
        rows=((TODAY, 1),),
    )
    column = quality.Column(
        table_name=name,
        column_name=name,
        kind=name,
        null_share=0.5,
        null_share_before=None,
        distinct_count=None,
        minimum=name,
        maximum=name,
        finding=name,
    )
    finding = quality.Finding(table_name=name, column_name=name, finding=name, profiled_at=NOW)
    return {
        habits.PAGE: habits.Habits(TODAY, (habit,)),
        relationships.PAGE: relationships.Relationships(TODAY, (person,), 1, (0, 0, 1, 0, 0, 0), 0),
        calendar.PAGE: calendar.Calendar(
            TODAY,
            (calendar.Day(on=TODAY, hours=9.5, average=3.0, meetings=2, full_above=7.0, is_full=True),),
            (calendar.Week(date(2026, 6, 29), name, 9.5),),
            (calendar.Met(name, name, 2, 1.5, TODAY),),
            (calendar.Ahead(NOW, name, name),),
        ),
        companies.PAGE: companies.Companies(TODAY, (), 0, 0, (), (), 0),
        engagement.PAGE: engagement.Engagement(TODAY, None, {}, engagement.Counter(), {}),
        money.PAGE: money.Money(
            TODAY,
            (
                money.Flow(
                    month_on=date(2026, 5, 1),
                    category=name,
                    income=Decimal(0),
                    expense=Decimal("9.5"),
                    balance=Decimal("-9.5"),
                ),
            ),
            (money.Work(week_on=date(2026, 6, 29), project=name, hours=Decimal(2), billable=Decimal(1)),),
        ),
        health.PAGE: health.Health(TODAY, (), None, None, 0, NOW, (), ()),
        pipelines.PAGE: pipelines.Pipelines(TODAY, (pipeline,), (), (notable,), 1, (node,)),
        quality.PAGE: quality.Quality((table,), (column,), (finding,)),
    }


def rendered(name: str = "Read") -> dict[str, bytes]:
    return render(contents(name), NOW, "Europe/Berlin")


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, and the text of the one with its data."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._is_data = False
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self._is_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        """The data end with their element."""
        self._is_data = False

    def handle_data(self, data: str) -> None:
        """Collect the data."""
        if self._is_data:
            self.data += data

    def links(self) -> Iterator[str]:
        for _, attributes in self.elements:
            for name in ("src", "href"):
                link = attributes.get(name)
                if link and not link.startswith("#"):
                    yield link


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_wherever_it_stands(name: str) -> None:
    plain, evil = (Reader(rendered(each)[f"{name}.html"]) for each in ("Read", EVIL))
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in plain.elements]
    scripts = [attributes for tag, attributes in evil.elements if tag == "script"]
    assert all(each.get("src") or each.get("type") == "application/json" for each in scripts)
    assert not any(key.startswith("on") for _, attributes in evil.elements for key in attributes)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
@settings(max_examples=30, deadline=None)
def test_data_come_out_as_they_went_in(name: str) -> None:
    page = render({habits.PAGE: contents(name)[habits.PAGE]}, NOW, "UTC")["habits.html"]
    data = json.loads(Reader(page).data)
    assert data["habits"][0]["name"] == name


def test_every_link_leads_to_a_file_of_the_site_and_no_page_may_ask_for_more() -> None:
    files = rendered()
    assert {name for name in files if name.endswith(".html")} == {f"{name}.html" for name in NAMES}
    for name in NAMES:
        page = Reader(files[f"{name}.html"])
        assert set(page.links()) <= set(files)
        [policy] = [
            attributes["content"]
            for _, attributes in page.elements
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert policy is not None
        assert policy.startswith("default-src 'none'; ")
        assert "http" not in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert not re.search(rb"(?:src|href|url\()=?[\"']?(?:https?:)?//", files[f"{name}.html"])


def test_the_overview_is_written_last_and_has_a_part_of_every_page() -> None:
    files = list(rendered())
    assert files[-1] == "index.html"
    assert max(place for place, name in enumerate(files) if name.startswith("assets/")) < files.index(
        "habits.html"
    )
    page = rendered()["index.html"].decode()
    for name in ("Best running streak", "Going cold", "Deals", "Engagement", "Sources"):
        assert name in page


def test_the_time_is_the_owners() -> None:
    late = datetime(2026, 6, 30, 22, 15, tzinfo=UTC)
    page = render(contents("Read"), late, "Europe/Berlin")["index.html"].decode()
    assert "1 Jul 2026, 00:15" in page


class Ending:
    """A file system that ends with an error at its `last`th write, as a process that is killed does."""

    def __init__(self, files: Any, last: int) -> None:
        self._files, self._left = files, last

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._files, name)
        if name not in ("pipe_file", "mv", "rm_file"):
            return found

        def counted(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt
            return found(*arguments, **more)

        return counted


def broken_links(folder: Path) -> list[str]:
    return [
        f"{page.name}: {link}"
        for page in folder.glob("*.html")
        for link in Reader(page.read_bytes()).links()
        if not (folder / link).exists()
    ]


def versions() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A site, and another one in which every asset has another name and a page is gone."""
    before, after = (
        # What is in an asset counts for nothing here, and one is large.
        {key: content if key.endswith(".html") else b"any" for key, content in rendered(name).items()}
        for name in ("Before", "After")
    )
    for name in [name for name in after if name.startswith("assets/")]:
        renamed = re.sub(r"-([0-9a-f]{11})[0-9a-f]", r"-\g<1>x", name).replace("x.", "0.")
        renamed = renamed if renamed != name else name.replace("0.", "1.", 1)
        after = {
            each.replace(name, renamed): text.replace(name.encode(), renamed.encode())
            for each, text in after.items()
        }
    gone = before | {"old-page.html": b"<p>old</p>"}
    return gone, after


def test_a_write_that_is_cut_off_anywhere_leaves_pages_that_work(tmp_path: Path) -> None:
    before, after = versions()
    last = 0
    is_over = False
    while not is_over:
        folder = tmp_path / str(last)
        Site(str(folder)).write(before)
        site = Site(str(folder))
        site._files = Ending(site._files, last)
        try:
            site.write(after)
            is_over = True
        except KeyboardInterrupt:
            pass
        assert broken_links(folder) == [], last
        assert (folder / "index.html").read_bytes() in (before["index.html"], after["index.html"])
        Site(str(folder)).write(after)
        found = {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        # A name of its own for each attempt is what may be left.
        assert {name: text for name, text in found.items() if NAME.fullmatch(name)} == after, last
        last += 1
    assert last > 20


def test_nothing_else_in_the_folder_is_touched(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    mine = [tmp_path / "notes.html", tmp_path / "assets" / "photo.svg", tmp_path / "letter.txt"]
    for path in mine:
        path.write_text("mine")
    site = Site(str(tmp_path))
    (tmp_path / LISTING).write_text(json.dumps(["../outside.html", "letter.txt", 7]))
    before, after = versions()
    site.write(before)
    site.write(after)
    assert [path.read_text() for path in mine] == ["mine"] * 3
    assert not (tmp_path / "old-page.html").exists()


def test_a_bucket_is_as_good_as_a_folder() -> None:
    site = Site("memory://reports/site/")
    before, after = versions()
    site.write(before)
    site.write(after)
    found = {
        name.removeprefix("/reports/site/") for name in fsspec.filesystem("memory").find("/reports/site")
    }
    assert found == {*after, LISTING}
    assert site.read("index.html") == after["index.html"]
    assert site.first == "memory://reports/site/index.html"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.html",
        "..",
        "",
        "/etc/passwd",
        "assets/../../secret.html",
        "site.json",
        "a.html\n",
        "ä.html",
        "assets",
    ],
)
def test_no_name_leads_out_of_the_site(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.html").write_text("secret")
    site = Site(str(tmp_path / "site"))
    site.write(rendered())
    assert site.read(name) is None
    with pytest.raises(ValueError, match="not a valid name of a page"):
        site.write({name: b""})


def test_before_the_first_time_there_is_nothing(tmp_path: Path) -> None:
    assert Site(str(tmp_path / "site")).read("index.html") is None


def test_a_page_does_not_grow_with_the_number_of_engagements() -> None:
    weeks = {("Kim", kind): engagement.Counter(dict.fromkeys(range(520), 40)) for kind in engagement.TYPES}
    few = engagement.Engagement(TODAY, date(2016, 7, 18), weeks, engagement.Counter(), {})
    many = replace(
        few, weeks={key: engagement.Counter(dict.fromkeys(line, 9000)) for key, line in weeks.items()}
    )
    pages = [render({engagement.PAGE: each}, NOW, "UTC")["engagement.html"] for each in (few, many)]
    assert len(pages[1]) < 1.8 * len(pages[0]) < 60_000


@pytest.mark.parametrize(
    "listing",
    [b"", b"5", b"null", b"true", b"\xff", b"[" * 200_000],
    ids=["empty", "5", "null", "true", "bytes", "deep"],
)
def test_a_damaged_listing_never_stops_the_report(tmp_path: Path, listing: bytes) -> None:
    site = Site(str(tmp_path))
    site.write({"index.html": b"before"})
    (tmp_path / LISTING).write_bytes(listing)
    site.write({"index.html": b"after"})
    assert site.read("index.html") == b"after"
