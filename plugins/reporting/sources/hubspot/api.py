"""Connects to one HubSpot portal: paths, errors, and the base class of its readers.

The package `hubspot-api-client` makes every request: its `ApiClient` signs it and converts the package's models to JSON. The
package's generated methods for each endpoint are not used, because they only know the paths without a date, and because they
convert answers to models, which lose unknown fields, while the landing must keep answers as they came.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from hubspot.crm.objects import ApiClient, Configuration
from hubspot.crm.objects.rest import RESTClientObject

from reporting.entity import Entity
from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    NotFoundError,
    Page,
    Record,
    SourceError,
    SourceUnavailableError,
    account_of,
    digest_of,
    missing,
)
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.hubspot.entities import LISTS, HubSpotObject
from reporting.sources.shapes import mapping, mappings

logger = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.hubapi.com"
# HubSpot supports undated paths (v3) until September 2027.
DEFAULT_VERSION = "2026-09"
# HubSpot's lowest limits are a hundred requests in ten seconds and five searches per second.
POLICY = Policy(requests_per_second=9.5, path_paces=(("/search", 4.0),))
LIST_LIMIT = 100
PAGE_REPEATS = 5
# Increase this when the conversion of a record to a row changes, so that existing rows are loaded again.
ROW_VERSION = 2
# Properties that hold a telephone number.
PHONES = ("phone", "mobilephone")

JsonObject = dict[str, Any]


class MissingScopeError(AccessDeniedError):
    """The key lacks a scope. `scopes` are those of which HubSpot asks for one; none if it does not say."""

    def __init__(self, what: str, scopes: tuple[str, ...]) -> None:
        self.scopes = scopes
        match scopes:
            case ():
                lacking = "lacks a scope"
            case (one,):
                lacking = f"lacks the scope {one}"
            case _:
                lacking = f"lacks one of the scopes {', '.join(scopes)}"
        super().__init__(
            f"the HubSpot key may not read {what}: it {lacking} (403). Add it to the service key (or to the private app), or "
            "switch the entity off with REPORTING_NAME_HUBSPOT__<ENTITY>=none."
        )


class PoliteRestClient(RESTClientObject):  # type: ignore[misc]  # it has no types
    """Lets the package send requests through our own client, with its time-outs, retries and limited rate.

    It returns refusals instead of raising them, since the package's errors quote headers and bodies of answers.
    """

    def __init__(self, http: httpx.Client) -> None:
        # The constructor of the base class is not called, since it would create a second pool of connections.
        self._http = http

    def request(
        self,
        method: str,
        url: str,
        query_params: list[tuple[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        body: JsonObject | None = None,
        **_: Any,
    ) -> httpx.Response:
        """Send one request, and return the answer with any status."""
        return self._http.request(method, url, params=query_params, headers=headers, json=body)


class HubSpot:
    """A connection to one portal.

    `token` is a service key, or the token of a private app. `version` is `v3` or a date as in the dated paths. `base_url` is only
    set for a fake API. Raises the errors of `reporting.sources.base`.
    """

    def __init__(
        self,
        token: str,
        base_url: str = DEFAULT_BASE_URL,
        version: str = DEFAULT_VERSION,
        policy: Policy = POLICY,
        transport: PoliteTransport | None = None,
    ) -> None:
        self.account = account_of(token, base_url)
        self.transport = transport or PoliteTransport(policy, refusal=refusal_of)
        self.version = version
        self._http = httpx.Client(transport=self.transport, timeout=policy.timeout)
        configuration = Configuration(host=base_url.rstrip("/"))
        configuration.access_token = token
        self._api = ApiClient(configuration)
        self._api.rest_client = PoliteRestClient(self._http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def path(self, family: str, rest: str = "") -> str:
        """The path of a family (`objects`, `properties`, `owners`, `pipelines`, `associations`) in this version."""
        if self.version == "v3":
            # Only the fourth version of associations has their labels.
            base = f"/crm/v4/{family}" if family == "associations" else f"/crm/v3/{family}"
        else:
            base = f"/crm/{family}/{self.version}"
        return f"{base}/{rest}" if rest else base

    def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Any = None,
    ) -> JsonObject:
        """Send one request and return the answer. In an error, `what` names what was requested. `body` is a model of the
        package."""
        # Without `_preload_content` the package returns the answer as it came, instead of converting it to a model.
        answer: httpx.Response = self._api.call_api(
            path, method, query_params=query, body=body, auth_settings=["oauth2"], _preload_content=False
        )
        if answer.is_success:
            return cast(JsonObject, answer.json())
        raise _error(what, answer)

    def probe(self, entity: Entity) -> None:
        """Raise `AccessDeniedError` unless the token may read `entity`."""
        if entity.name == "pipelines":
            self.call(entity.name, "GET", self.path("pipelines", "deals"))
        elif entity.name == "owners":
            self.call(entity.name, "GET", self.path("owners"), query={"limit": "1"})
        elif entity in LISTS:
            self.call(entity.name, "POST", self.path("lists", "search"), body={"count": 1, "offset": 0})
        elif isinstance(entity, HubSpotObject):
            self.call(entity.name, "GET", self.path("objects", entity.path_name), query={"limit": "1"})
            self.call(f"properties of {entity.name}", "GET", self.path("properties", entity.path_name))

    def listed(
        self, what: str, path: str, query: Mapping[str, str], after: str | None = None
    ) -> Iterator[tuple[datetime, list[Any], str | None]]:
        """Yield the results of a list from `after` to its end, page by page.

        Each page has the time of its request, and the position of the next page (None if it is the last).
        """
        repeats = 0
        asked: set[str | None] = set()
        while True:
            asked.add(after)
            requested_at = datetime.now(UTC)
            answer = self.call(what, "GET", path, query={**query, **({"after": after} if after else {})})
            following = next_after(answer)
            yield requested_at, answer["results"], following
            if following is None:
                return
            repeats = repeats + 1 if following in asked else 0
            if repeats > PAGE_REPEATS:
                raise IncompleteReadError(
                    f"HubSpot keeps returning pages of {what} that were read already; nothing was loaded. "
                    "Run the task again."
                )
            after = following


class PortalReader:
    """The base class of all readers of a portal."""

    def __init__(self, portal: HubSpot, default_region: str | None = None) -> None:
        self.portal = portal
        self._region = default_region

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, retries included."""
        return self.portal.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The time of HubSpot's clock in its first answer."""
        return self.portal.transport.server_started_at

    @property
    def account(self) -> str:
        """A text that differs between portals."""
        return self.portal.account

    def describe(self) -> JsonObject:
        """Empty, since the API alone defines the fields."""
        return {}

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: a list that does not name it is all that the API tells."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the record."""
        return content_hash(record, self._region)

    def close(self) -> None:
        """Close the connections."""
        self.portal.close()


