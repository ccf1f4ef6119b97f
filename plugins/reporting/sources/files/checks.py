"""The checks of files for `script/doctor` and `script/connect`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Finding, SourceError
from reporting.sources.files.content import UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.folder import File, Folder, folder_of
from reporting.sources.files.opening import WaitingError, look_through, opened

STEPS = """
Paste the address of the folder in which the files are: an absolute path, or a bucket such as gs://bucket/folder. It is not shown.
A bucket at gs:// is opened with the key of the connection bigquery; one at s3:// or dropbox:// needs fsspec's own package for it, and
takes its credentials from the environment. docs/guides/files.md says how a table is declared.
"""


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check the folder, and of each table the last file."""
    # The owner's own are known to the registry, which imports the sources.
    from reporting.sources.registry import SOURCES

    tables = cast(tuple[FileTable, ...], SOURCES["files"].entities)
    try:
        folder = folder_of(settings, token)
        folder.files("*")
    except SourceError as error:
        yield Finding("Files", False, str(error))
        return
    if not tables:
        yield Finding(
            "Files", True, "the folder can be read, and no table is declared: docs/guides/files.md says how."
        )
    for table in tables:
        configured = settings.names.get(table.table)
        if configured == SWITCHED_OFF:
            yield Finding(table.table, True, "is switched off.")
        else:
            yield _check_table(folder, table, configured or table.pattern)


def _check_table(folder: Folder, table: FileTable, pattern: str) -> Finding:
    try:
        files = folder.files(pattern)
        if not files:
            return Finding(table.table, True, f"no file matches {pattern} yet.")
        last = files[-1]
        with opened(folder, last) as raw:
            looked = look_through(table, last, raw, datetime.now(UTC), folder)
    except SourceError as error:
        return Finding(table.table, False, str(error))
    except (UnreadableError, WaitingError) as error:
        return Finding(table.table, False, f"{_matching(files, pattern)}; {last.name} {error}.")
    return Finding(table.table, True, f"{_matching(files, pattern)}; {last.name} has {looked.told()}.")


def _matching(files: list[File], pattern: str) -> str:
    return f"1 file matches {pattern}" if len(files) == 1 else f"{len(files)} files match {pattern}"
