"""Which table an event is about, by the container that it names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reporting.entity import Entity
from reporting.ingest.containers import KEPT_SECONDS, Containers
from reporting.ingest.landing import Landing, Manifest, new_run_id

AT = datetime(2026, 11, 30, tzinfo=UTC)
ENTITIES = (
    Entity(source="one", name="rows", description=""),
    Entity(source="one", name="never_read", description=""),
)


def land(landing: Landing, hours: int, schema: dict[str, Any] | None) -> None:
    at = AT + timedelta(hours=hours)
    run_id = new_run_id("one", "rows", "changed", at)
    with landing.writer(landing.folder("one", "rows", run_id)) as writer:
        if schema is None:
            return
        writer.finish(
            Manifest(
                run_id=run_id,
                source="one",
                entity="rows",
                refresh="changed",
                started_at=at,
                extracted_at=at,
                window_since=None,
                cursor_at=at,
                record_count=0,
                tombstone_count=0,
                request_count=1,
                part_count=0,
                is_complete=True,
                schema=schema,
            )
        )


def test_the_newest_read_says_in_which_container_rows_are(tmp_path: Path) -> None:
    landing, now = Landing(str(tmp_path)), 0.0
    found = Containers(landing, ENTITIES, lambda each: {str(each.get("id"))}, lambda: now)
    assert found.entities(["a"]) == ()
    land(landing, 0, {"id": "a"})
    assert found.entities(["a"]) == ()
    now = KEPT_SECONDS
    assert found.entities(["a"]) == ("rows",)
    assert found.entities(["x", "a"]) == ("rows",)
    assert found.entities([]) == ()
    # Another database is configured, and the read after that was cut off.
    land(landing, 1, {"id": "b"})
    land(landing, 2, None)
    now = 2 * KEPT_SECONDS
    assert (found.entities(["a"]), found.entities(["b"])) == ((), ("rows",))