def content_hash(record: Record, default_region: str | None = None) -> str:
    """The SHA-256 of a record, the same for every endpoint that returns it.

    Lists, searches and batch reads return the same properties, but represent a property without a value differently. The region
    is included because telephone numbers depend on it: after a change of the setting, the next full refresh loads every row
    with a number again.
    """
    payload = record.payload
    content: Any = dict(payload)
    if isinstance(payload.get("properties"), Mapping):
        content = {
            "id": record.id,
            "archived": is_archived(payload),
            "properties": {name: value for name, value in payload["properties"].items() if value is not None},
        }
        if any(content["properties"].get(name) for name in PHONES):
            content["region"] = default_region
    return digest_of(content, ROW_VERSION)


def is_archived(payload: Mapping[str, Any]) -> bool:
    """Whether a record was in the recycling bin when it was read."""
    return payload.get("archived") in (True, "true")


def next_after(answer: Mapping[str, Any]) -> str | None:
    """The position of the next page; None if this is the last."""
    following = mapping(mapping(answer.get("paging")).get("next")).get("after")
    return None if following is None else str(following)


def check_batch(what: str, answer: Mapping[str, Any], passing: str) -> None:
    """Raise `IncompleteReadError` if a batch has errors of other categories than `passing`.

    A batch may succeed partly (status 207); its body then lists the errors.
    """
    for error in answer.get("errors") or []:
        if passing not in (error.get("category"), error.get("subCategory")):
            raise IncompleteReadError(
                f"HubSpot left out some {what}: {error.get('category')}. Nothing was loaded; run the task again."
            )


def refusal_of(answer: httpx.Response) -> SourceError | None:
    """The error for an answer after which retries are useless: the daily limit, which ends at midnight in the portal's time
    zone."""
    if answer.status_code != 429 or _body(answer).get("policyName") != "DAILY":
        return None
    return SourceUnavailableError(
        "HubSpot's daily limit of API requests is used up. It is reset at midnight in the portal's time zone; "
        "nothing was lost, and the next run continues. Other apps of the portal share the limit: see the portal's "
        "settings under Integrations, API usage."
    )


def _error(what: str, answer: httpx.Response) -> SourceError:
    status, body = answer.status_code, _body(answer)
    if status == 401:
        return AccessDeniedError(
            "HubSpot refused the token (401). Make a new service key under Development, Keys, Service keys, and run "
            "script/connect hubspot."
        )
    if status == 403:
        return MissingScopeError(what, _scopes(body))
    if status == 404:
        return NotFoundError(f"HubSpot does not know {what} (404).")
    said = str(body.get("message") or "")[:200]
    return SourceError(f"HubSpot answered {status} ({body.get('category')}) for {what}: {said}")


def _body(answer: httpx.Response) -> JsonObject:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _scopes(body: Mapping[str, Any]) -> tuple[str, ...]:
    found: set[str] = set()
    for error in mappings(body.get("errors")):
        context = mapping(error.get("context"))
        for name in ("requiredGranularScopes", "requiredScopes"):
            named = context.get(name)
            found.update(each for each in (named if isinstance(named, list) else []) if isinstance(each, str))
    return tuple(sorted(found))
