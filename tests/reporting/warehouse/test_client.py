"""What the client sends of a file."""

import io

import pytest
from google.resumable_media.requests import ResumableUpload

from reporting.settings import read_settings
from reporting.warehouse.client import UPLOAD_CHUNK, connect


def test_a_large_file_is_sent_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's client would hold a hundred megabytes of it at a time."""
    begun = []
    monkeypatch.setattr(ResumableUpload, "initiate", lambda self, *arguments, **options: begun.append(self))
    client = connect(read_settings({"BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1"}))
    upload, _ = client._initiate_resumable_upload(io.BytesIO(b"x"), {}, None, None)
    assert begun == [upload]
    assert upload.chunk_size == UPLOAD_CHUNK < 10_000_000
