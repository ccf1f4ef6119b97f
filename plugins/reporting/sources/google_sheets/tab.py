"""Converts the values of a tab to records, and finds the tab that a setting names."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reporting.settings import PREFIX
from reporting.sources.base import Record, SourceError, digest_of
from reporting.sources.google_sheets.entities import SheetTab

# If the tab has a column with this name, it is the key of the rows.
ID = "id"
# Increase this when the conversion of a record to a row changes, so that existing rows are loaded again.
ROW_VERSION = 3
SPREADSHEET_ID = re.compile(r"[A-Za-z0-9_-]{10,}")
LINK = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([^/]+)")


class SheetError(SourceError):
    """A tab, or a setting about it, is wrong. The message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Names a tab of a spreadsheet: by title, by the number in its link, or the first tab if both are None."""

    spreadsheet_id: str
    title: str | None = None
    sheet_id: int | None = None

    @classmethod
    def parse(cls, entity: SheetTab, text: str) -> "Address":
        """Parse a link or an id. A title after `!` names another tab of the same spreadsheet. Raises `SheetError`."""
        place, _, title = text.strip().partition("!")
        found = LINK.search(place)
        spreadsheet_id = found.group(1) if found else place.strip()
        if not SPREADSHEET_ID.fullmatch(spreadsheet_id):
            raise SheetError(
                f"{name_of(entity)} does not name a spreadsheet. It takes the link of a tab from the browser, or the id of "
                "the spreadsheet. To read another tab, add an exclamation mark and the tab's title."
            )
        parts = urlsplit(place)
        number = next(iter(parse_qs(parts.fragment).get("gid", parse_qs(parts.query).get("gid", ()))), "")
        return cls(
            spreadsheet_id, title.strip() or None, int(number) if number.isdecimal() and not title else None
        )


@dataclass(frozen=True, slots=True)
class Header:
    """The first row of a tab: the position of each column that the entity knows, and the names of all others by position.

    `repeated` has a sentence about each column that occurs twice.
    """

    places: Mapping[str, int]
    others: Mapping[int, str]
    id_place: int | None
    repeated: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the entity's columns that exist, and then of the others."""
        return [*self.places, *self.others.values()]


def name_of(entity: SheetTab) -> str:
    """The variable that names the tab of the entity."""
    return f"{PREFIX}NAME_{entity.table.upper()}"


def header_of(entity: SheetTab, row: Sequence[Any], tab: str, renamed: Mapping[str, str]) -> Header:
    """Read the first row. `renamed` gives the names of the entity's columns in the sheet where these differ.

    Names are compared without case and spaces. If several columns have the same name, the first one is used, and the letter of
    the column is added to the names of the others. Raises `SheetError` if a required column or `id` occurs twice, or if a
    required column is missing.
    """
    wanted = {_key(renamed.get(name, name)): name for name in entity.columns}
    if unknown := sorted(set(renamed) - set(entity.columns)):
        raise SheetError(
            f"{columns_variable(entity)} names '{unknown[0]}', which is not a column of {entity.table}. Use "
            f"{', '.join(entity.columns)}."
        )
    places: dict[str, int] = {}
    others: dict[int, str] = {}
    seen: dict[str, int] = {}
    repeated: list[str] = []
    for place, cell in enumerate(row):
        name = str(cell).strip()
        if not name:
            continue
        if _key(name) in seen:
            said = (
                f"the tab '{tab}' has the column '{name}' twice ({_letter(seen[_key(name)])} and {_letter(place)}). Give "
                "one of them another name"
            )
            if _key(name) == ID or wanted.get(_key(name)) in entity.required:
                raise SheetError(f"{said}; nothing was loaded.")
            repeated.append(said)
            others[place] = f"{name} ({_letter(place)})"
            continue
        seen[_key(name)] = place
        if _key(name) in wanted:
            places[wanted[_key(name)]] = place
        elif _key(name) != ID:
            others[place] = name
    lacking = [name for name in entity.required if name not in places]
    if lacking:
        known = ", ".join(f"'{str(cell).strip()}'" for cell in row if str(cell).strip()) or "nothing"
        raise SheetError(
            f"the tab '{tab}' lacks the column {', '.join(repr(renamed.get(name, name)) for name in lacking)} of "
            f"{entity.table}; its first row has {known}. Rename the column back, or set its new name in "
            f"{columns_variable(entity)} ({lacking[0]}=NAME); nothing was loaded."
        )
    known_places = {name: places[name] for name in entity.columns if name in places}
    return Header(known_places, _apart(others), seen.get(ID), tuple(repeated))


def _apart(names: Mapping[int, str]) -> dict[int, str]:
    """The names, with the letter of the column added to a name that occurs again."""
    found: dict[int, str] = {}
    for place, name in names.items():
        while name in found.values():
            name = f"{name} ({_letter(place)})"
        found[place] = name
    return found


def columns_variable(entity: SheetTab) -> str:
    """The variable with the names of the entity's columns in the sheet."""
    return f"{PREFIX}COLUMNS_{entity.table.upper()}"


def renamed_columns(entity: SheetTab, text: str | None) -> dict[str, str]:
    """The names in a setting such as `date=Datum, amount=Betrag`. Raises `SheetError`."""
    found = {}
    for part in filter(None, (text or "").split(",")):
        name, sign, renamed = (each.strip() for each in part.partition("="))
        if not (name and sign and renamed):
            raise SheetError(f"{columns_variable(entity)} takes NAME=NAME IN THE SHEET, separated by commas.")
        found[name] = renamed
    return found


def records_of(
    entity: SheetTab, header: Header, rows: Sequence[Sequence[Any]], tab: str, locale: str
) -> Iterator[Record]:
    """The rows after the first one as records, without rows in which all of the entity's columns are empty.

    The key is the cell of the column `id`, if there is one. Otherwise the key is a hash of the entity's columns, together with
    a number that counts rows with equal content. Then an edit of one of these columns appears as one row that is gone and one
    that is new; an edit of another column is a change of the row.
    Raises `SheetError` if two rows have the same id.
    """
    met: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        values = {name: row[place] for name, place in header.places.items() if _is_filled(row, place)}
        if not values:
            continue
        if header.id_place is None:
            digest = _digest(values)
            met[digest] = met.get(digest, 0) + 1
            key: str | None = f"{digest}-{met[digest]}"
        else:
            key = _id(row[header.id_place]) if _is_filled(row, header.id_place) else None
            if key in met:
                raise SheetError(
                    f"rows {met[key]} and {number} of the tab '{tab}' have the same id. Give one another; nothing was loaded."
                )
            if key is not None:
                met[key] = number
        others = {name: row[place] for place, name in header.others.items() if _is_filled(row, place)}
        yield Record({"id": key, "locale": locale, "columns": values, "others": others})


def content_hash(record: Record) -> str:
    """The SHA-256 of a row. The spreadsheet's locale is included, since texts are read according to it."""
    return digest_of(record.payload, ROW_VERSION)


def _digest(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _id(cell: Any) -> str:
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if is_whole else cell).strip()


def _is_filled(row: Sequence[Any], place: int) -> bool:
    return place < len(row) and str(row[place]).strip() != ""


def _key(name: str) -> str:
    return re.sub(r"\s+", "", name).casefold()


def _letter(place: int) -> str:
    """The name of a column in a sheet: 0 is A, 26 is AA."""
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
