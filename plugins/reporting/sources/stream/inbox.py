"""Reads the inbox: the landings that the web server writes of accepted requests, one folder each, below the landing's own address.

{landing}/inbox/{entity}/inbox-{entity}-{request}-{time}/part-00000.ndjson.gz
{landing}/inbox/{entity}/inbox-{entity}-{request}-{time}/manifest.json
"""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from reporting.settings import Settings
from reporting.sources.base import SourceUnavailableError
from reporting.sources.fast_json import loads
from reporting.storage.files import open_folder

INBOX = "inbox"
TIME = "%Y%m%dT%H%M%S%f"
WHOLE = "manifest.json"


class Inbox:
    """The accepted requests of one stream."""

    def __init__(self, settings: Settings, entity: str) -> None:
        self._files, root = open_folder(settings.landing_uri, settings.google_key)
        self._path = f"{root}/{INBOX}/{entity}"

    def requests(self) -> list[tuple[datetime, str]]:
        """When each request was accepted, and its folder, the oldest first. One that was not written whole was not answered."""
        try:
            found = self._files.ls(self._path, detail=True)
        except FileNotFoundError:
            return []
        names = [each["name"].rstrip("/") for each in found if each["type"] == "directory"]
        return sorted((at, each) for each in names if (at := _time_of(each)) is not None)

    def payloads(self, folder: str) -> Iterator[dict[str, Any]]:
        """The payloads of one request; none if it was not written whole. Raises `SourceUnavailableError` if it is damaged."""
        if not self._files.exists(f"{folder}/{WHOLE}"):
            return
        try:
            for each in sorted(self._files.ls(folder, detail=False)):
                if each.endswith(".ndjson.gz"):
                    with self._files.open(each, "rb") as raw, gzip.open(raw, "rb") as lines:
                        for line in lines:
                            yield loads(line)["payload"]
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise SourceUnavailableError(
                f"{folder} cannot be read ({type(error).__name__}). Look at the disk or bucket; if it is damaged, move that "
                "folder away, and have its sender send it again."
            ) from None

    def remove(self, folder: str) -> None:
        """Remove one request, which was loaded long ago."""
        self._files.rm(folder, recursive=True)


def _time_of(folder: str) -> datetime | None:
    try:
        return datetime.strptime(f"{folder.rpartition('-')[2]}+0000", f"{TIME}%z").astimezone(UTC)
    except ValueError:
        return None
