"""A small API in this process, for tests of declared sources: lists that are paged in any way, and every authentication."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from reporting.entity import Property
from reporting.sources.http import Policy
from reporting.sources.rest import Bearer, Resource, rest_source
from reporting.sources.rest.client import Client
from reporting.sources.rest.declare import Auth, RestEntity
from reporting.sources.rest.reader import RestReader, reader_of
from sandbox import lists

BASE = "https://api.example.org/v1"
SECRET = "secret-that-nobody-sees"
PATIENT = Policy(requests_per_second=1e6, attempts=3, first_backoff=0.0)
COLUMNS = {"name": Property("text", "What it is called.")}
Handler = Callable[[httpx.Request], httpx.Response]


class Lists(lists.Lists):
    """The sandbox's lists, with one of them that is called `things`, where `BASE` is."""

    def __init__(self, records: list[dict[str, Any]], way: str = "none", cap: int = 100) -> None:
        super().__init__({"things": records}, way, cap, base="/v1")


class Guarded:
    """Lets only requests through that are signed as `scheme` says; gives access tokens at /v1/token."""

    def __init__(self, inner: Handler, scheme: str) -> None:
        self.inner, self.scheme = inner, scheme
        self.given = 0
        self.forms: list[dict[str, str]] = []
        self.lifetime: Any = 3600

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.url.path == "/v1/token":
            return self._token(request)
        headers = request.headers
        is_good = {
            "bearer": headers.get("Authorization") == f"Bearer {SECRET}",
            "header": headers.get("X-Api-Key") == SECRET,
            "query": request.url.params.get("api_key") == SECRET,
            "basic": headers.get("Authorization")
            == "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
            "oauth": headers.get("Authorization") == f"Bearer access-{self.given}",
        }[self.scheme]
        return self.inner(request) if is_good else httpx.Response(401, json={"error": "who are you"})

    def _token(self, request: httpx.Request) -> httpx.Response:
        # Without one it could be waited for without end.
        assert request.extensions["timeout"]["read"]
        form = {name: values[0] for name, values in parse_qs(request.read().decode()).items()}
        self.forms.append(form)
        if form.get("client_secret") != SECRET:
            return httpx.Response(401, json={"error": "invalid_client"})
        self.given += 1
        return httpx.Response(200, json={"access_token": f"access-{self.given}", "expires_in": self.lifetime})


def things(count: int) -> list[dict[str, Any]]:
    """So many records."""
    return [{"id": f"t{number:04d}", "name": f"Thing {number}"} for number in range(count)]


def entity_of(auth: Auth | None = None, others: tuple[Resource, ...] = (), **declared: Any) -> RestEntity:
    """The entity of one declared resource, `sample__things` unless said otherwise; `others` are declared before it."""
    declared = {"name": "things", "path": "things", "records": "items", "columns": COLUMNS} | declared
    resource = Resource(description="Things.", **declared)
    source = rest_source(
        name="sample",
        title="Sample",
        base=BASE,
        auth=auth or Bearer(),
        resources=(*others, resource),
        pace=1000,
    )
    [*_, entity] = source.entities
    assert isinstance(entity, RestEntity)
    return entity


def reader(
    handler: Handler, entity: RestEntity, secret: str = SECRET, base_url: str | None = None
) -> RestReader:
    """A reader of `entity` whose requests `handler` answers."""
    return reader_of(Client(entity.api, secret, base_url, PATIENT, httpx.MockTransport(handler)), entity)


def login(**fields: str) -> str:
    """The secret of an OAuth login."""
    return json.dumps({"client_id": "me", "client_secret": SECRET} | fields)


def answering(*bodies: Any, headers: Mapping[str, str] | None = None) -> Handler:
    """A handler that answers with each body in turn, and then with the last for ever."""
    left = list(bodies)

    def handle(request: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(body, httpx.Response):
            return body
        # A body of null would be an empty one.
        return httpx.Response(200, content=json.dumps(body), headers=headers)

    return handle
