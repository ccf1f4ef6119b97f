"""Where the site is: a folder or a bucket, through fsspec. It is written so that it always works.

Each file is written whole, first the assets, whose names change with their content, then the pages, the overview last, and
then what is no part of it any more is removed. `site.json` names the files that were written here, so that nothing else in
the folder is ever touched. A write that is cut off at any point leaves pages that work, and the next one completes it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from reporting.files import open_folder, write_whole
from reporting.google_key import GoogleKey
from reporting.settings import Settings

LISTING = "site.json"
FIRST = "index.html"
# All that is ever written, and so all that is ever read: no name leads out of the folder.
NAME = re.compile(r"[a-z]+(?:-[a-z]+)*\.html|assets/[a-z]+-[0-9a-f]{12}(?:\.min)?\.(?:css|js|svg)")


class Site:
    """The site at `uri`, a folder or bucket as `open_folder` takes it."""

    def __init__(self, uri: str, google_key: GoogleKey | None = None) -> None:
        self.uri = uri.rstrip("/")
        self._files, self._root = open_folder(self.uri, google_key)

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """Where these settings have the report written."""
        return cls(settings.site_uri, settings.google_key)

    @property
    def first(self) -> str:
        """The address of its first page."""
        return f"{self.uri}/{FIRST}"

    def write(self, files: Mapping[str, bytes]) -> None:
        """Make these, by their names, all that the site is. Raises `ValueError` for a name that it may not have."""
        for name in files:
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' is no name of a page or an asset.")
        before = self._listed()
        self._files.makedirs(f"{self._root}/assets", exist_ok=True)
        self._list(before | files.keys())
        for name, content in files.items():
            # An asset's name stands for its content.
            if not (name.startswith("assets/") and name in before and self._has(name, content)):
                write_whole(self._files, f"{self._root}/{name}", content)
        for name in sorted(before - files.keys()):
            with suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{name}")
        self._list(files.keys())

    def read(self, name: str) -> bytes | None:
        """A file of the site; None when there is none of that name."""
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
        """What was written here before, by names that may be removed."""
        try:
            names = json.loads(self._files.cat_file(f"{self._root}/{LISTING}"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return set()
        return {name for name in names if isinstance(name, str) and NAME.fullmatch(name)}

    def _list(self, names: Iterable[str]) -> None:
        write_whole(self._files, f"{self._root}/{LISTING}", json.dumps(sorted(names)).encode())
