"""Reads vCards (RFC 6350, and versions before) and calendars (RFC 5545): a record for each card, event, task or journal entry.

A record has the properties by name in lower case, with `_` for `-`: a text, or a list of them where a property is there more
than once. Their parameters are in `_parameters`. Pictures and other attachments are left out. Repetitions are not unrolled.
"""

import quopri
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from reporting.sources.base import SourceError
from reporting.sources.files.content import LONGEST_LINE, Content, UnreadableError
from reporting.sources.files.declare import FileTable
from reporting.sources.files.parts import Part

COMPONENTS = ("VCARD", "VEVENT", "VTODO", "VJOURNAL")
TIMES = ("DTSTART", "DTEND", "DUE", "DTSTAMP", "CREATED", "LAST-MODIFIED", "COMPLETED", "RECURRENCE-ID")
ATTACHMENTS = ("PHOTO", "LOGO", "SOUND", "KEY", "ATTACH", "IMAGE")
# Of one card or event, in characters; pictures are within them.
LARGEST_COMPONENT = 16 * 2**20
UNFINISHED = "does not end"


class CardParser:
    """One file of vCards or of a calendar; a `Parser`."""

    def __init__(self, table: FileTable, content: Content) -> None:
        self._content = content
        self._text = content.text(table.encoding)
        self.digest = self._text.digest
        self.found = str(self._text)
        self._is_unfinished = False
        if not any(line.upper().startswith("BEGIN:") for _, line in self._unfolded()):
            raise UnreadableError("has neither a vCard nor a calendar in it")

    @property
    def is_ended(self) -> bool:
        """Whether the last component ends; known when all parts were read once."""
        return self._text.is_ended and not self._is_unfinished

    def parts(self) -> Iterator[Part]:
        """A record for each component, by the line on which it begins."""
        contentline = _contentline()
        begun: tuple[int, str] | None = None
        within: list[str] = []
        record: dict[str, Any] = {}
        problem, size = "", 0
        for number, line in self._unfolded():
            word, _, name = line.strip().partition(":")
            word, name = word.upper(), name.strip().upper()
            if begun is None:
                if word == "BEGIN" and name in COMPONENTS:
                    begun, record, problem, size, within = (number, name), {}, "", 0, []
                continue
            size += len(line)
            if word == "BEGIN" and name in COMPONENTS:
                yield Part(begun[0], None, UNFINISHED)
                begun, record, problem, size, within = (number, name), {}, "", 0, []
            elif word == "BEGIN":
                within.append(name)
            elif word == "END" and within:
                within.pop()
            elif word == "END":
                kind = begun[1].lower()
                yield (
                    Part(begun[0], None, problem) if problem else Part(begun[0], {"component": kind} | record)
                )
                begun = None
            elif not within and not problem:
                problem = _TOO_LARGE if size > LARGEST_COMPONENT else _take(contentline, record, line)
        self._is_unfinished = begun is not None
        if begun is not None:
            yield Part(begun[0], None, UNFINISHED)

    def _unfolded(self) -> Iterator[tuple[int, str]]:
        """Lines with what goes on in the lines below them, which begin with a blank."""
        begun: list[str] = []
        first = size = 0
        for number, line in self._content.lines(self._text.encoding):
            plain = "\0" if line is None else line.rstrip("\r\n")
            is_soft = bool(begun) and begun[-1].endswith("=") and "QUOTED-PRINTABLE" in begun[0].upper()
            if begun and (plain.startswith((" ", "\t")) or is_soft):
                size += len(plain)
                if is_soft:
                    # The sign says only that the line goes on.
                    begun[-1] = begun[-1][:-1]
                # What is longer than any text is marked, and rejected with its component.
                begun.append((plain if is_soft else plain[1:]) if size <= LARGEST_COMPONENT else "\0")
                if size > LARGEST_COMPONENT:
                    begun = [begun[0][:100], "\0"]
                continue
            if begun:
                yield first, "".join(begun)
            begun, first, size = [plain], number, len(plain)
        if begun:
            yield first, "".join(begun)


_TOO_LARGE = f"has more than {LARGEST_COMPONENT // 2**20} MiB"


def _contentline() -> Any:
    try:
        from icalendar.parser import Contentline
    except ImportError:
        raise SourceError(
            "vCards and calendars need the package icalendar, which is not installed. Install it in .venv/airflow, and run it again."
        ) from None
    return Contentline


def _take(contentline: Any, record: dict[str, Any], line: str) -> str:
    """Add one property to the record, and return why that is not possible; empty where it is."""
    if not line.strip():
        return ""
    if "\0" in line:
        return f"has a property of more than {LONGEST_LINE} characters, or a NUL character"
    label = line.partition(":")[0].partition(";")[0].rpartition(".")[2].upper()
    if label in ATTACHMENTS:
        return ""
    try:
        _, parameters, value = contentline(line).parts()
        told = {str(name).upper(): each for name, each in parameters.items()}
        text = _value(label, told, str(value))
    except Exception:  # noqa: BLE001 (of several kinds, and their words hold the line)
        return "has a line that is no property"
    name = label.lower().replace("-", "_")
    if told:
        record.setdefault("_parameters", {}).setdefault(name, []).append(
            {key: _plain(each) for key, each in told.items()}
        )
    if name in record:
        held = record[name]
        record[name] = [*(held if isinstance(held, list) else [held]), text]
    else:
        record[name] = text
    return ""


def _value(label: str, parameters: dict[str, Any], value: str) -> str:
    if str(parameters.get("ENCODING", "")).upper() == "QUOTED-PRINTABLE":
        return quopri.decodestring(value.encode()).decode(str(parameters.get("CHARSET", "utf-8")))
    if label in TIMES:
        from icalendar.prop import vDDDTypes

        read: Any = vDDDTypes.from_ical
        zone = parameters.get("TZID")
        at = read(value, str(zone)) if zone else read(value)
        return at.isoformat() if isinstance(at, datetime | date) else value
    return value


def _plain(value: Any) -> Any:
    return [str(each) for each in value] if isinstance(value, list | tuple) else str(value)
