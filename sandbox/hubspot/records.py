"""What the endpoints share: the type and the record that a request names, and its body."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.hubspot.errors import ApiError
from sandbox.hubspot.schema import SCOPES, SINGULAR, TYPES, Json
from sandbox.hubspot.store import Store, iso, now_ms


class Records:
    """Finds what a request names in `store`. Raises `ApiError` where the token has no scope for it; None is all scopes."""

    def __init__(self, store: Store, scopes: frozenset[str] | None) -> None:
        self.store, self.scopes = store, scopes

    def kind(self, request: Request) -> str:
        """The type in the path."""
        return self.allowed(request.path_params["kind"])

    def allowed(self, kind: str) -> str:
        """The type of that name, plural or singular."""
        plural = next((each for each in TYPES if kind in (each, SINGULAR[each])), None)
        if plural is None:
            raise ApiError(404, f"Unable to infer object type from: {kind}")
        self.check_scope(plural)
        return plural

    def check_scope(self, name: str) -> None:
        """Raise `ApiError` where the token may not read what has this name."""
        scope = SCOPES[name]
        if self.scopes is not None and scope not in self.scopes:
            said = {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
            raise ApiError(
                403, "This app hasn't been granted all required scopes to make this call.", {"errors": [said]}
            )

    def known(self, kind: str, key: Any) -> Json:
        """The record with that id; one that was merged leads to the winner."""
        record = self.store.record(kind, id_of(key))
        if record is not None and record["merged_into"] is not None:
            record = self.store.record(kind, record["merged_into"])
        if record is None:
            raise ApiError(404, "resource not found")
        return record


async def body_of(request: Request) -> Json:
    """The body as an object. Raises `ApiError` where it is none."""
    body = json.loads(await request.body() or b"{}")
    if not isinstance(body, dict):
        raise ApiError(400, "Invalid input JSON")
    return body


def batch_of(results: list[Json], errors: list[Json]) -> Response:
    """The answer to a batch: 207 when there are errors."""
    at = iso(now_ms())
    answer: Json = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
    if not errors:
        return JSONResponse(answer)
    return JSONResponse({**answer, "numErrors": len(errors), "errors": errors}, 207)


def id_of(given: Any) -> int:
    """An id as a number; one that is none belongs to no record."""
    text = str(given)
    return int(text) if text.isdecimal() and len(text) < 19 else -1
