"""Calls one of Google's APIs for one account, with Google's own client over our transport, and explains refusals.

Google's client knows the paths and parameters from the description of the API that is installed with it. `google-auth` gets
access tokens with the refresh token. Both send their requests through the transport that all sources share.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httplib2
import httpx
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError, UnknownApiNameOrVersion

from reporting.sources.base import AccessDeniedError, SourceError
from reporting.sources.http import Policy, PoliteTransport

TOKEN_ADDRESS = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
# Reasons for which Google's own client retries, in addition to the status 429:
# https://developers.google.com/drive/api/guides/handle-errors
PASSING_REASONS = frozenset(("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"))
USER_FIELDS = ("client_id", "client_secret", "refresh_token")
LOGIN = "script/google-login"

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """One of Google's APIs: its name and version in Google's directory, its title, and the scope for reading.

    `path` is where it begins below its host. `connection` is the Airflow connection with the login that may read it, and
    `login` the command that makes one.
    """

    name: str
    version: str
    title: str
    scope: str
    policy: Policy
    path: str = ""
    connection: str = "google"
    login: str = LOGIN


class RefusedError(SourceError):
    """Google refused a request for a reason that this module does not know. `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class GoogleAccount:
    """A connection of one account to the API `served`.

    `user` is an authorized user, as Google calls it: `client_id`, `client_secret` and `refresh_token`. `base_url` is only set
    for a fake API, which then also gives the tokens. Raises the errors of `reporting.sources.base`.
    """

    def __init__(
        self,
        served: Api,
        user: Mapping[str, Any],
        base_url: str | None = None,
        policy: Policy | None = None,
        transport: PoliteTransport | None = None,
    ) -> None:
        if lacking := [name for name in USER_FIELDS if not user.get(name)]:
            raise AccessDeniedError(
                f"the connection '{served.connection}' lacks {', '.join(lacking)} of an authorized user. Run {served.login}."
            )
        self._served = served
        policy = policy or served.policy
        # Requests for access tokens may be retried like reads, since a refresh token can be used repeatedly.
        self.transport = transport or PoliteTransport(policy, is_passing=is_rate_limited)
        self._http = httpx.Client(transport=self.transport, timeout=policy.timeout)
        credentials = Credentials(  # type: ignore[no-untyped-call]
            None,
            **{name: user[name] for name in USER_FIELDS},
            token_uri=f"{base_url}/token" if base_url else TOKEN_ADDRESS,
            scopes=[served.scope],
        )
        try:
            self.api = build(
                served.name,
                served.version,
                http=AuthorizedHttp(credentials, http=_Http(self._http)),
                client_options={"api_endpoint": base_url + served.path} if base_url else None,
                static_discovery=True,
            )
        except UnknownApiNameOrVersion:
            raise SourceError(
                f"there is no description of the {served.title} here. Add the line {served.name}.{served.version} to "
                "requirements/google-apis.txt, and run script/bootstrap as before."
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, what: str, request: Any) -> JsonObject:
        """Send a request of the client and return the answer. In an error, `what` names what was requested.

        Raises `RefusedError` if no more precise error is known.
        """
        # The original errors are not kept as causes, because they quote the request.
        try:
            return cast(JsonObject, request.execute())
        except HttpError as error:
            raise _api_error(self._served, what, int(error.resp.status), _body(error.content)) from None
        except RefreshError as error:
            raise _login_error(self._served, error) from None


class _Http:
    """The part of `httplib2.Http` that Google's client uses."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> tuple[httplib2.Response, bytes]:
        """Send one request, with the retries of the transport."""
        answer = self._client.request(method, uri, content=body, headers=headers)
        return httplib2.Response({**answer.headers, "status": str(answer.status_code)}), answer.content


def authorized_user(extra: Mapping[str, Any]) -> JsonObject | None:
    """The authorized user in the `extra` of an Airflow connection to Google; None if it has none.

    It may be in `credential_config_file`, as content or as the path of a file. It is also accepted in `keyfile_dict`, the
    field for a service account's key, into which it is easily pasted in the web interface. Raises `AccessDeniedError` if the
    file cannot be read.
    """
    for name in ("credential_config_file", "keyfile_dict"):
        value = extra.get(name)
        if isinstance(value, str) and value and not value.lstrip().startswith("{"):
            try:
                value = Path(value).read_text()
            except (OSError, ValueError) as error:
                # Not the error itself, which may hold the file.
                why = error.strerror if isinstance(error, OSError) else "it is no text"
                raise AccessDeniedError(
                    f"the file that a connection to Google names as {name} cannot be read ({why}). Run {LOGIN}, or correct "
                    "the name."
                ) from None
        user = _body(value) if isinstance(value, str | bytes) else value
        if isinstance(user, dict) and user.get("refresh_token"):
            return user
    return None


def is_rate_limited(answer: httpx.Response) -> bool:
    """Whether a refusal comes from a quota, and so will end within a minute."""
    return answer.status_code == 403 and bool(_reasons(_body(answer.content)) & PASSING_REASONS)


def _login_error(served: Api, error: RefreshError) -> AccessDeniedError:
    """Explain an error from getting an access token. Its first argument begins with the code (RFC 6749, section 5.2)."""
    code = str(error.args[0] if error.args else "").partition(":")[0]
    if code == "invalid_grant":
        return AccessDeniedError(
            "Google no longer accepts the refresh token (invalid_grant): it was revoked, or it expired. The refresh "
            "token of an OAuth app in the state 'Testing' expires after seven days: publish the app (Google Auth "
            f"Platform, Audience, Publish app; no verification is needed for yourself), then run {served.login} again."
        )
    if code == "invalid_scope":
        return AccessDeniedError(
            f"the refresh token was not granted the scope {served.scope}. Run {served.login} again."
        )
    if code in ("invalid_client", "unauthorized_client", "deleted_client"):
        return AccessDeniedError(
            f"Google does not know the OAuth client of the connection '{served.connection}', or its secret changed ({code}). "
            f"Make a new client, and run {served.login} with it."
        )
    reason = code if code.replace("_", "").isalpha() else "unknown reason"
    return AccessDeniedError(f"Google gave no access token ({reason}). Run {served.login} again.")


def _api_error(served: Api, what: str, status: int, body: JsonObject) -> SourceError:
    reasons = _reasons(body)
    if status == 401:
        return AccessDeniedError(
            f"Google refused an access token that it had just given (401). Run {served.login}."
        )
    if status == 403 and "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in reasons:
        return AccessDeniedError(
            f"the login may not read {what}: it lacks the scope {served.scope} (403). Run {served.login} again, and do not "
            "remove the tick at the access that Google asks for."
        )
    if status == 403 and reasons & {"SERVICE_DISABLED", "accessNotConfigured"}:
        return AccessDeniedError(
            f"the {served.title} is not enabled in the Google project of the OAuth client (403). Enable it at "
            f"https://console.cloud.google.com/apis/library/{served.name}.googleapis.com, and run it again in a few minutes."
        )
    error = body.get("error") or {}
    said = str(error.get("message") or "")[:200] if isinstance(error, dict) else ""
    why = ", ".join(sorted(reasons)) or "without a reason"
    return RefusedError(f"Google answered {status} ({why}) for {what}: {said}", status)


def _reasons(body: JsonObject) -> set[str]:
    """All reasons in the body of an error, in Google's older and newer form."""
    error = body.get("error")
    if not isinstance(error, dict):
        return set()
    given = [*(error.get("errors") or []), *(error.get("details") or [])]
    return {str(each["reason"]) for each in given if isinstance(each, dict) and each.get("reason")}


def _body(content: str | bytes) -> JsonObject:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
