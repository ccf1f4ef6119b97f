"""A checkpoint that is none keeps no read from beginning anew."""

import json
from pathlib import Path

import pytest

from reporting.ingest.checkpoints import Checkpoints
from reporting.ingest.landing import Landing
from reporting.sources.registry import entity_named

TIMES = {"started_at": "2026-11-21T12:00:00+00:00", "read_at": "2026-11-21T12:00:00+00:00"}
REST = {"fingerprint": "f", "request_count": 1, "position": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"\0" * 64,
        b"null",
        b"[" * 100_000,
        json.dumps([TIMES]).encode(),
        json.dumps({**TIMES, **REST, "parts": "folder"}).encode(),
        json.dumps({**TIMES, **REST, "parts": None}).encode(),
        json.dumps({**TIMES, **REST, "started_at": 7, "parts": {}}).encode(),
    ],
    ids=["empty", "utf-8", "nul", "null", "deep", "list", "text", "none", "time"],
)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notion" / "daily_habits" / "checkpoint-full.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    found = Checkpoints(Landing(str(tmp_path)), entity_named("notion__daily_habits"), "full", "f")
    assert found.find() is None
    found.forget()
    assert not path.exists()
