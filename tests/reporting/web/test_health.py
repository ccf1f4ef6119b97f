"""What the health endpoint answers."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from reporting.web import health
from reporting.web.guard import Message

WELL = {"metadatabase": "healthy", "scheduler": "healthy"}


def ask(application: health.Health, method: str = "GET", path: str = health.PATH) -> tuple[int, Any]:
    start, body = exchange(application, method, path)
    return start["status"], body["body"]


def exchange(application: health.Health, method: str = "GET", path: str = health.PATH) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(application({"type": "http", "method": method, "path": path}, receive, send))
    return sent


def test_one_dead_part_is_enough() -> None:
    assert ask(health.Health(lambda: WELL)) == (200, json.dumps(WELL).encode())
    status, body = ask(health.Health(lambda: WELL | {"scheduler": "unhealthy"}))
    assert (status, json.loads(body)["scheduler"]) == (503, "unhealthy")
    assert ask(health.Health(lambda: WELL), "HEAD") == (200, b"")
    assert ask(health.Health(lambda: WELL), "POST")[0] == 404
    assert ask(health.Health(lambda: WELL), path="/reporting/other")[0] == 404


def test_an_error_is_no_health_and_is_not_told() -> None:
    def look() -> dict[str, str]:
        raise OSError("postgresql://owner:hush@db.example")

    status, body = ask(health.Health(look))
    assert status == 503
    assert b"hush" not in body


def test_many_questions_are_one_to_the_database() -> None:
    asked: list[None] = []
    now = 0.0

    def look() -> dict[str, str]:
        asked.append(None)
        return WELL

    application = health.Health(look, clock=lambda: now)
    for _ in range(20):
        ask(application)
    assert len(asked) == 1
    now = health.KEPT_SECONDS
    ask(application)
    assert len(asked) == 2


def test_a_database_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()

    def look() -> dict[str, str]:
        is_over.wait(5)
        return WELL

    monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)

    async def answered() -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        await health.Health(look)({"type": "http", "method": "GET", "path": health.PATH}, receive, send)
        is_over.set()
        return int(sent[0]["status"])

    assert asyncio.run(answered()) == 503


def test_the_package_that_runs_is_named(tmp_path: Path) -> None:
    digest = tmp_path / ".digest"
    assert health.running_package(digest) is None
    assert health.running_package(tmp_path) is None
    digest.write_bytes(b"\xff")
    assert health.running_package(digest) is None
    digest.write_text("0123abc\n")
    for package, names in ((health.running_package(digest), [b"0123abc"]), (None, [])):
        start, _ = exchange(health.Health(lambda: WELL, package=package))
        assert [value for name, value in start["headers"] if name == b"x-reporting-package"] == names
