"""One portal: its paths, its errors, and what every reader of it has."""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from hubspot.crm.objects import ApiClient

from reporting.entities import Entity
from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    NotFoundError,
    Page,
    Record,
    SourceError,
    SourceUnavailableError,
    Tombstone,
    account_of,
)
from reporting.sources.http import Policy, PoliteTransport

logger = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.hubapi.com"
# Undated paths (v3) are not supported from September 2027 on.
DEFAULT_VERSION = "2026-09"
# A hundred requests in ten seconds and five searches a second are the lowest of the limits.
POLICY = Policy(requests_per_second=9.5, path_paces=(("/search", 4.0),))
LIST_LIMIT = 100
PAGE_REPEATS = 5
# Properties that hold a telephone number.
PHONES = ("phone", "mobilephone")

JsonObject = dict[str, Any]


class HubSpot:
    """A connection to one portal.

    `token` is a private app's or a service key. `version` is `v3` or a date as in the dated paths. `base_url` is
    another server's for a stand-in. Raises the errors of `reporting.sources.base`.
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
        self._version = version
        self._http = httpx.Client(
            transport=self.transport,
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=policy.timeout,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def path(self, family: str, rest: str = "") -> str:
        """The path of a family (`objects`, `properties`, `owners`, `pipelines`, `associations`) in this version."""
        if self._version == "v3":
            # Associations with their labels are in the fourth version.
            base = f"/crm/v4/{family}" if family == "associations" else f"/crm/v3/{family}"
        else:
            base = f"/crm/{family}/{self._version}"
        return f"{base}/{rest}" if rest else base

    def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
    ) -> JsonObject:
        """The answer to one request; `what` names in an error what was asked for."""
        answer = self._http.request(method, path, params=query, json=body)
        if answer.is_success:
            return cast(JsonObject, answer.json())
        raise _error(what, answer)

    def probe(self, entity: Entity) -> None:
        """Raise `AccessDeniedError` unless the token may read `entity`. Associations need no scope of their own."""
        if entity.name == "pipelines":
            self.call(entity.name, "GET", self.path("pipelines", "deals"))
        elif entity.name == "owners":
            self.call(entity.name, "GET", self.path("owners"), query={"limit": "1"})
        elif entity.name != "associations":
            self.call(entity.name, "GET", self.path("objects", entity.name), query={"limit": "1"})

    def listed(
        self, what: str, path: str, query: Mapping[str, str], after: str | None = None
    ) -> Iterator[tuple[datetime, list[Any], str | None]]:
        """The results of a list from `after` to its end, page by page.

        Each comes with the time of its request, and with where the next one begins (None: this is the last).
        """
        repeats = 0
        while True:
            requested_at = datetime.now(UTC)
            answer = self.call(what, "GET", path, query={**query, **({"after": after} if after else {})})
            following = next_after(answer)
            yield requested_at, answer["results"], following
            if following is None:
                return
            repeats = repeats + 1 if following == after else 0
            if repeats > PAGE_REPEATS:
                raise IncompleteReadError(
                    f"HubSpot keeps leading from one page of {what} to the same page; nothing was loaded. "
                    "Run the task again."
                )
            after = following


class PortalReader:
    """What the readers of a portal have in common."""

    def __init__(self, portal: HubSpot, default_region: str | None = None) -> None:
        self.portal = portal
        self._region = default_region

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries included."""
        return self.portal.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """HubSpot's own clock at its first answer."""
        return self.portal.transport.server_started_at

    @property
    def account(self) -> str:
        """Tells the portal that is read from others."""
        return self.portal.account

    def describe(self) -> JsonObject:
        """Nothing: the shape is the API's own."""
        return {}

    def would_meet(self, record_id: str) -> bool:
        """Whether the sweep would have met this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: a list that does not name it is all that the API tells."""
        gone = tuple(Tombstone(each, "missing") for each in ids)
        if gone:
            yield Page(datetime.now(UTC), tombstones=gone)

    def content_hash(self, record: Record) -> str:
        """SHA-256 over the record."""
        return content_hash(record, self._region)

    def close(self) -> None:
        """Close the connections."""
        self.portal.close()


def content_hash(record: Record, default_region: str | None = None) -> str:
    """SHA-256 over a record, the same whichever endpoint gave it.

    List, search and batch read agree in the properties, and differ in what they say of one that is not set. The region
    is content, since telephone numbers are completed with it: after a change of the setting the next sweep brings every
    row with a number again.
    """
    payload = record.payload
    content: Any = dict(payload)
    if "properties" in payload:
        content = {
            "id": payload["id"],
            "archived": bool(payload.get("archived")),
            "properties": {name: value for name, value in payload["properties"].items() if value is not None},
        }
        if any(content["properties"].get(name) for name in PHONES):
            content["region"] = default_region
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def next_after(answer: Mapping[str, Any]) -> str | None:
    """Where the next page begins; None at the end."""
    following = ((answer.get("paging") or {}).get("next") or {}).get("after")
    return None if following is None else str(following)


def as_body(request: Any) -> JsonObject:
    """A request of the client's models, whose names are Python's, as the API takes it."""
    body: JsonObject = ApiClient().sanitize_for_serialization(request)
    return body


def as_text(value: Any) -> str | None:
    """A value as the text that HubSpot would give a property's value as."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def check_batch(what: str, answer: Mapping[str, Any], passing: str) -> None:
    """Raise `IncompleteReadError` when a batch has errors other than of the category `passing`.

    A batch may succeed in parts (207), and then says so in its body.
    """
    for error in answer.get("errors") or []:
        if passing not in (error.get("category"), error.get("subCategory")):
            raise IncompleteReadError(
                f"HubSpot left out some {what}: {error.get('category')}. Nothing was loaded; run the task again."
            )


def refusal_of(answer: httpx.Response) -> SourceError | None:
    """The day's limit ends at midnight in the portal's time zone: waiting for it is not a retry."""
    if answer.status_code != 429 or _body(answer).get("policyName") != "DAILY":
        return None
    return SourceUnavailableError(
        "HubSpot's daily limit of API requests is used up. It begins anew at midnight in the portal's time zone; "
        "nothing was lost, and the next run goes on. Other apps of the portal share the limit: see the portal's "
        "settings under Integrations, API usage."
    )


def _error(what: str, answer: httpx.Response) -> SourceError:
    status, body = answer.status_code, _body(answer)
    if status == 401:
        return AccessDeniedError(
            "HubSpot refused the token (401). Make a new one under Settings, Integrations, Private apps, and run "
            "script/connect hubspot."
        )
    if status == 403:
        scopes = _scopes(body)
        lacking = f"lacks the scope {', '.join(scopes)}" if scopes else "lacks a scope"
        return AccessDeniedError(
            f"the HubSpot token may not read {what}: it {lacking} (403). Add it to the private app, or switch "
            "the entity off with REPORTING_NAME_HUBSPOT__<ENTITY>=none."
        )
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


def _scopes(body: Mapping[str, Any]) -> list[str]:
    found: set[str] = set()
    for error in body.get("errors") or []:
        context = error.get("context") or {}
        for name in ("requiredGranularScopes", "requiredScopes"):
            found.update(context.get(name) or [])
    return sorted(found)
