"""An export in a bucket takes the place of whatever is there by its names."""

import json
import logging
import sys
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reporting.exports.export import make_request
from reporting.exports.formats import FORMATS, MAKER, MANIFEST
from reporting.exports.marts import ExportError
from reporting.exports.publish import _put_folder, _remove

EARLIER = json.dumps({"made_by": MAKER, "files": ["deals.csv", "people.csv"]}).encode()


@pytest.fixture
def files() -> MemoryFileSystem:
    made = MemoryFileSystem()
    made.store.clear()
    return made


def put(files: MemoryFileSystem, folder: Path) -> None:
    (folder / "deals.csv").write_text("new")
    _put_folder(files, folder, "/bucket/marts", {"made_by": MAKER, "files": ["deals.csv"]})


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"null", b"[" * 100_000, b"{}"], ids=["empty", "utf-8", "null", "deep", "object"]
)
def test_a_damaged_manifest_is_replaced(files: MemoryFileSystem, tmp_path: Path, text: bytes) -> None:
    files.pipe_file(f"/bucket/marts/{MANIFEST}", text)
    put(files, tmp_path)
    assert files.cat_file("/bucket/marts/deals.csv") == b"new"
    assert json.loads(files.cat_file(f"/bucket/marts/{MANIFEST}"))["files"] == ["deals.csv"]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_no_longer_exported_goes_whoever_removes_it(
    files: MemoryFileSystem, tmp_path: Path, is_there: bool
) -> None:
    files.pipe_file(f"/bucket/marts/{MANIFEST}", EARLIER)
    if is_there:
        files.pipe_file("/bucket/marts/people.csv", b"old")
    put(files, tmp_path)
    assert sorted(each.rpartition("/")[2] for each in files.find("/bucket/marts")) == ["deals.csv", MANIFEST]


def test_without_duckdb_its_files_are_neither_written_nor_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "marts.duckdb"
    FORMATS["duckdb"].finish(path, {"made_by": MAKER, "files": []})
    # As if it were not installed: find_spec finds nothing then.
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ExportError, match=r"Run script/bootstrap --with duckdb"):
        make_request("duckdb", [], None, None, "UTC")
    with caplog.at_level(logging.WARNING):
        _remove(path, FORMATS["duckdb"])
        _remove(tmp_path / "none.duckdb", FORMATS["duckdb"])
    assert path.exists()
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple)] == [path]
    monkeypatch.undo()
    _remove(path, FORMATS["duckdb"])
    assert not path.exists()
