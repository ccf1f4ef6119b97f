"""Reads Excel workbooks and Parquet files, one row after another. Their packages are imported when such a file is met."""

import base64
import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice, zip_longest
from typing import Any

from reporting.sources.base import SourceError
from reporting.sources.files.content import Content, UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.delimited import HEADER_WITHIN
from reporting.sources.files.parts import MOST_COLUMNS, Header, Part, header_of, is_deep, lacking
from reporting.sources.http import LONGEST_ANSWER

# What the parts of a workbook may unpack to, together; its texts and styles are held in memory, and so may have less.
LARGEST_BOOK = 2**30
MOST_PARTS = 10_000
MOST_ROWS = 1_048_576
# What a group of rows of a Parquet file may unpack to.
LARGEST_GROUP = 2**30
FORMULA = "has a formula without a result in column {}; open the workbook, and save it"


class BookParser:
    """One sheet of an Excel workbook; a `Parser`. Formulas are never computed: their last result is read."""

    is_ended = True

    def __init__(self, table: FileTable, content: Content) -> None:
        self._table, self._content = table, content
        self.digest = content.digest()
        _check_zip(content)
        self._header_row, self._header = self._found_header()
        self.found = f"the sheet '{table.sheet}'" if table.sheet else "the first sheet"

    def parts(self) -> Iterator[Part]:
        """A record for each row that is not empty."""
        with closing(self._rows()) as rows:
            for number, cells in rows:
                if number <= self._header_row:
                    continue
                values = [_of_cell(result) for result, _ in cells]
                part = self._header.part(number, [*values, *[None] * (len(self._header.names) - len(values))])
                unknown = next(
                    (
                        place
                        for place, (result, is_formula) in enumerate(cells)
                        if is_formula and result is None
                    ),
                    None,
                )
                if unknown is not None and unknown < len(self._header.names):
                    yield Part(number, None, FORMULA.format(unknown + 1))
                elif part is not None:
                    yield part

    def _found_header(self) -> tuple[int, Header]:
        nearest: list[Any] = []
        with closing(self._rows()) as rows:
            for number, cells in islice(rows, HEADER_WITHIN):
                values = [result for result, _ in cells]
                if header := header_of(self._table, values):
                    return number, header
                nearest = max(
                    nearest, values, key=lambda each: len({*map(str, each)} & set(self._table.needed))
                )
        raise UnreadableError(
            f"lacks the column '{lacking(self._table, nearest)}' in its first {HEADER_WITHIN} rows"
        )

    def _rows(self) -> Generator[tuple[int, list[tuple[Any, bool]]]]:
        """The rows by number, each cell with its result and whether it is a formula."""
        load_workbook = _openpyxl()
        books = []
        try:
            # Results and formulas are two readings of the same cells.
            for has_results in (True, False):
                books.append(
                    load_workbook(
                        self._content.open(), read_only=True, data_only=has_results, keep_links=False
                    )
                )
            sheets = [self._sheet(each) for each in books]
            # What a workbook says of its own extent may be anything.
            for each in sheets:
                each.reset_dimensions()
            both = zip_longest(
                *(each.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS) for each in sheets), fillvalue=()
            )
            for number, (results, formulas) in enumerate(both, 1):
                yield (
                    number,
                    [
                        (result.value, formula.data_type == "f")
                        for result, formula in zip(results, formulas, strict=False)
                    ],
                )
        except (UnreadableError, GeneratorExit):
            raise
        except Exception as error:  # noqa: BLE001 (what a damaged workbook makes its reader raise is of no common kind)
            raise UnreadableError(f"is no Excel workbook, or is damaged ({type(error).__name__})") from None
        finally:
            for each in books:
                each.close()

    def _sheet(self, book: Any) -> Any:
        if self._table.sheet is None:
            return book.worksheets[0]
        if self._table.sheet not in book.sheetnames:
            raise UnreadableError(f"has no sheet '{self._table.sheet}'")
        return book[self._table.sheet]


class ParquetParser:
    """One Parquet file; a `Parser`."""

    is_ended = True

    def __init__(self, table: FileTable, content: Content) -> None:
        self._table, self._content = table, content
        self.digest = content.digest()
        self.found = "Parquet"
        names = self._file().schema_arrow.names
        header = header_of(table, names)
        if header is None:
            raise UnreadableError(f"lacks the column '{lacking(table, names)}'")
        self._header = header

    def parts(self) -> Iterator[Part]:
        """A record for each row, by its number."""
        file = self._file()
        number = 0
        try:
            for batch in file.iter_batches(batch_size=1000):
                for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    record = {
                        name: _of_cell(each) for name, each in zip(self._header.names, values, strict=True)
                    }
                    if is_deep(record):
                        yield Part(number, None, "has too many lists or structs within each other")
                    else:
                        yield Part(number, record)
        except Exception as error:  # noqa: BLE001 (of a damaged file, of several kinds)
            raise UnreadableError(f"is damaged ({type(error).__name__})") from None

    def _file(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError:
            raise SourceError(_not_installed("Parquet", "pyarrow")) from None
        try:
            file = parquet.ParquetFile(self._content.open())
            sizes = [file.metadata.row_group(place).total_byte_size for place in range(file.num_row_groups)]
        except Exception as error:  # noqa: BLE001 (of a damaged file, of several kinds)
            raise UnreadableError(f"is no Parquet file, or is cut off ({type(error).__name__})") from None
        if max(sizes, default=0) > LARGEST_GROUP:
            raise UnreadableError(f"has a group of rows of more than {LARGEST_GROUP // 2**30} GiB")
        return file


def _openpyxl() -> Any:
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise SourceError(_not_installed("Excel", "openpyxl")) from None
    return load_workbook


def _not_installed(kind: str, package: str) -> str:
    return f"{kind} files need the package {package}, which is not installed. Install it in .venv/airflow, and run it again."


def _check_zip(content: Content) -> None:
    try:
        parts = zipfile.ZipFile(content.open()).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise UnreadableError("is no Excel workbook, or is cut off") from None
    # zipfile never unpacks more of a part than is said here.
    if len(parts) > MOST_PARTS or sum(each.file_size for each in parts) > LARGEST_BOOK:
        raise UnreadableError(f"unpacks to more than {LARGEST_BOOK // 2**30} GiB, so it is not unpacked")
    if any(each.file_size > LONGEST_ANSWER and "/worksheets/" not in each.filename for each in parts):
        raise UnreadableError(
            f"has texts or styles of more than {LONGEST_ANSWER // 2**20} MiB, so it is not unpacked"
        )


def _of_cell(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, exact numbers as their digits, bytes in Base64."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            # As a number, whose separator nothing has to show; only more digits than it has stay text.
            return number if Decimal(repr(number := float(value))) == value else f"{value:f}"
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {str(name): _of_cell(each) for name, each in value.items()}
        case list() | tuple():
            return [_of_cell(each) for each in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
