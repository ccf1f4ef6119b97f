"""Puts the secret into each request, below everything that logs: what is above it never sees one.

It stands under the retries, so that an access token which ended is replaced and the request sent again.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from reporting.sources.base import AccessDeniedError, SourceError
from reporting.sources.rest.declare import (
    Api,
    Basic,
    Bearer,
    ClientCredentials,
    HeaderKey,
    QueryKey,
    RefreshToken,
)

# Before an access token ends, in seconds.
MARGIN = 60.0
LIFETIME = 600.0


class SigningTransport(httpx.BaseTransport):
    """Signs requests by the declared authentication and hands them to `inner`. Raises the errors of `reporting.sources.base`.

    `secret` is the password of the connection. `base_url` is where the source is, another server's for a fake API.
    """

    def __init__(
        self,
        api: Api,
        secret: str,
        base_url: str,
        inner: httpx.BaseTransport,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._inner, self._monotonic = api, inner, monotonic
        self._base_url = base_url
        self._token: str | None = None
        self._ends_at = 0.0
        self.request_count = 0
        auth = api.auth
        self._login = (
            _login(api, auth.fields, secret) if isinstance(auth, ClientCredentials | RefreshToken) else {}
        )
        self._secret = secret
        if isinstance(auth, Basic) and ":" not in secret:
            raise SourceError(
                f"the connection '{api.name}' does not hold {auth.needs}. Run script/connect {api.name}."
            )
        if isinstance(auth, Bearer | HeaderKey) and not (secret.isascii() and secret.isprintable()):
            raise SourceError(
                f"the secret of the connection '{api.name}' holds a character that no header can have; paste it anew with "
                f"script/connect {api.name}."
            )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a signed copy of `request`, and return the answer."""
        headers, url = request.headers.copy(), request.url
        match self._api.auth:
            case Bearer(prefix=prefix):
                headers["Authorization"] = f"{prefix} {self._secret}".strip()
            case HeaderKey(name=name):
                headers[name] = self._secret
            case QueryKey(name=name):
                url = url.copy_set_param(name, self._secret)
            case Basic():
                headers["Authorization"] = f"Basic {base64.b64encode(self._secret.encode()).decode()}"
            case ClientCredentials() | RefreshToken():
                headers["Authorization"] = f"Bearer {self._access_token(request.extensions)}"
        signed = httpx.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        answer = self._inner.handle_request(signed)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _access_token(self, extensions: Mapping[str, Any]) -> str:
        if self._token is None or self._monotonic() >= self._ends_at:
            found = self._asked(extensions)
            token, lifetime = found.get("access_token"), found.get("expires_in")
            if not isinstance(token, str) or not token.isascii() or not token.isprintable():
                raise SourceError(
                    f"{self._api.title} answered without an access token; the address that gives it may be wrong."
                )
            seconds = float(lifetime) if isinstance(lifetime, int | float) else LIFETIME
            self._token = token
            self._ends_at = self._monotonic() + max(seconds - MARGIN, 1.0)
            if isinstance(renewed := found.get("refresh_token"), str) and "refresh_token" in self._login:
                # Kept for this process alone: a source knows no place to store it.
                self._login = {**self._login, "refresh_token": renewed}
        return self._token

    def _asked(self, extensions: Mapping[str, Any]) -> Mapping[str, Any]:
        auth = self._api.auth
        grant = "refresh_token" if isinstance(auth, RefreshToken) else "client_credentials"
        form = {"grant_type": grant, **self._login}
        if isinstance(auth, ClientCredentials | RefreshToken) and auth.scope:
            form["scope"] = auth.scope
        self.request_count += 1
        answer = self._inner.handle_request(
            httpx.Request(
                "POST",
                self._token_address(),
                data=form,
                headers={"Accept": "application/json"},
                # The time-outs of the request that waits for it.
                extensions=dict(extensions),
            )
        )
        try:
            content = answer.read()
        finally:
            answer.close()
        if answer.status_code in (400, 401, 403):
            raise AccessDeniedError(
                f"{self._api.title} gives no access token ({answer.status_code}): the login in the connection '{self._api.name}' "
                f"is wrong or has ended. Run script/connect {self._api.name}."
            )
        if not answer.is_success:
            # Passing: the retries ask again.
            raise httpx.ConnectError(f"HTTP {answer.status_code} for an access token")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            raise httpx.DecodingError("an access token that is not JSON") from None
        return found if isinstance(found, Mapping) else {}

    def _token_address(self) -> httpx.URL:
        address = getattr(self._api.auth, "address", "")
        base = httpx.URL(self._base_url)
        if "://" not in address:
            return httpx.URL(f"{self._base_url}/{address.lstrip('/')}")
        url = httpx.URL(address)
        # A fake API stands for the one that gives tokens, too.
        return (
            url
            if self._base_url == self._api.base
            else url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        )


def _login(api: Api, fields: tuple[str, ...], secret: str) -> dict[str, str]:
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), str) for name in fields):
        raise SourceError(
            f"the connection '{api.name}' does not hold {api.auth.needs}. Run script/connect {api.name}."
        )
    return {name: found[name] for name in fields}
