"""How one page of an answer leads to the next, declared or found in the first answer.

Each way is a small frozen class with `following`: the request after the one that was answered, or None at the end. A request is
an address and parameters, and so can be kept as the place where a read goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from reporting.sources.rest.fields import ABSENT, field

# How APIs name where the next page is. A cursor goes into the parameter beside it.
ADDRESSES = (
    "next",
    "links.next",
    "_links.next.href",
    "_links.next",
    "paging.next",
    "pagination.next",
    "@odata.nextLink",
)
CURSORS = (
    ("next_cursor", "cursor"),
    ("nextCursor", "cursor"),
    ("meta.next_cursor", "cursor"),
    ("pagination.next_cursor", "cursor"),
    ("response_metadata.next_cursor", "cursor"),
    ("next_page_token", "page_token"),
    ("nextPageToken", "pageToken"),
    ("paging.next.after", "after"),
)
TOTALS = ("total", "total_count", "totalCount", "meta.total", "meta.total_count", "pagination.total", "count")
# An answer with just so many records was probably cut there.
USUAL_SIZES = frozenset({20, 25, 30, 50, 100, 200, 250, 500, 1000})


class PagingError(Exception):
    """An answer that does not lead to the next page as it should; the message says how."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: an address below the source's base, and parameters. It holds no secret."""

    address: str
    parameters: Mapping[str, str]

    def with_parameter(self, name: str, value: object) -> "Request":
        """The same with one parameter set."""
        return replace(self, parameters={**self.parameters, name: str(value)})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the body, its records, the key of each, and the address in the header `Link`."""

    body: Any
    records: list[Any]
    keys: list[str]
    link: str | None = None


class Paging(Protocol):
    """A way from one page to the next. `is_stable` says that a read may go on there although records came or went."""

    is_stable: ClassVar[bool]

    def first(self, request: Request) -> Request:
        """The first request."""

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The request after `request`, which `answer` came for. Raises `PagingError`."""


class _Stable:
    is_stable: ClassVar[bool] = True

    def first(self, request: Request) -> Request:
        """The first request."""
        return request


@dataclass(frozen=True)
class SinglePage(_Stable):
    """Everything is in one answer."""

    def following(self, request: Request, answer: Answer) -> Request | None:
        """Nothing follows."""
        return None


@dataclass(frozen=True)
class LinkHeader(_Stable):
    """The header `Link` has the next address, as `rel="next"` (RFC 8288)."""

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The address in the header; the last page has none."""
        return Request(answer.link, {}) if answer.link else None


@dataclass(frozen=True)
class NextAddress(_Stable):
    """The field `field` of the body is the next address; it is empty or not there at the end."""

    field: str = "next"

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The address in the body."""
        found = field(answer.body, self.field)
        if found in (ABSENT, None, "", False):
            return None
        if not isinstance(found, str):
            raise PagingError(f"the field '{self.field}' is {_kind(found)}, and no address")
        return Request(found, {})


@dataclass(frozen=True)
class NextCursor(_Stable):
    """The field `field` of the body goes into the parameter `parameter` of the next request; at the end it is empty.

    Where an API gives a cursor at the end, too, `more` is the field that says whether there is more.
    """

    field: str = "next_cursor"
    parameter: str = "cursor"
    more: str | None = None

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The same request with the next cursor."""
        found = field(answer.body, self.field)
        if (
            found in (ABSENT, None, "")
            or found is False
            or not (self.more is None or _flag(answer.body, self.more))
        ):
            return None
        if not isinstance(found, str | int) or isinstance(found, bool):
            raise PagingError(f"the field '{self.field}' is {_kind(found)}, and no cursor")
        before = request.parameters.get(self.parameter, "")
        if str(found).isdecimal() and before.isdecimal() and int(found) < int(before):
            raise PagingError(f"the cursor in '{self.field}' goes backwards")
        return request.with_parameter(self.parameter, found)


@dataclass(frozen=True)
class AfterLast(_Stable):
    """The key of the last record goes into `parameter`, while the field `more` says that there is more."""

    parameter: str = "starting_after"
    more: str = "has_more"

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The same request after the last record."""
        has_more = _flag(answer.body, self.more)
        if has_more and not answer.keys:
            raise PagingError(f"'{self.more}' says that there is more, after a page without records")
        return request.with_parameter(self.parameter, answer.keys[-1]) if has_more else None


@dataclass(frozen=True)
class Offset:
    """How many records to leave out goes into `parameter`. It ends with an empty page, or at the field `total`.

    A page that is shorter than it was asked for is no end: many APIs give fewer records than one asks for.
    """

    parameter: str = "offset"
    total: str | None = None
    is_stable: ClassVar[bool] = False

    def first(self, request: Request) -> Request:
        """The first request."""
        return request.with_parameter(self.parameter, 0)

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The same request further on."""
        offset = int(request.parameters[self.parameter]) + len(answer.keys)
        is_end = not answer.keys or (self.total is not None and offset >= _count(answer.body, self.total))
        return None if is_end else request.with_parameter(self.parameter, offset)


@dataclass(frozen=True)
class PageNumber:
    """The number of the page goes into `parameter`. It ends with an empty page, or at the number in the field `pages`."""

    parameter: str = "page"
    begins_at: int = 1
    pages: str | None = None
    is_stable: ClassVar[bool] = False

    def first(self, request: Request) -> Request:
        """The first request."""
        return request.with_parameter(self.parameter, self.begins_at)

    def following(self, request: Request, answer: Answer) -> Request | None:
        """The same request with the next number."""
        number = int(request.parameters[self.parameter]) + 1
        is_end = not answer.keys or (
            self.pages is not None and number - self.begins_at >= _count(answer.body, self.pages)
        )
        return None if is_end else request.with_parameter(self.parameter, number)


def found_in(answer: Answer) -> Paging:
    """The way to the next page that the first answer shows.

    Raises `PagingError` where it shows none although there seems to be more than one page.
    """
    if answer.link:
        return LinkHeader()
    for path, parameter in CURSORS:
        if field(answer.body, path) is not ABSENT:
            has_flag = isinstance(field(answer.body, "has_more"), bool)
            return NextCursor(path, parameter, "has_more" if has_flag else None)
    for path in ADDRESSES:
        value = field(answer.body, path)
        if value is None or (isinstance(value, str) and value.startswith(("http://", "https://", "/", "?"))):
            return NextAddress(path)
        if isinstance(value, str):
            raise PagingError(
                f"the field '{path}' is no address and may be a cursor, whose parameter is not known"
            )
    if isinstance(field(answer.body, "has_more"), bool):
        return AfterLast()
    count = len(answer.records)
    totals = [value for path in TOTALS if type(value := field(answer.body, path)) is int]
    if any(total > count for total in totals):
        raise PagingError(
            f"it says that there are more than the {count} records that it has, and not how to get them"
        )
    if count in USUAL_SIZES and not totals:
        raise PagingError(
            f"it has exactly {count} records, as a page often has, and does not say whether there are more"
        )
    return SinglePage()


def _flag(body: Any, path: str) -> bool:
    found = field(body, path)
    if not isinstance(found, bool):
        raise PagingError(f"the field '{path}' is {_kind(found)}, and neither true nor false")
    return found


def _count(body: Any, path: str) -> int:
    found = field(body, path)
    if not isinstance(found, int) or isinstance(found, bool):
        raise PagingError(f"the field '{path}' is {_kind(found)}, and no count")
    return found


def _kind(value: Any) -> str:
    """What came, by its type in JSON alone."""
    if value is ABSENT:
        return "not there"
    names = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
    }
    return "null" if value is None else names.get(type(value), "something else")
