"""The connection to one Notion workspace: its address and pace, what its refusals mean, and finding a database in it.

Facts about the API are from its reference: https://developers.notion.com/reference (request limits, versioning, search).
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import httpx
from notion_client import Client
from notion_client.errors import HTTPResponseError

from reporting.sources.base import (
    AccessDeniedError,
    IncompleteReadError,
    NotFoundError,
    SourceError,
    account_of,
)
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.notion.properties import title_of
from reporting.sources.shapes import record_of

VERSION = "2025-09-03"
DEFAULT_BASE_URL = "https://api.notion.com"
# "An average of three requests per second" (request limits).
POLICY = Policy(requests_per_second=3.0)
PAGE_SIZE = 100
PAGE_REPEATS = 5

JsonObject = dict[str, Any]


class RefusedError(SourceError):
    """Notion refused a request for a reason that has no error of its own; `status` is that of its answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotionClient:
    """A connection to one Notion workspace.

    `token` is an internal integration's secret. `base_url` is another server's for the fake API. Raises, from
    every method, the errors of `reporting.sources.base`.
    """

    def __init__(
        self,
        token: str,
        base_url: str = DEFAULT_BASE_URL,
        policy: Policy = POLICY,
        transport: PoliteTransport | None = None,
    ) -> None:
        self.account = account_of(token, base_url)
        self._transport = transport or PoliteTransport(policy)
        self._http = httpx.Client(transport=self._transport)
        self._client = Client(
            client=self._http,
            auth=token,
            base_url=base_url,
            notion_version=VERSION,
            timeout_ms=round(policy.timeout * 1000),
            retry=False,
            logger=logging.getLogger(f"{__name__}.client"),
            # It warns of every refusal. To some that is the answer (404: the page is gone); the others are raised, and
            # told by whoever met them.
            log_level=logging.ERROR,
        )

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries included."""
        return self._transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """Notion's own clock at its first answer."""
        return self._transport.server_started_at

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def data_sources(self) -> Iterator[JsonObject]:
        """Every data source that is shared with the integration and that the search knows of, each once."""
        cursor: str | None = None
        asked: set[str | None] = set()
        met: set[str] = set()
        repeats = 0
        while True:
            asked.add(cursor)
            body: JsonObject = {
                "filter": {"property": "object", "value": "data_source"},
                "page_size": PAGE_SIZE,
            }
            if cursor:
                body["start_cursor"] = cursor
            answer = self.call("the search for databases", "POST", "search", body=body)
            for source in answer["results"]:
                # A page may come twice, and a data source be on two of them.
                key = record_of(source).id
                if key is not None and key not in met:
                    met.add(key)
                    yield source
            if not answer.get("has_more"):
                return
            cursor = answer["next_cursor"]
            repeats += cursor in asked
            check_repeats("the search for databases", repeats)

    def find(self, database: str) -> JsonObject:
        """Return the data source that `database` names: an id (of a database or data source) or an exact name.

        Raises `NotFoundError` when nothing or more than one thing answers to it, with what was found.
        """
        if _looks_like_id(database):
            return self._find_by_id(database)
        found = list(self.data_sources())
        named = [source for source in found if title_of(source) == database]
        if len(named) == 1:
            return self.call(f"the database '{database}'", "GET", f"data_sources/{named[0]['id']}")
        listed = ", ".join(sorted(f"'{title_of(source)}' ({source['id']})" for source in named or found))
        if named:
            raise NotFoundError(
                f"{len(named)} Notion databases are named '{database}': {listed}. Configure the id instead.",
                len(named),
            )
        raise NotFoundError(
            f"no Notion database named '{database}' is shared with the integration; "
            f"it sees {listed or 'none at all'}. Share the database with it (··· → Connections), or configure its id."
        )

    def _find_by_id(self, database: str) -> JsonObject:
        try:
            return self.call(f"the data source {database}", "GET", f"data_sources/{database}")
        except NotFoundError:
            holder = self.call(f"the database {database}", "GET", f"databases/{database}")
        held = holder["data_sources"]
        if len(held) == 1:
            return self.call(f"the data source {held[0]['id']}", "GET", f"data_sources/{held[0]['id']}")
        listed = ", ".join(f"'{source['name']}' ({source['id']})" for source in held)
        raise NotFoundError(
            f"the Notion database {database} holds {len(held)} data sources ({listed or 'none'}); "
            "configure the id of the one to read."
        )

    def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        query: JsonObject | None = None,
        body: JsonObject | None = None,
    ) -> JsonObject:
        """Send one request and return the answer; `what` names in errors what is asked for."""
        try:
            return cast(JsonObject, self._client.request(path=path, method=method, query=query, body=body))
        except HTTPResponseError as error:
            status, code = error.status, getattr(error.code, "value", error.code)
        # Raised outside the handler: the client's error holds the answer's body and headers.
        if status == 401:
            raise AccessDeniedError(
                "Notion refused the token (401). Make a new one at https://www.notion.so/profile/integrations "
                "and put it into the Notion connection."
            )
        if status == 403:
            raise AccessDeniedError(
                f"the Notion integration may not read {what} (403). Give it the capability 'Read content'."
            )
        if status == 404:
            raise NotFoundError(
                f"{what} was not found in Notion or is not shared with the integration (404). "
                "Open it in Notion and add the integration under ··· → Connections."
            )
        raise RefusedError(f"Notion answered {status} ({code}) for {what}.", status)


def check_repeats(what: str, repeats: int) -> None:
    """Raise `IncompleteReadError` when cursors led too often to pages of `what` that were read already."""
    if repeats > PAGE_REPEATS:
        raise IncompleteReadError(
            f"Notion keeps leading to pages of {what} that were read; nothing was loaded. Run the task again."
        )


def _looks_like_id(text: str) -> bool:
    digits = text.replace("-", "")
    return len(digits) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in digits)
