"""What a web page can do to the servers on loopback while their owner has it open: nothing.

A real Chromium opens the page of another site, of another port of this machine, and of a name that leads to this machine only
when it is asked again (DNS rebinding). Each tries everything that a page can send. `-s` prints what the browser saw.
"""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from google.cloud import bigquery
from playwright.sync_api import Page, Request, Response

from reporting.local import bigquery as server
from reporting.local.serving import Served
from reporting.settings import read_settings
from reporting.warehouse.client import connect
from sandbox.serving import fake_api
from tests.support import browser
from tests.support.control import client as client_of

FOREIGN = "evil.example"
SOURCES = ("notion", "hubspot", "google")
BOUNDARY = "parts"
UPLOAD = "/upload/bigquery/v2/projects/local/jobs?uploadType=multipart"
PATIENCE_SECONDS = 20.0
# What a page may send without asking the server first, whatever its origin; and what it must ask for.
ATTACKS = """
async ({address, path, bodies, token}) => {
    const tried = {};
    const attempt = async (name, work) => {
        try { tried[name] = String(await work()); } catch (error) { tried[name] = error.name; }
    };
    const url = address + path;
    for (const [type, body] of bodies) {
        await attempt(`no-cors ${type}`, async () =>
            (await fetch(url, {method: "POST", mode: "no-cors", headers: {"Content-Type": type}, body})).type);
        await attempt(`cors ${type}`, async () =>
            (await fetch(url, {method: "POST", headers: {"Content-Type": type}, body})).status);
        await attempt(`beacon ${type}`, async () => navigator.sendBeacon(url, new Blob([body], {type: "text/plain"})));
    }
    await attempt("with a guessed token", async () =>
        (await fetch(url, {method: "POST", headers: {Authorization: "Bearer any"}, body: bodies[0][1]})).status);
    await attempt("with the right token", async () =>
        (await fetch(url, {method: "POST", headers: {Authorization: `Bearer ${token}`}, body: bodies[0][1]})).status);
    await attempt("read", async () => (await (await fetch(url)).text()).slice(0, 40));
    await attempt("read no-cors", async () => (await fetch(url, {mode: "no-cors"})).type);
    for (const tag of ["img", "script", "iframe", "link"]) {
        await attempt(tag, () => new Promise((resolve) => {
            const element = document.createElement(tag);
            element.onload = () => resolve("loaded");
            element.onerror = () => resolve("error");
            if (tag === "link") { element.rel = "stylesheet"; element.href = url; } else { element.src = url; }
            document.body.append(element);
        }));
    }
    await attempt("websocket", () => new Promise((resolve) => {
        const socket = new WebSocket(url.replace("http", "ws"));
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("error");
    }));
    return tried;
}
"""
FORM = """
({address, path, body}) => {
    const form = document.createElement("form");
    form.action = address + path; form.method = "post"; form.enctype = "text/plain"; form.target = "answer";
    const frame = document.createElement("iframe"); frame.name = "answer";
    const field = document.createElement("textarea"); field.name = body;
    form.append(field); document.body.append(frame, form); form.submit();
}
"""


@dataclass
class Target:
    """A server, what an attacker sends to it, and where."""

    served: Served
    path: str
    bodies: list[tuple[str, str]]

    @property
    def port(self) -> int:
        return int(urlsplit(self.served.address).port or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("origins")


def upload(configuration: dict[str, Any]) -> tuple[str, str]:
    """The type and the body of a job with a line of data, as a form may be sent."""
    parts = (("application/json", json.dumps({"configuration": configuration})), ("*/*", '{"forged": 1}\n'))
    body = "".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts)
    return f"multipart/form-data; boundary={BOUNDARY}", f"{body}--{BOUNDARY}--\r\n"


@pytest.fixture(scope="module")
def targets(folder: Path) -> Iterator[dict[str, Target]]:
    export = f"EXPORT DATA OPTIONS (uri = '{folder}/made.py', format = 'CSV', header = false) AS SELECT 'import os'"
    load = {
        "destinationTable": {"projectId": "local", "datasetId": "local", "tableId": "forged"},
        "sourceFormat": "NEWLINE_DELIMITED_JSON",
        "autodetect": True,
    }
    fault = json.dumps([{"kind": "status", "status": 503, "times": 99, "path": ""}])
    with ExitStack() as stack:
        local = stack.enter_context(server.running(folder / "bigquery"))
        found = {
            "bigquery export": Target(
                local, UPLOAD, [upload({"query": {"query": export, "useLegacySql": False}})]
            ),
            "bigquery load": Target(local, UPLOAD, [upload({"load": load})]),
        }
        for name in SOURCES:
            served = stack.enter_context(fake_api(name, folder / name))
            found[name] = Target(served, "/_control/faults", [("text/plain", fault)])
        yield found


