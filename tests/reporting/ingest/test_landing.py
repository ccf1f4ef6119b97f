"""What is kept can be read again, and what is not whole is refused."""

import gzip
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.ingest.landing import Landing, LandingError, Manifest, new_run_id
from reporting.ingest.landing import writing as module
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


@pytest.mark.parametrize(
    "folder",
    ["", "..", "notion/../../x", "/etc", "notion//x", "notion/x/", ".hidden", "a\\b", "a\nb", "gs://b/x"],
)
def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path, folder: str) -> None:
    landing = Landing(str(tmp_path / "landing"))
    for attempt in (
        lambda: landing.manifest(folder),
        lambda: landing.writer(folder),
        lambda: list(landing.lines(folder)),
        lambda: landing.erase(folder, lambda page: page),
        lambda: landing.run_ids("notion", folder),
        lambda: landing.folder("notion", "x", folder),
    ):
        with pytest.raises(LandingError, match="is not the name of a landing"):
            attempt()
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 100,
        b"<html>502</html>",
        gzip.compress(b'{"requested_at": "2026-11-21T12:00:00+00:00", "payload": {"id": 1}}')[:40],
        gzip.compress(b'{"requested_at": "2026-11-21T12:00:00+00:00", "payload": {"id": 1}}')[:-4] + b"1234",
        gzip.compress(b"\xff\xfe"),
        gzip.compress(b"[]"),
        gzip.compress(b"null"),
        gzip.compress(b'{"payload": {}}'),
        gzip.compress(b'{"requested_at": 7, "payload": {}}'),
        gzip.compress(b'{"requested_at": "2026-11-21T12:00:00+00:00", "tombstone": {"id": "x"}}'),
        gzip.compress(b'{"requested_at": ' + b"[" * 100_000),
    ],
    ids=[
        "empty",
        "nul",
        "html",
        "cut",
        "length",
        "utf-8",
        "list",
        "null",
        "field",
        "type",
        "tombstone",
        "deep",
    ],
)
def test_a_damaged_part_is_a_plain_sentence(tmp_path: Path, content: bytes) -> None:
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.keep(Page(NOON, (Record({"id": 1}),)))
        writer.finish(manifest())
    (tmp_path / "a" / "part-00000.ndjson.gz").write_bytes(content)
    with pytest.raises(LandingError, match="Clear the extract task"):
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


def test_what_only_a_later_version_knows_is_passed_over(tmp_path: Path) -> None:
    """An upgrade that was taken back leaves landings of the later version."""
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.keep(Page(NOON, tombstones=(Tombstone("x", "trashed"),)))
        writer.finish(manifest())
    file = tmp_path / "a" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"of_later": [1]}))
    (part,) = (tmp_path / "a").glob("part-*.gz")
    line = json.loads(gzip.decompress(part.read_bytes()))
    line["tombstone"]["of_later"] = "more"
    part.write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    assert [page.tombstones for page in landing.pages("a")] == [(Tombstone("x", "trashed"),)]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"run_id": 5}', "[" * 5000, '{"started_at": 3}'])
def test_a_manifest_that_is_none_is_said_to_be(tmp_path: Path, text: str) -> None:
    landing = Landing(str(tmp_path))
    with landing.writer("a") as writer:
        writer.finish(manifest())
    (tmp_path / "a" / "manifest.json").write_text(text)
    with pytest.raises(LandingError, match="cannot be read"):
        landing.manifest("a")


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
