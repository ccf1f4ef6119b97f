"""How HubSpot words an error: https://developers.hubspot.com/docs/api-reference/error-handling"""

import random
import uuid
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

CATEGORIES = {
    400: "VALIDATION_ERROR",
    401: "INVALID_AUTHENTICATION",
    403: "MISSING_SCOPES",
    404: "OBJECT_NOT_FOUND",
    409: "CONFLICT",
    423: "LOCKED",
    429: "RATE_LIMITS",
}


class ApiError(Exception):
    """An answer other than a success."""

    def __init__(self, status: int, message: str, more: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.more = status, more or {}


def error(
    status: int, message: str, more: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An error's answer; a gateway's is a page."""
    if status in (502, 504):
        return HTMLResponse(f"<html><body><h1>{status}</h1></body></html>", status)
    body = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": CATEGORIES.get(status, "INTERNAL_ERROR"),
        **(more or {}),
    }
    return JSONResponse(body, status, headers)


def rate_limited(policy: str) -> Response:
    """A 429 names the policy that was exceeded, and seldom says when to come back."""
    more = {"errorType": "RATE_LIMIT", "policyName": policy}
    return error(429, f"You have reached your {policy.lower()} limit.", more)


class HubSpotDialect:
    """What faults look like when HubSpot has them."""

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error with this status."""
        if status == 429 and not headers:
            return rate_limited("TEN_SECONDLY_ROLLING")
        return error(status, message, headers=headers)

    def other_page(self, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
        """A list's answer without its records, or in another order; a cursor is where the next page begins."""
        rows = answer.get("results")
        if rows and kind == "shuffled":
            random.Random(len(rows)).shuffle(rows)
        elif rows and kind in ("empty_page", "page_twice"):
            again = answer.get("repeat") or rows[0]["id"]
            answer = {**answer, "paging": {"next": {"after": again}}}
            if kind == "empty_page":
                answer["results"] = []
        return answer