@contextmanager
def page_server() -> Iterator[int]:
    """The attacker's own web server; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a page</title><body>")

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.server_port
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


class Seen:
    """What the browser sent to a server, and what became of it."""

    def __init__(self, page: Page, port: int) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self._port = port
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).port == self._port

    def _answered(self, response: Response) -> None:
        if self._is_ours(response.url):
            self.lines.append((response.request.method, response.request.resource_type, str(response.status)))

    def _failed(self, request: Request) -> None:
        if self._is_ours(request.url):
            self.lines.append((request.method, request.resource_type, request.failure or "failed"))


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[browser.Browser, int]]:
    """A browser in which the foreign name leads to this machine, and the port of the attacker's page."""
    with page_server() as port, browser.running(f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1") as running:
        yield running, port


def state(targets: dict[str, Target], folder: Path) -> dict[str, Any]:
    """Everything that an attack could have changed."""
    client: bigquery.Client = connect(
        read_settings(server.LocalBigQuery(*targets["bigquery load"].served).variables)
    )
    found: dict[str, Any] = {
        "files": sorted(each.name for each in folder.iterdir()),
        "jobs": sorted(each.job_id for each in client.list_jobs()),
        "tables": sorted(each.table_id for each in client.list_tables("local")),
    }
    for name in SOURCES:
        with client_of(targets[name].served) as http:
            found[name] = http.get("/_control/faults").raise_for_status().json()
    return found


WAYS = {
    "another site": f"http://{FOREIGN}:{{page}}/",
    "another port of this machine": "http://127.0.0.1:{page}/",
    "a name that is led here": f"http://{FOREIGN}:{{own}}/",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["bigquery export", "bigquery load", *SOURCES])
def test_no_page_does_or_reads_anything(
    targets: dict[str, Target], pages: tuple[browser.Browser, int], folder: Path, name: str, way: str
) -> None:
    running, port = pages
    target, before = targets[name], state(targets, folder)
    is_rebound = "{own}" in WAYS[way]
    page = running.new_page()
    seen = Seen(page, target.port)
    page.goto(WAYS[way].format(page=port, own=target.port))
    # A rebound name is of the server's own origin for the browser, so that the page may ask and read as it likes.
    address = "" if is_rebound else target.served.address
    given = {"address": address, "path": target.path, "bodies": target.bodies, "token": target.served.token}
    tried: dict[str, str] = page.evaluate(ATTACKS, given)
    page.evaluate(FORM, {"address": address, "path": target.path, "body": target.bodies[0][1]})
    page.wait_for_timeout(300)
    page.close()

    lines = [
        *tried.items(),
        *((f"{method} {kind}", result) for method, kind, result in sorted(set(seen.lines))),
    ]
    sys.stdout.writelines(f"{name} | {way} | {each}: {result}\n" for each, result in lines)
    answered = {result for _, _, result in seen.lines if result.isdigit()}
    assert answered == {"403"}
    assert any(method == "POST" for method, _, _ in seen.lines)
    if is_rebound:
        assert {result for each, result in tried.items() if each.startswith("cors")} == {"403"}
    else:
        # The browser shows a page of another origin nothing, not even a status.
        assert {result for each, result in tried.items() if each.startswith(("cors", "with"))} == {
            "TypeError"
        }
    assert tried["websocket"] == "error"
    assert state(targets, folder) == before


def test_the_same_requests_would_work_with_the_token_and_without_a_page(targets: dict[str, Target]) -> None:
    """Else the tests above would pass for another reason."""
    for name, target in targets.items():
        kind, body = target.bodies[0]
        headers = {"Content-Type": kind, "Authorization": f"Bearer {target.served.token}"}
        answer = httpx.post(
            target.served.address + target.path, content=body, headers=headers, timeout=PATIENCE_SECONDS
        )
        assert answer.status_code == 200, (name, answer.text)
        if name == "bigquery export":
            # Outside of the data folder, which is refused for a reason of its own.
            assert "reads and writes gs:// alone" in answer.text
    client: bigquery.Client = connect(
        read_settings(server.LocalBigQuery(*targets["bigquery load"].served).variables)
    )
    assert [tuple(row.values()) for row in client.query_and_wait("SELECT forged FROM local.forged")] == [(1,)]
