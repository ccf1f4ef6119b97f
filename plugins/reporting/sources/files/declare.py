"""What is declared of a table of files. Every mistake is a `DeclarationError` when its package is imported."""

import codecs
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

from reporting.entity import Entity, Property
from reporting.naming import DagId

Format = Literal["csv", "tsv", "json", "ndjson", "parquet", "xlsx", "vcf", "ics"]
# By the end of a file's name, without `.gz`.
ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".vcf": "vcf",
    ".ics": "ics",
}
FORMATS = tuple(dict.fromkeys(ENDINGS.values()))
# These have the names of their columns in one place, so that a file which lacks one is another file.
WITH_HEADER: tuple[Format, ...] = ("csv", "tsv", "parquet", "xlsx")
GZIP = ".gz"
NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# What every table of files has, and what staging models add.
PLACE = {
    "source_file": Property("text", "File that the record is in, below the folder of the connection."),
    "source_line": Property(
        "number", "Line of the file at which it begins; its number where a file has no lines."
    ),
}
REJECT_REASON = "reject_reason"
RESERVED = frozenset(
    [
        *PLACE,
        REJECT_REASON,
        "id",
        "record_id",
        "is_deleted",
        "deleted_reason",
        "extracted_at",
        "deleted_at",
        "uncastable_columns",
    ]
)


class DeclarationError(ValueError):
    """A declaration that cannot be meant; the message names the table, and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTable(Entity):
    """The files that `pattern` matches below the folder of the connection `files`, as one raw table.

    In `pattern`, `*` stands for a part of a name and `**` for any folders. `columns` has the columns by their names in the files
    (`Battery %` is the column `battery`), in JSON by paths (`due.date`), in vCards and calendars by properties (`fn`,
    `dtstart`). `required` are those that a file with a header must have, all of them without it.

    Without `key` a record is told apart by its file and its number there. `key` names the column, or columns, that tell records
    apart wherever they are; of records in several files that of the last file by name counts.
    `keeps_removed` keeps the rows of a file that is removed. `format`, `encoding`, `separator` and `locale` say what a file's name
    and content do not show; `locale` (`de_AT`) is how numbers and dates are written. `sheet` is the title of an Excel sheet (the
    first one without it), and `records` the path of the list in a JSON file (empty where the file is the list).
    """

    source: str = "files"
    page_size: int = 1000
    has_rejects: bool = True
    pattern: str
    columns: Mapping[str, Property] = field(hash=False)
    key: str | tuple[str, ...] = ()
    required: tuple[str, ...] | None = None
    keeps_removed: bool = False
    format: Format | None = None
    encoding: str | None = None
    separator: str | None = None
    locale: str | None = None
    sheet: str | None = None
    records: str = ""

    def __post_init__(self) -> None:
        if problem := next(_problems_of(self), None):
            raise DeclarationError(f"the table '{self.name}' of files: {problem}.")

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that make the key, by their names in the files; none where the place in the file does."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def has_lasting_keys(self) -> bool:
        """Whether a column makes the key. A place in a file is that of the next record when one is taken out before it."""
        return bool(self.keys)

    @property
    def staged(self) -> dict[str, Property]:
        """The columns of the raw table by name, as staging models are written from."""
        return PLACE | {column_of(name): each for name, each in self.columns.items()}

    @property
    def needed(self) -> tuple[str, ...]:
        """The names that the header of a file must have."""
        return tuple(dict.fromkeys((*self.keys, *(self.columns if self.required is None else self.required))))

    def format_of(self, name: str) -> Format | None:
        """The format of the file with that name; None where neither the declaration nor the name says it."""
        plain = name.removesuffix(GZIP)
        return self.format or ENDINGS.get(PurePosixPath(plain).suffix.lower())


@cache
def column_of(name: str) -> str:
    """The name of the column for `name` in a file: `Beträge (€)` is `betrage`, `dueDate` is `due_date`."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode()
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def _problems_of(each: FileTable) -> Iterator[str]:
    try:
        DagId("raw", each.source, each.name, "full")
    except ValueError:
        yield "a name has letters, digits and single underscores in lower case, and begins with a letter"
    parts = each.pattern.split("/")
    if not each.pattern or {"", ".", ".."} & set(parts) or "://" in each.pattern or "\\" in each.pattern:
        yield "its pattern is a path below the folder, such as battery/*.csv"
    if each.format not in (None, *FORMATS):
        yield f"its format is one of {', '.join(FORMATS)}"
    if each.separator is not None and (len(each.separator) != 1 or each.separator in '"\r\n'):
        yield "its separator is one character, and no quotation mark and no end of a line"
    if each.encoding is not None and not _is_encoding(each.encoding):
        yield f"'{each.encoding}' is no encoding that Python knows"
    if each.locale is not None and not _is_locale(each.locale):
        yield f"'{each.locale}' is no locale; one is written like de_AT"
    if not each.columns:
        yield "it has no columns"
    if unknown := sorted(set(each.required or ()) - set(each.columns)):
        yield f"'{unknown[0]}' is required and no column"
    met = set(RESERVED)
    for name in each.columns:
        column = column_of(name)
        if not NAME.fullmatch(column):
            yield f"'{name}' makes no name of a column"
        if column in met:
            yield f"the column '{column}' is there already (every table has {', '.join(sorted(RESERVED))})"
        met.add(column)


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


def _is_locale(name: str) -> bool:
    # Slow to import, and most tables declare none.
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(name.replace("-", "_")) is not None
    except (UnknownLocaleError, ValueError):
        return False
