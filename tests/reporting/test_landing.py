"""What is kept can be read again, and what is not whole is refused."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting import landing as module
from reporting.landing import Landing, LandingError, Manifest, new_run_id
from reporting.sources.base import Page, Record, Tombstone

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def manifest(**changes: object) -> Manifest:
    fields = {
        "run_id": "r",
        "source": "notion",
        "entity": "daily_habits",
        "refresh": "full",
        "started_at": NOON,
        "extracted_at": NOON,
        "window_since": None,
        "cursor_at": NOON,
        "record_count": 0,
        "tombstone_count": 0,
        "request_count": 3,
        "part_count": 0,
        "is_complete": True,
    }
    return Manifest(**{**fields, **changes})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
payloads = st.dictionaries(st.text(), json_values, max_size=4)
pages = st.builds(
    Page,
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.builds(Record, payloads, payloads), max_size=4).map(tuple),
    st.lists(
        st.builds(Tombstone, st.text(min_size=1), st.sampled_from(["trashed", "missing"])), max_size=2
    ).map(tuple),
)


@settings(deadline=None)
@given(st.lists(pages, max_size=5))
def test_pages_come_back_as_they_were_kept(kept: list[Page]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        landing = Landing(folder)
        with landing.writer("notion/x/r") as writer:
            for page in kept:
                writer.keep(page)
            writer.finish(manifest())
        back = list(landing.pages("notion/x/r"))
    assert [(p.requested_at, r) for p in back for r in p.records] == [
        (p.requested_at, r) for p in kept for r in p.records
    ]
    assert [(p.requested_at, t) for p in back for t in p.tombstones] == [
        (p.requested_at, t) for p in kept for t in p.tombstones
    ]


def test_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_PER_PART", 10)
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        for number in range(35):
            writer.keep(Page(NOON, (Record({"id": number}),)))
        assert writer.finish(manifest()).part_count == 4
    assert [p.records[0].payload["id"] for p in landing.pages("a")] == list(range(35))


def test_a_landing_cut_off_is_refused(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))

    def cut_off() -> None:
        with landing.writer("a") as writer:
            writer.keep(Page(NOON, (Record({"id": 1}),)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    with pytest.raises(LandingError, match="Clear the extract task"):
        list(landing.pages("a"))


def test_a_part_that_is_gone_is_noticed(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.keep(Page(NOON, (Record({"id": 1}),)))
        writer.finish(manifest())
    (tmp_path / "a" / "part-00000.ndjson.gz").unlink()
    with pytest.raises(LandingError, match=r"lacks part-00000"):
        list(landing.pages("a"))


def test_counts_that_disagree_are_noticed(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.keep(Page(NOON, (Record({"id": 1}),)))
        whole = writer.finish(manifest())
    path = tmp_path / "a" / "manifest.json"
    path.write_text(whole.to_json().replace('"record_count": 1', '"record_count": 2'))
    with pytest.raises(LandingError, match="should hold 2 records"):
        list(landing.pages("a"))


def test_a_whole_landing_is_never_overwritten(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.finish(manifest())
    with pytest.raises(LandingError, match="used once"), landing.writer("a"):
        pass


def test_the_manifest_survives_its_text() -> None:
    one = manifest(window_since=NOON - timedelta(hours=1), schema={"properties": {"é": 1}})
    assert Manifest.from_json(one.to_json()) == one


def test_run_ids_sort_by_time() -> None:
    first, second = (
        new_run_id("notion", "daily_habits", "full", NOON + timedelta(seconds=n)) for n in (0, 1)
    )
    assert first < second
    assert first == "notion-daily_habits-full-20261121T120000000000"


def test_old_landings_go_and_the_newest_of_each_entity_stays(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    assert landing.discard(NOON) == 0
    for entity, ages in (("daily_habits", (0, 10, 40, 50)), ("habit_targets", (70, 80))):
        for days in ages:
            run = new_run_id("notion", entity, "full", NOON - timedelta(days=days))
            (tmp_path / "notion" / entity / run).mkdir(parents=True)
    assert landing.discard(NOON - timedelta(days=30)) == 3
    left = sorted(path.name for path in tmp_path.glob("*/*/*"))
    assert [name.rsplit("-", 1)[-1][:8] for name in left] == ["20261111", "20261121", "20260912"]
    assert landing.discard(NOON - timedelta(days=30)) == 0
