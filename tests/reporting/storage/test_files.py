"""Files are whole or as they were, and a bucket knows what they are."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from reporting.storage.files import put_whole, write_whole


class Bucket:
    """Notes what was asked of a bucket of Google's."""

    protocol = ("gs", "gcs")

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def pipe_file(self, path: str, content: bytes, **more: Any) -> None:
        """Note a write."""
        self.asked.append((path, more))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("index.html", {"content_type": "text/html"}),
        ("assets/report-1.css", {"content_type": "text/css"}),
        ("assets/echarts-1.min.js", {"content_type": "text/javascript"}),
        ("notes", {}),
    ],
)
def test_a_bucket_is_told_what_a_file_is(name: str, more: dict[str, str]) -> None:
    bucket = Bucket()
    write_whole(bucket, f"site/{name}", b"content")
    # An object appears when all of it is there: nothing is moved.
    assert bucket.asked == [(f"site/{name}", more)]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    files = fsspec.filesystem("file")
    path = tmp_path / "page.html"
    write_whole(files, str(path), b"before")
    with pytest.raises(TypeError):
        write_whole(files, str(path), 7)  # type: ignore[arg-type]  # what cannot be written
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(files, str(path), b"after")
    assert path.read_bytes() == b"after"


def test_a_private_file_is_private_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("file")
    made = tmp_path / "made"
    made.write_bytes(b"private")
    modes = []
    original = files.put_file

    def put(*arguments: Any) -> None:
        original(*arguments)
        modes.append(Path(arguments[1]).stat().st_mode & 0o777)

    monkeypatch.setattr(files, "put_file", put)
    for _ in range(2):
        put_whole(files, made, str(tmp_path / "kept" / "dump"), 0o600)
    assert modes == [0o600, 0o600]
    assert (tmp_path / "kept" / "dump").read_bytes() == b"private"
    assert (tmp_path / "kept" / "dump").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["dump"]
