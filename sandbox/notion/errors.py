"""How Notion words an error: https://developers.notion.com/reference/status-codes"""

import random
import uuid
from typing import Any, Never
from urllib.parse import unquote

from starlette.responses import HTMLResponse, JSONResponse, Response

ERROR_CODES = {
    400: "validation_error",
    401: "unauthorized",
    403: "restricted_resource",
    404: "object_not_found",
    409: "conflict_error",
    429: "rate_limited",
    500: "internal_server_error",
    503: "service_unavailable",
    504: "gateway_timeout",
    529: "service_overload",
}


def error(
    status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An error as Notion words it; 502 is a proxy's page."""
    if status == 502:
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    body = {
        "object": "error",
        "status": status,
        "code": code or ERROR_CODES.get(status, "internal_server_error"),
        "message": message,
        "request_id": str(uuid.uuid4()),
    }
    return JSONResponse(body, status, headers)


class NotionDialect:
    """What faults look like when Notion has them."""

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error with this status."""
        return error(status, message, headers=headers)

    def other_page(self, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
        """A query's answer without its rows, again, or in another order."""
        rows = answer.get("results")
        if rows and kind == "shuffled":
            random.Random(len(rows)).shuffle(rows)
        elif rows and kind == "empty_page":
            # The cursor leads to the first row that was held back.
            answer |= {"results": [], "has_more": True, "next_cursor": rows[0]["id"]}
        elif rows and kind == "page_twice":
            answer |= {"has_more": True, "next_cursor": rows[0]["id"]}
        return answer


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def raise_not_found(what: str, key: str) -> Never:
    """Refuse what asks for something that is not there."""
    raise ApiError(
        404,
        f"Could not find {what} with ID: {unquote(key)}. Make sure the relevant pages and databases are shared with "
        "your integration.",
        "object_not_found",
    )
