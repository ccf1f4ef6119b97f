"""Who is let in and how often, what goes wrong on demand, and what outlives the process."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reporting.local.child import ending_with_parent
from reporting.local.serving import PYTHON, ROOT, Served, free_port
from reporting.local.tokens import token_of
from sandbox.serving import fake_api
from tests.sandbox.google.account import CONNECTIONS, FIELDS, SYNC, Account

Start = Callable[..., Account]


def test_a_quota_is_per_minute(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--quota", "3")
    for _ in range(3):
        account.get(CONNECTIONS, **FIELDS)
    status, error = account.refusal(CONNECTIONS, **FIELDS)
    assert (status, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    (info,) = error["details"]
    assert (info["reason"], info["domain"]) == ("RATE_LIMIT_EXCEEDED", "googleapis.com")
    assert info["metadata"]["service"] == "people.googleapis.com"
    account.pass_time(61)
    account.get(CONNECTIONS, **FIELDS)


def test_a_quota_can_be_a_403(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--quota", "1", "--quota-status", "403")
    account.get(CONNECTIONS, **FIELDS)
    status, error = account.refusal(CONNECTIONS, **FIELDS)
    assert (status, error["errors"][0]["reason"]) == (403, "rateLimitExceeded")


def test_the_first_page_of_a_full_sync_has_a_quota_of_its_own(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--full-sync-quota", "2")
    _, token = account.listed(**SYNC, pageSize=5)
    account.listed(**SYNC, pageSize=5)
    status, error = account.refusal(CONNECTIONS, **SYNC, pageSize=5)
    assert (status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["@type"].endswith("QuotaFailure")
    # Everything else goes on.
    account.listed(**SYNC, pageSize=5, syncToken=token)
    account.get("/v1/contactGroups")
    account.pass_time(61)
    account.listed(**SYNC, pageSize=5)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("empty_page", 10), ("page_twice", 13), ("shuffled", 10)],
)
def test_pages_can_be_spoilt(start: Start, tmp_path: Path, kind: str, expected: int) -> None:
    account = start(tmp_path, "--contacts", "10")
    whole, _ = account.listed(**SYNC, pageSize=3)
    fault = {"kind": kind, "path": "connections", "after": 1}
    for query in (SYNC, FIELDS):
        account.control("POST", "faults", [fault])
        found, token = account.listed(**query, pageSize=3)
        assert (token is None) == (query == FIELDS)
        assert len(found) == expected
        assert {each["resourceName"] for each in found} == {each["resourceName"] for each in whole}
        assert (found != whole) == (kind != "empty_page")
    # The last page, too, is followed by another then, and has no sync token yet.
    account.control("POST", "faults", [{**fault, "after": 3}])
    found, token = account.listed(**SYNC, pageSize=3)
    assert token
    assert len(found) == (11 if kind == "page_twice" else 10)


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ({"kind": "status", "status": 503}, 503, "UNAVAILABLE"),
        ({"kind": "status", "status": 500}, 500, "INTERNAL"),
        ({"kind": "status", "status": 429, "retry_after": 7}, 429, "RATE_LIMIT_EXCEEDED"),
        ({"kind": "status", "status": 403}, 403, "rateLimitExceeded"),
        ({"kind": "status", "status": 502}, 502, "<html>"),
        ({"kind": "html"}, 200, "<html>"),
        ({"kind": "invalid_cursor"}, 400, "INVALID_ARGUMENT"),
    ],
)
def test_refusals_on_demand(google: Account, fault: dict[str, Any], status: int, said: str) -> None:
    google.control("POST", "faults", [{**fault, "path": "connections"}])
    answer = google.http.get(CONNECTIONS, params=FIELDS)
    assert answer.status_code == status
    assert said in answer.text
    assert answer.headers.get("retry-after") == ("7" if "retry_after" in fault else None)
    google.get(CONNECTIONS, **FIELDS)


def test_requests_are_counted(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    account.listed(pageSize=10)
    account.refusal("/v1/people/c77", **FIELDS)
    assert account.control("GET", "requests") == {
        "POST /token": 1,
        f"GET {CONNECTIONS}": 3,
        "GET /v1/people/{id}": 1,
    }


def test_a_restart_serves_the_same(tmp_path: Path) -> None:
    with fake_api("google", tmp_path, None, "--contacts", "12") as served:
        account = Account(served)
        before, token = account.listed(**SYNC)
        account.pass_time(600)
        account.control("DELETE", before[0]["resourceName"])
        truth = account.people()
        headers = dict(account.http.headers)
    with fake_api("google", tmp_path) as served:
        account = Account(served)
        account.http.headers = headers
        assert account.people() == truth
        # The access token, the sync token and the clock outlive it.
        changed, _ = account.listed(**SYNC, syncToken=token)
        assert [each["metadata"]["deleted"] for each in changed] == [True]
        assert account.control("GET", "state")["people"] == 11
    with (
        pytest.raises(RuntimeError, match="was filled with contacts 12 and not 13"),
        fake_api("google", tmp_path, None, "--contacts", "13"),
    ):
        pass


def test_a_crash_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("--port", str(port), "--data", str(tmp_path), "--contacts", "12")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        ending_with_parent(PYTHON, "-m", "sandbox.google", *arguments),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
    )
    try:
        # The sentence is printed once connections are taken.
        assert re.match(rb"Google fake API on http", process.stdout.readline())
        account = Account(Served(f"http://127.0.0.1:{port}", token_of(tmp_path)))
        made = account.control("POST", "people", {"names": [{"givenName": "Last"}]})
        truth = account.people()
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with fake_api("google", tmp_path) as served:
        account = Account(served)
        assert account.people() == truth
        assert account.get(f"/v1/{made['resourceName']}", **FIELDS)["names"][0]["displayName"] == "Last"
