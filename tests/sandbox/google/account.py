"""A running fake API, and somebody who may read its contacts.

Every answer of the API that is read here is checked against the schema that Google publishes for it.
"""

import importlib.resources
import json
import re
from collections.abc import Iterator
from typing import Any

from reporting.local.serving import Served
from sandbox.google import AUTHORIZED_USER
from tests.support.control import client

CONNECTIONS = "/v1/people/me/connections"
GROUPS = "/v1/contactGroups"
FIELDS = {"personFields": "metadata,names,emailAddresses"}
SYNC = {**FIELDS, "requestSyncToken": "true"}
CLIENT = {name: AUTHORIZED_USER[name] for name in ("client_id", "client_secret")}
REFRESH = {**AUTHORIZED_USER, "grant_type": "refresh_token"}


def document_of(api: str) -> Any:
    """What Google publishes of an API, as it is installed with Google's client."""
    path = importlib.resources.files("googleapiclient") / f"discovery_cache/documents/{api}.json"
    return json.loads(path.read_text())


DOCUMENT = document_of("people.v1")
CALENDAR_DOCUMENT = document_of("calendar.v3")
TYPES = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list}
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
# An older API writes a time as RFC 3339 has it, with an offset.
FORMATS = {
    "google-datetime": DATETIME,
    "date-time": re.compile(DATETIME.pattern.removesuffix("Z") + r"(Z|[+-]\d\d:\d\d)"),
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
}
PATHS = {
    r"/v1/people/[^/]+/connections": "ListConnectionsResponse",
    r"/v1/people:batchGet": "GetPeopleResponse",
    r"/v1/people/[^/]+": "Person",
    r"/v1/contactGroups": "ListContactGroupsResponse",
    r"/calendar/v3/users/me/calendarList": "CalendarList",
    r"/calendar/v3/calendars/[^/]+/events": "Events",
    r"/calendar/v3/calendars/[^/]+/events/[^/]+": "Event",
}


def violations(value: Any, schema: dict[str, Any], path: str = "", document: Any = DOCUMENT) -> Iterator[str]:
    """Where a value is not as a schema of a discovery document says: types, fields, enums and formats.

    https://developers.google.com/discovery/v1/type-format
    """
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    kind = schema["type"]
    if kind == "any":
        return
    if not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        yield f"{path}: {value!r} is no {kind}"
    elif kind == "array":
        for number, each in enumerate(value):
            yield from violations(each, schema["items"], f"{path}[{number}]", document)
    elif kind == "object":
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            if name in properties:
                yield from violations(each, properties[name], f"{path}.{name}", document)
            elif others:
                yield from violations(each, others, f"{path}.{name}", document)
            else:
                yield f"{path}: {name} is unknown"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value} is none of {schema['enum']}"
    elif schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
        yield f"{path}: {value} is no int32"
    elif schema.get("format") in FORMATS and not FORMATS[schema["format"]].fullmatch(value):
        yield f"{path}: {value} is no date and time"


class Account:
    """A running fake API, and somebody who may read its contacts."""

    def __init__(self, served: Served) -> None:
        self.address = served.address
        self.http = client(served)
        self.sign_in()

    def sign_in(self) -> None:
        """Get another access token."""
        answer = self.http.post("/token", data=REFRESH).raise_for_status().json()
        self.http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """An answer of the API, which is as Google's schema says."""
        answer = self.http.get(path, params=query).raise_for_status().json()
        name = next(name for pattern, name in PATHS.items() if re.fullmatch(pattern, path))
        document = CALENDAR_DOCUMENT if path.startswith("/calendar/") else DOCUMENT
        assert list(violations(answer, {"$ref": name}, document=document)) == []
        return answer

    def refusal(self, path: str, **query: Any) -> tuple[int, dict[str, Any]]:
        """The status and the error of an answer that is none."""
        answer = self.http.get(path, params=query)
        return answer.status_code, answer.json()["error"]

    def listed(self, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """Every page of the connections, and the sync token of the last."""
        return self.pages(CONNECTIONS, "connections", **FIELDS | query)

    def pages(self, path: str, name: str, **query: Any) -> tuple[list[dict[str, Any]], str | None]:
        """Every page of a list from the one asked for, and the sync token of the last."""
        found = []
        while True:
            answer = self.get(path, **query)
            found += answer.get(name, [])
            if "nextPageToken" not in answer:
                return found, answer.get("nextSyncToken")
            assert "nextSyncToken" not in answer
            query["pageToken"] = answer["nextPageToken"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        return self.http.request(method, f"/_control/{path}", json=body).raise_for_status().json()

    def pass_time(self, seconds: float) -> None:
        self.control("POST", "clock", {"seconds": seconds})

    def people(self) -> dict[str, dict[str, Any]]:
        """Everybody, with what became of them."""
        return {each["resourceName"]: each for each in self.control("GET", "truth")["people"]}
