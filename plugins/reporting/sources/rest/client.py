"""A connection to a declared API: one answer at a time, from its own host alone."""

from typing import Any

import httpx

from reporting.sources.base import (
    AccessDeniedError,
    NotFoundError,
    SourceError,
    account_of,
)
from reporting.sources.http import Policy, PoliteTransport
from reporting.sources.rest.declare import Api, QueryKey, address_problem
from reporting.sources.rest.paging import Request
from reporting.sources.rest.signing import SigningTransport


class Client:
    """Asks one API. `secret` is the password of its connection, `base_url` another server's for a fake API.

    Raises the errors of `reporting.sources.base`; none shows a secret, an answer or a parameter.
    """

    def __init__(
        self,
        api: Api,
        secret: str,
        base_url: str | None = None,
        policy: Policy | None = None,
        inner: httpx.BaseTransport | None = None,
    ) -> None:
        self.api = api
        self.base_url = (base_url or api.base).rstrip("/")
        if problem := address_problem(self.base_url):
            raise SourceError(
                f"{api.title} cannot be read: {problem}. Correct the host of the connection '{api.name}'."
            )
        self.account = account_of(secret, self.base_url)
        policy = policy or Policy(requests_per_second=api.pace)
        self._signing = SigningTransport(api, secret, self.base_url, inner or httpx.HTTPTransport())
        self.transport = PoliteTransport(policy, self._signing, is_passing=_asks_to_wait)
        headers = {"Accept": "application/json", **api.headers}
        self._http = httpx.Client(transport=self.transport, timeout=policy.timeout, headers=headers)

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries and access tokens included."""
        return self.transport.request_count + self._signing.request_count

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, what: str, request: Request) -> tuple[Any, str | None]:
        """The body of the answer, and the next address in its header `Link`; `what` names in an error what was asked for."""
        url = self._url(what, request.address)
        answer = self._http.get(url.copy_merge_params(request.parameters) if request.parameters else url)
        if answer.is_success:
            return answer.json(), self._link(what, url, answer)
        raise self._error(what, answer.status_code)

    def next_address(self, what: str, request: Request) -> Request:
        """`request` with its address as it is kept: whole, of this API, and without the key. Raises `SourceError` else."""
        return Request(str(self._url(what, request.address)), request.parameters)

    def _link(self, what: str, url: httpx.URL, answer: httpx.Response) -> str | None:
        found = answer.links.get("next", {}).get("url")
        return str(url.join(found)) if found else None

    def _url(self, what: str, address: str) -> httpx.URL:
        base = httpx.URL(self.base_url)
        try:
            url = httpx.URL(f"{self.base_url}/").join(address)
        except (httpx.InvalidURL, ValueError):
            raise SourceError(
                f"{self.api.title} leads for {what} to an address that is none. Nothing was loaded."
            ) from None
        if (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
            raise SourceError(
                f"{self.api.title} leads for {what} to another host than {base.host}, which would be sent the token. Nothing "
                "was loaded. If that is right, declare the base address of that host."
            )
        if isinstance(self.api.auth, QueryKey):
            url = url.copy_remove_param(self.api.auth.name)
        return url.copy_with(username=None, password=None, fragment=None)

    def _error(self, what: str, status: int) -> SourceError:
        title, name = self.api.title, self.api.name
        if status == 401:
            return AccessDeniedError(
                f"{title} refused the token (401). Make a new one, and run script/connect {name}."
            )
        if status == 403:
            return AccessDeniedError(
                f"the token of {title} may not read {what} (403). Give it the right to, or switch the entity off with "
                f"REPORTING_NAME_{what.upper()}=none."
            )
        if status in (404, 410):
            return NotFoundError(
                f"{title} has nothing at the path of {what} ({status}). Correct its declaration."
            )
        if 300 <= status < 400:
            return SourceError(
                f"{title} sends {what} on to another address ({status}), which is not followed. Correct the declaration."
            )
        return SourceError(
            f"{title} answered {status} for {what}; nothing was loaded. 400 and 422 are mostly a parameter of the declaration."
        )


def _asks_to_wait(answer: httpx.Response) -> bool:
    """Some services limit with 403, and say when to come again."""
    return answer.status_code == 403 and "retry-after" in answer.headers
