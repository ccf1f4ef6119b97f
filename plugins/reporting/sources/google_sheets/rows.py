"""From the values of a tab to records, and from a setting to the tab that is meant."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reporting.entity import SheetTab
from reporting.settings import PREFIX
from reporting.sources.base import Record, SourceError

# A column of that name, if there is one, keys the rows.
ID = "id"
SPREADSHEET_ID = re.compile(r"[A-Za-z0-9_-]{10,}")
LINK = re.compile(r"/spreadsheets/(?:u/\d+/)?d/([^/]+)")


class SheetError(SourceError):
    """A tab is not as it has to be; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """A tab of a spreadsheet: by title, by the number in its link, or the first one when both are None."""

    spreadsheet_id: str
    title: str | None = None
    sheet_id: int | None = None

    @classmethod
    def parse(cls, entity: SheetTab, text: str) -> "Address":
        """The tab that a link or an id means, a title after `!` naming another one. Raises `SheetError`."""
        place, _, title = text.strip().partition("!")
        found = LINK.search(place)
        spreadsheet_id = found.group(1) if found else place.strip()
        if not SPREADSHEET_ID.fullmatch(spreadsheet_id):
            raise SheetError(
                f"{name_of(entity)} is no address of a spreadsheet. It takes the link of a tab from the browser, or the "
                "spreadsheet's id; and after either, if it is another tab, an exclamation mark and the tab's title."
            )
        parts = urlsplit(place)
        number = next(iter(parse_qs(parts.fragment).get("gid", parse_qs(parts.query).get("gid", ()))), "")
        return cls(
            spreadsheet_id, title.strip() or None, int(number) if number.isdecimal() and not title else None
        )


@dataclass(frozen=True, slots=True)
class Header:
    """The first row of a tab: the place of each column that the entity knows, and the names of all others by place."""

    places: Mapping[str, int]
    others: Mapping[int, str]
    id_place: int | None

    @property
    def names(self) -> list[str]:
        """The entity's columns that are there, and then the others."""
        return [*self.places, *self.others.values()]


def name_of(entity: SheetTab) -> str:
    """The variable that says which tab it is."""
    return f"{PREFIX}NAME_{entity.table.upper()}"


def header_of(entity: SheetTab, row: Sequence[Any], tab: str, renamed: Mapping[str, str]) -> Header:
    """Read the first row. `renamed` says what a column of the entity is called in the sheet, where it has another name.

    Names are compared without case and spaces. Raises `SheetError` for a column that is there twice, or not at all.
    """
    wanted = {_key(renamed.get(name, name)): name for name in entity.columns}
    if unknown := sorted(set(renamed) - set(entity.columns)):
        raise SheetError(
            f"{columns_variable(entity)} names '{unknown[0]}', which is no column of {entity.table}; it has "
            f"{', '.join(entity.columns)}."
        )
    places: dict[str, int] = {}
    others: dict[int, str] = {}
    seen: dict[str, int] = {}
    for place, cell in enumerate(row):
        name = str(cell).strip()
        if not name:
            continue
        if _key(name) in seen:
            raise SheetError(
                f"the tab '{tab}' has the column '{name}' twice ({_letter(seen[_key(name)])} and {_letter(place)}). Give "
                "one of them another name; nothing was loaded."
            )
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
            f"{entity.table}; its first row has {known}. Rename the column back, or say what it is called now in "
            f"{columns_variable(entity)} ({lacking[0]}=NAME); nothing was loaded."
        )
    return Header({name: places[name] for name in entity.columns if name in places}, others, seen.get(ID))


def columns_variable(entity: SheetTab) -> str:
    """The variable that says what the entity's columns are called in the sheet."""
    return f"{PREFIX}COLUMNS_{entity.table.upper()}"


def renamed_columns(entity: SheetTab, text: str | None) -> dict[str, str]:
    """The names in a setting such as `date=Datum, amount=Betrag`. Raises `SheetError`."""
    found = {}
    for part in filter(None, (text or "").split(",")):
        name, sign, renamed = (each.strip() for each in part.partition("="))
        if not (name and sign and renamed):
            raise SheetError(f"{columns_variable(entity)} takes NAME=NAME IN THE SHEET, with commas between.")
        found[name] = renamed
    return found


def records_of(
    entity: SheetTab, header: Header, rows: Sequence[Sequence[Any]], tab: str, locale: str
) -> Iterator[Record]:
    """The rows after the first as records. One without anything in the entity's columns is empty.

    The key is the cell of the column `id` where there is such a column. Without it a row has no name that outlives an
    edit: the key is then a hash of the entity's columns, and the how-manieth row with these contents it is. So an edit
    of one of these is a row that is gone and another that is new, while one of another column is a change of the row.
    Raises `SheetError` where two rows have one id.
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
    """SHA-256 over a row; its locale is content, since texts are read by it."""
    text = json.dumps(record.payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
