"""Who gets which page of the report from the web server."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import HTTPException, Request

from reporting.reports.site import Site
from reporting.web import site
from reporting.web.guard import App

ASSET = "assets/report-0123456789ab.css"
FILES = {"index.html": b"<h1>Overview</h1>", "habits.html": b"<h1>Habits</h1>", ASSET: b"h1 {}"}


def may_read(request: Request) -> None:
    """Stands for Airflow's own dependency."""
    who = request.headers.get("authorization")
    if who is None:
        raise HTTPException(401, "Not authenticated")
    if who != "viewer":
        raise HTTPException(403, "Forbidden")


def ask(app: App, path: str, who: str | None = "viewer", method: str = "GET") -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # its type of an app is narrower
        async with httpx.AsyncClient(transport=transport, base_url="http://reporting.example") as client:
            return await client.request(method, path, headers={"authorization": who} if who else {})

    return asyncio.run(asked())


@pytest.fixture
def app(tmp_path: Path) -> App:
    """The pages of a small site."""
    made = Site(str(tmp_path / "site"))
    made.write(FILES)
    (tmp_path / "keys.json").write_text("secret")
    return site.application(may_read, lambda: made)


@pytest.mark.parametrize(
    ("path", "name", "kind", "cache"),
    [
        ("/", "index.html", "text/html; charset=utf-8", "no-store"),
        ("/habits.html", "habits.html", "text/html; charset=utf-8", "no-store"),
        (f"/{ASSET}", ASSET, "text/css; charset=utf-8", "private, max-age=31536000, immutable"),
    ],
)
def test_a_viewer_gets_it(app: App, path: str, name: str, kind: str, cache: str) -> None:
    answer = ask(app, path)
    assert (answer.status_code, answer.content) == (200, FILES[name])
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, cache)
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert ask(app, path, method="HEAD").content == b""
    assert ask(app, path, method="POST").status_code == 405


@pytest.mark.parametrize("path", ["/", "/habits.html", f"/{ASSET}", "/none.html", "/openapi.json", "/docs"])
def test_nobody_else_does(app: App, path: str) -> None:
    for who, status in ((None, 401), ("public", 403)):
        answer = ask(app, path, who)
        assert answer.status_code == status
        assert answer.headers["cache-control"] == "no-store"
        assert not any(content in answer.content for content in FILES.values())


@pytest.mark.parametrize(
    "path",
    [
        "/../keys.json",
        "/%2e%2e/keys.json",
        "/..%2fkeys.json",
        "/assets/..%2f..%2fkeys.json",
        "/site.json",
        "/assets/",
    ],
)
def test_no_path_leads_elsewhere(app: App, path: str) -> None:
    answer = ask(app, path)
    assert answer.status_code == 404
    assert "no such page" in answer.text


def test_before_the_first_report_it_says_how_to_make_one(tmp_path: Path) -> None:
    answer = ask(site.application(may_read, lambda: Site(str(tmp_path / "none"))), "/")
    assert answer.status_code == 404
    assert "report_personal__dashboard__daily" in answer.text


def test_it_is_made_when_it_is_first_asked() -> None:
    made = []

    def make() -> App:
        made.append(1)
        return site.application(may_read, lambda: Site("memory://nothing"))

    app = site.Lazy(make)
    assert made == []
    for _ in range(2):
        assert ask(app, "/").status_code == 404
    assert made == [1]
