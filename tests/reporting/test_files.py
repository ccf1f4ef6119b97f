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

    def makedirs(self, path: str, exist_ok: bool) -> None:
        """A bucket has no folders."""

    def pipe_file(self, path: str, content: bytes, **more: Any) -> None:
        """Note a write."""
        self.asked.append((path, more))

    def mv(self, path: str, other: str) -> None:
        """Note a move."""
        self.asked.append((f"{path} to {other}", {}))


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
    (written, given), (moved, _) = bucket.asked
    assert given == more
    assert moved == f"{written} to site/{name}"


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
