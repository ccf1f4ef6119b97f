"""The page of pipelines in a real browser: what a user sees, and what it sends. The browser asks nobody but this test."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.encoders import jsonable_encoder
from playwright.sync_api import Browser, Page, Route

from reporting.web.pipelines import endpoints as pipelines
from tests.reporting.web.test_pipelines import CONTACTS, MARTS, Airflow, Rights, Warehouse
from tests.support import browser

ADDRESS = "http://127.0.0.1:1/reporting/pipelines/"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.running() as running:
        yield running


class Look:
    """A page of the browser, what it sent by POST, and what went wrong in it."""

    def __init__(self, page: Page, who: str) -> None:
        self.page, self.who = page, who
        self.sent: list[tuple[str, Any]] = []
        self.wrong: list[str] = []
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda line: line.type == "error" and self.wrong.append(line.text))
        page.route("**/*", self._answer)
        page.goto(ADDRESS)
        page.wait_for_selector("#pipelines tbody tr")

    def _answer(self, route: Route) -> None:
        path = urlsplit(route.request.url).path.removeprefix("/reporting/pipelines/")
        if route.request.method == "POST":
            self.sent.append((urlsplit(route.request.url).path, json.loads(route.request.post_data or "")))
            route.fulfill(status=200, json={})
        elif path == "list":
            dags = [replace(dag, description=EVIL) for dag in Airflow().dags()]
            shown = pipelines.listing(dags, Warehouse().contents(), True, Rights(self.who))
            route.fulfill(status=200, json=jsonable_encoder(shown))
        else:
            file = pipelines.FILES[path]
            kind = pipelines.TYPES[file.suffix.lstrip(".")]
            route.fulfill(
                status=200, body=file.read_bytes(), headers={**pipelines.HEADERS, "Content-Type": kind}
            )


@pytest.fixture
def look(chromium: Browser) -> Iterator[Callable[[str], Look]]:
    contexts = []

    def opened(who: str) -> Look:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        contexts.append(context)
        return Look(context.new_page(), who)

    yield opened
    for context in contexts:
        context.close()


def test_a_viewer_sees_pipelines_and_no_button(look: Callable[[str], Look]) -> None:
    seen = look("viewer")
    text = seen.page.inner_text("#pipelines")
    assert "raw_hubspot__contacts" in text
    assert "until 2026-12-01" in text
    assert "load: failed" in text
    assert f"{1200:,}" in text
    # A text is a text.
    assert EVIL in text
    assert seen.page.locator("#pipelines button").count() == 0
    href = seen.page.get_by_text("load: failed").get_attribute("href")
    assert href == f"../../dags/{CONTACTS}/runs/scheduled__1/tasks/load"
    seen.page.fill("#search", "models")
    assert seen.page.locator("#pipelines tbody tr").count() == 1
    assert seen.wrong == []


def test_a_user_runs_pauses_resumes_and_downloads(look: Callable[[str], Look]) -> None:
    seen = look("user")
    marts = seen.page.locator("#pipelines tbody tr", has_text=MARTS)
    marts.get_by_role("button", name="Run now").click()
    seen.page.wait_for_selector(f"text={MARTS} was started.")
    marts.locator("input[type=date]").fill("2099-12-31")
    marts.get_by_role("button", name="Pause until").click()
    seen.page.wait_for_selector(f"text={MARTS} is paused until 2099-12-31.")
    contacts = seen.page.locator("#pipelines tbody tr", has_text=CONTACTS)
    # What is paused would only wait.
    assert contacts.get_by_role("button", name="Run now").count() == 0
    contacts.get_by_role("button", name="Resume").click()
    seen.page.wait_for_selector(f"text={CONTACTS} runs again.")
    assert seen.sent == [
        (f"/api/v2/dags/{MARTS}/dagRuns", {"logical_date": None}),
        ("/reporting/pipelines/pause", {"dag_id": MARTS, "is_paused": True, "until": "2099-12-31"}),
        ("/reporting/pipelines/pause", {"dag_id": CONTACTS, "is_paused": False}),
    ]
    for name, rest in (("First 300 rows", ""), ("All rows", "?all")):
        with seen.page.expect_download() as download:
            contacts.get_by_role("button", name=name).click()
        assert download.value.url == f"{ADDRESS}rows/hubspot__contacts.csv{rest}"
    assert seen.wrong == []
