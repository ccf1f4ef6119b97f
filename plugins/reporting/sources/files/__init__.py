"""Files in a folder or a bucket: CSV, TSV, JSON, NDJSON, Parquet, Excel, vCards and calendars, one raw table per declared pattern.

The project declares no table of it. A package in `sources/own` does, in a few lines: docs/guides/files.md begins with one.
"""

from reporting.entity import Property
from reporting.sources.base import Source
from reporting.sources.files.declare import DeclarationError, FileTable

__all__ = ["SOURCE", "DeclarationError", "FileTable", "Property"]

SOURCE = Source(
    name="files",
    title="Files",
    package=__name__,
    entities=(),
    needs="the address of a folder or a bucket as its password",
    advice="Run script/connect files; docs/guides/files.md says how its tables are declared.",
    when_stale="whether the folder of the connection files is still there",
)
