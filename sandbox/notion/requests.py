"""What a request says: its body, and which page of a list it asks for."""

import json
from typing import Any, Never

from starlette.datastructures import QueryParams
from starlette.requests import Request

from sandbox.notion.errors import ApiError
from sandbox.notion.values import Json

PAGE_SIZE = 100


async def body_of(request: Request) -> Json:
    """The body as an object. Raises `ApiError` where it is none."""
    try:
        body = json.loads(await request.body() or b"{}", parse_constant=_no_constant)
    except ValueError:
        raise ApiError(400, "Error parsing JSON body.", "invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "body failed validation: body should be an object")
    return body


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def numbered(given: QueryParams) -> Json:
    """The parameters of a query string, with the page size as a number where it is one."""
    size = given.get("page_size", "")
    return {**given, "page_size": int(size)} if size.isdecimal() else dict(given)


def page_size(given: Json) -> int:
    """How many results a page has at the most. Raises `ApiError` where that is no number that Notion takes."""
    size = given.get("page_size")
    if size is None:
        return PAGE_SIZE
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= PAGE_SIZE:
        raise ApiError(400, f"body failed validation: page_size should be a number from 1 to {PAGE_SIZE}")
    return size


def list_of(results: list[Any], kind: str) -> Json:
    """The form of a list, with these as its only page."""
    return {
        "object": "list",
        "results": results,
        "next_cursor": None,
        "has_more": False,
        "type": kind,
        kind: {},
    }


def listed(found: list[Any], given: Json, kind: str) -> Json:
    """One page of a list whose cursors are positions."""
    size, cursor = page_size(given), given.get("start_cursor") or "0"
    if not str(cursor).isdecimal() or int(cursor) > len(found):
        raise ApiError(400, "The start_cursor provided is invalid.")
    first = int(cursor)
    answer = list_of(found[first : first + size], kind)
    if first + size < len(found):
        answer |= {"has_more": True, "next_cursor": str(first + size)}
    return answer
