"""Files are whole or as they were, and a bucket knows what they are."""

from pathlib import Path
from typing import Any

import fsspec
import pytest

from reporting.files import write_whole


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
