"""Writes and reads the report's files in a folder or a bucket, so that the report works at every moment.

Each file is written atomically: first the assets, whose names change with their content, then the pages, the overview last.
Then files that are no longer part of the report are removed. `site.json` lists the files that were written here, so that other
files in the folder are never touched. After an interrupted write all pages still work, and the next write completes it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from reporting.google_key import GoogleKey
from reporting.settings import Settings
from reporting.storage.files import open_folder, write_whole

LISTING = "site.json"
FIRST = "index.html"
# The only names that are written or read. None of them can lead out of the folder.
NAME = re.compile(r"[a-z]+(?:-[a-z]+)*\.html|assets/[a-z]+-[0-9a-f]{12}(?:\.min)?\.(?:css|js|svg)")


class Site:
    """The report's files at `uri`, a folder or bucket as `open_folder` accepts it."""

    def __init__(self, uri: str, google_key: GoogleKey | None = None) -> None:
        self.uri = uri.rstrip("/")
        self._files, self._root = open_folder(self.uri, google_key)

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """The place that `settings` name for the report."""
        return cls(settings.site_uri, settings.google_key)

    @property
    def first(self) -> str:
        """The address of the first page."""
        return f"{self.uri}/{FIRST}"

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write these files, and remove those of an earlier report that are not among them. Raises `ValueError` for a name
        that is not allowed."""
        for name in files:
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' is not a valid name of a page or an asset.")
        before = self._listed()
        self._files.makedirs(f"{self._root}/assets", exist_ok=True)
        self._list(before | files.keys())
        for name, content in files.items():
            # The name of an asset contains the digest of its content, so one that exists need not be written again.
            if not (name.startswith("assets/") and name in before and self._has(name, content)):
                write_whole(self._files, f"{self._root}/{name}", content)
        for name in sorted(before - files.keys()):
            with suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{name}")
        self._list(files.keys())

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is no file of that name."""
        if not NAME.fullmatch(name):
            return None
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{name}")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        return content

    def _has(self, name: str, content: bytes) -> bool:
        try:
            return int(self._files.size(f"{self._root}/{name}")) == len(content)
        except FileNotFoundError:
            return False

    def _listed(self) -> set[str]:
        """The names of files that were written here before, and so may be removed."""
        try:
            names = json.loads(self._files.cat_file(f"{self._root}/{LISTING}"))
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            return set()
        if not isinstance(names, list):
            return set()
        return {name for name in names if isinstance(name, str) and NAME.fullmatch(name)}

    def _list(self, names: Iterable[str]) -> None:
        write_whole(self._files, f"{self._root}/{LISTING}", json.dumps(sorted(names)).encode())
