"""What script/benchmark measures, and that every reader takes the records that it measures with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from reporting.cli import benchmark
from reporting.cli.command import call
from reporting.deploy.errors import CommandError
from reporting.entity import Entity
from reporting.ingest.landing import Manifest
from reporting.ingest.rows import Notes, rows_of
from reporting.settings import ROOT, read_settings
from reporting.sources.base import ResumableReader
from sandbox.serving import fake_api

PATH = os.environ | {"PYTHONPATH": f"{ROOT / 'plugins'}:{ROOT}"}
# Beyond what one query of Notion's returns.
ROWS = 10_150
MEASURED = [each for some in benchmark.ENTITIES.values() for each in some]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fake_api("bulk", tmp_path_factory.mktemp("bulk"), None, "--rows", str(ROWS)) as served:
        yield served.address


@pytest.mark.parametrize("entity", MEASURED, ids=lambda each: each.table)
def test_every_record_is_read_once_and_becomes_a_row(address: str, entity: Entity) -> None:
    reader = benchmark._reader(entity, address)
    schema = reader.describe()
    if isinstance(reader, ResumableReader) and entity.source == "hubspot":
        assert reader.expected_count() == ROWS
    pages = list(reader.read(None))
    records = {record.id: record for page in pages for record in page.records}
    reader.close()
    assert len(records) == ROWS
    width = {"hubspot": 37, "notion": 32}.get(entity.source)
    if width:
        assert {len(each.payload["properties"]) for each in records.values()} == {width}
    manifest = Manifest(
        run_id="r",
        source=entity.source,
        entity=entity.name,
        refresh="full",
        started_at=NOON,
        extracted_at=NOON,
        window_since=None,
        cursor_at=NOON,
        record_count=ROWS,
        tombstone_count=0,
        request_count=1,
        part_count=1,
        is_complete=True,
        schema=schema,
    )
    notes = Notes()
    rows = list(rows_of(entity, manifest, iter(pages[:2]), read_settings({}), notes))
    assert len(rows) == sum(len(page.records) for page in pages[:2])
    assert not notes.misfits
    assert not notes.set_aside
    assert len({row["_content_hash"] for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", "sql"), "Use one of notion, hubspot, google"),
        (
            ("--source", "notion", "--entity", "companies"),
            "companies is not measured of notion; --entity takes daily_habits",
        ),
        (("--entity", "deals"), "Use one of daily_habits, contacts, companies"),
        (("--source", "google", "--paced"), "has no limit to keep; --paced takes notion, hubspot"),
        (("--rows", "0"), "greater than or equal to 1"),
    ],
)
def test_what_it_does_not_measure_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(benchmark, "_measured", lambda *_: pytest.fail("it was measured"))
    monkeypatch.setattr(benchmark, "_paced", lambda *_: pytest.fail("it was measured"))
    with pytest.raises(CommandError, match=said):
        call("benchmark", arguments)


def test_each_size_of_the_entity_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def measured(entity: Entity, size: int) -> dict[str, float]:
        asked.append((entity.table, size))
        return dict.fromkeys(benchmark.COLUMNS, 1.26) | {"rows": size}

    monkeypatch.setattr(benchmark, "_measured", measured)
    assert (
        call("benchmark", ("--source", "hubspot", "--entity", "companies", "--rows", "20000", "100000")) == 0
    )
    assert asked == [("hubspot__companies", 20_000), ("hubspot__companies", 100_000)]
    told = capsys.readouterr().out
    assert all(name in told for name in benchmark.COLUMNS)
    assert "20,000" in told
    assert "100,000" in told
    assert "busy when it began" in told


def test_the_peak_is_that_of_the_process_alone() -> None:
    """getrusage would give one that has just begun the peak of whoever started it."""
    code = (
        "from reporting.cli.benchmark import _peak; a = _peak(); held = b'x' * 200_000_000; print(a, _peak())"
    )
    own = b"x" * 300_000_000
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=PATH,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    before, after = map(float, done.stdout.split())
    assert before < 300
    assert after > before + 180
    del own
