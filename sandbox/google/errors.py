"""How Google words an error: https://google.aip.dev/193, and https://www.rfc-editor.org/rfc/rfc6749#section-5.2 for
the token endpoint.
"""

import random
from collections.abc import Callable
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

SERVICE = "people.googleapis.com"
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CREDENTIAL = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
EXPIRED_SYNC_TOKEN = "Sync token is expired. Clear local cache and retry call without the sync token."  # noqa: S105 (a sentence)
QUOTA = "Critical read requests (Contact and Profile Reads)"

Details = list[dict[str, Any]]


class ApiError(Exception):
    """An answer other than a success. `errors` is what APIs of the older kind have in place of `details`."""

    def __init__(
        self, status: int, message: str, details: Details | None = None, errors: Details | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.details, self.errors = status, details, errors


class OAuthError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status, self.code = status, code


def error_info(reason: str, domain: str = "googleapis.com", **metadata: str) -> Details:
    """The details of an error with a reason: https://google.aip.dev/193#errorinfo"""
    info: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
    return [info | ({"metadata": metadata} if metadata else {})]


def calendar_error(status: int, reason: str, message: str) -> ApiError:
    """An error of the Calendar API: https://developers.google.com/workspace/calendar/api/guides/errors"""
    return ApiError(status, message, errors=[{"domain": "calendar", "reason": reason, "message": message}])


def error(
    status: int,
    message: str,
    details: Details | None = None,
    headers: dict[str, str] | None = None,
    errors: Details | None = None,
) -> Response:
    """An error's answer; a gateway's is a page."""
    if status == 502:
        return HTMLResponse("<html><body><h1>502. That's an error.</h1></body></html>", status)
    body: dict[str, Any] = {
        "code": status,
        "message": message,
        "status": STATUSES.get(status, "INTERNAL" if status >= 500 else "FAILED_PRECONDITION"),
    }
    if errors:
        body = {"errors": errors, "code": status, "message": message}
    return JSONResponse({"error": body | ({"details": details} if details else {})}, status, headers)


def oauth_error(wrong: OAuthError) -> Response:
    """A refusal of the token endpoint."""
    return JSONResponse({"error": wrong.code, "error_description": str(wrong)}, wrong.status)


def expired_sync_token() -> ApiError:
    """What a sync token meets that is older than seven days: 400, and never 410."""
    return ApiError(400, EXPIRED_SYNC_TOKEN, error_info("EXPIRED_SYNC_TOKEN", SERVICE))


def unauthenticated(is_missing: bool) -> Response:
    """An API call without an access token, or with one that is unknown or expired."""
    if is_missing:
        text = f"Request is missing required authentication credential. {CREDENTIAL}"
        return error(401, text, error_info("CREDENTIALS_MISSING", service=SERVICE))
    challenge = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'}
    return error(401, f"Request had invalid authentication credentials. {CREDENTIAL}", headers=challenge)


def insufficient_scope() -> Response:
    """An API call with an access token that was not granted the scope."""
    details = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=SERVICE)
    return error(403, "Request had insufficient authentication scopes.", details)


def rate_limited(status: int, headers: dict[str, str] | None = None) -> Response:
    """A quota that is used up: 429 RESOURCE_EXHAUSTED, or 403 with the reason rateLimitExceeded."""
    if status == 403:
        text = "Rate Limit Exceeded"
        said = [{"message": text, "domain": "usageLimits", "reason": "rateLimitExceeded"}]
        body = {"code": 403, "message": text, "errors": said, "status": STATUSES[403]}
        return JSONResponse({"error": body}, 403, headers)
    text = (
        f"Quota exceeded for quota metric '{QUOTA}' and limit '{QUOTA} per minute per user' of service "
        f"'{SERVICE}' for consumer 'project_number:1'."
    )
    details = error_info(
        "RATE_LIMIT_EXCEEDED",
        service=SERVICE,
        consumer="projects/1",
        quota_metric=f"{SERVICE}/critical_read_requests",
        quota_limit="CriticalReadsPerMinutePerProjectPerUser",
    )
    return error(429, text, details, headers)


def full_sync_limited() -> ApiError:
    """The quota that the first page of a full sync has on top of the others."""
    violation = {"subject": "QUOTA_EXCEEDED", "description": "FBS quota limit exceeded"}
    failure = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
    return ApiError(429, "Resource has been exhausted (e.g. check quota).", [failure])


class GoogleDialect:
    """What faults look like when Google has them; `again` gives the token of the page that begins with a record."""

    def __init__(self, again: Callable[[str], str]) -> None:
        self._again = again

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        """An error with this status; 403 and 429 are those that a quota gives."""
        if status in (403, 429):
            return rate_limited(status, headers)
        return error(status, message, headers=headers)

    def other_page(self, kind: str, answer: dict[str, Any]) -> dict[str, Any]:
        """A list's answer without its rows, again, or in another order."""
        name = next((each for each in ("connections", "contactGroups", "items") if answer.get(each)), None)
        if name is None:
            return answer
        rows = answer[name]
        if kind == "shuffled":
            random.Random(len(rows)).shuffle(rows)
            return answer
        again = self._again(rows[0]["id" if name == "items" else "resourceName"])
        left = {key: value for key, value in answer.items() if key != "nextSyncToken"}
        return left | {"nextPageToken": again} | ({name: []} if kind == "empty_page" else {})
