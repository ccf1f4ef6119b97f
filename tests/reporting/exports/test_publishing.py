"""An export in a bucket takes the place of whatever is there by its names."""

import json
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from reporting.exports.formats import MAKER, MANIFEST
from reporting.exports.publish import _put_folder

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
