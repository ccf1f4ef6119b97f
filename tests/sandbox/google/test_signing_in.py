"""The token endpoint and the consent page answer as Google's guide for installed apps says."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.google import SCOPES
from tests.sandbox.google.account import CLIENT, CONNECTIONS, REFRESH, Account

FIELDS = {"personFields": "names"}
SCOPE = "https://www.googleapis.com/auth/contacts.readonly"
REVOKED = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
REDIRECT = "http://127.0.0.1:8765/callback"
VERIFIER = "an-invented-code-verifier-of-forty-three-characters"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CONSENT = {
    "client_id": CLIENT["client_id"],
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "scope": SCOPE,
    "state": "invented state",
    "access_type": "offline",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}

Start = Callable[..., Account]


def consented(account: Account, **query: str) -> dict[str, str]:
    """What the app's redirect address is told."""
    answer = account.http.get("/o/oauth2/v2/auth", params=CONSENT | query)
    assert answer.status_code == 302
    address = urlsplit(answer.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == REDIRECT
    return {name: value for name, (value,) in parse_qs(address.query).items()}


def exchanged(account: Account, code: str, /, **body: str) -> Any:
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": REDIRECT, "code": code}
    return account.http.post("/token", data={**form, "code_verifier": VERIFIER} | body)


def test_a_refresh_token_gives_access_tokens(google: Account) -> None:
    answer = google.http.post("/token", data=REFRESH).json()
    assert set(answer) == {"access_token", "expires_in", "scope", "token_type"}
    assert (answer["expires_in"], answer["scope"], answer["token_type"]) == (3599, " ".join(SCOPES), "Bearer")
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert google.http.get(CONNECTIONS, params=FIELDS, headers=headers).status_code == 200


def test_an_app_may_say_who_it_is_in_a_header(google: Account) -> None:
    body = {name: value for name, value in REFRESH.items() if name not in CLIENT}
    right, wrong = tuple(CLIENT.values()), (CLIENT["client_id"], "other")
    # The Authorization header of the account itself is an access token's.
    assert httpx.post(f"{google.address}/token", data=body, auth=right).status_code == 200
    refused = httpx.post(f"{google.address}/token", data=body, auth=wrong)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    broken = httpx.post(f"{google.address}/token", data=body, headers={"Authorization": "Basic *"})
    assert (broken.status_code, broken.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("other", "status", "code"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"client_secret": "other"}, 401, "invalid_client"),
        ({"refresh_token": "other"}, 400, "invalid_grant"),
    ],
)
def test_token_refusals(google: Account, other: dict[str, str], status: int, code: str) -> None:
    answer = google.http.post("/token", data=REFRESH | other)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["error_description"]


def test_a_revoked_refresh_token_is_an_invalid_grant(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    assert account.http.post("/revoke", data={"token": REFRESH["refresh_token"]}).status_code == 200
    answer = account.http.post("/token", data=REFRESH)
    assert (answer.status_code, answer.json()) == (400, REVOKED)
    assert account.refusal(CONNECTIONS, **FIELDS)[0] == 401
    again = account.http.post("/revoke", data={"token": REFRESH["refresh_token"]})
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


def test_a_refresh_token_can_end(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--refresh-token-lifetime", str(7 * 86400))
    account.pass_time(6 * 86400)
    account.sign_in()
    granted = exchanged(account, consented(account)["code"]).json()
    assert granted["refresh_token_expires_in"] == 7 * 86400
    account.pass_time(2 * 86400)
    assert account.http.post("/token", data=REFRESH).json() == REVOKED
    renewed = account.http.post("/token", data=REFRESH | {"refresh_token": granted["refresh_token"]})
    assert renewed.status_code == 200


def test_access_tokens_are_needed_and_expire(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path, "--token-lifetime", "600")
    account.get(CONNECTIONS, **FIELDS)
    account.pass_time(601)
    answer = account.http.get(CONNECTIONS, params=FIELDS)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (401, 401, "UNAUTHENTICATED")
    assert error["message"].startswith("Request had invalid authentication credentials.")
    assert "invalid_token" in answer.headers["www-authenticate"]
    account.sign_in()
    account.get(CONNECTIONS, **FIELDS)
    del account.http.headers["Authorization"]
    status, error = account.refusal("/v1/contactGroups")
    assert (status, error["status"]) == (401, "UNAUTHENTICATED")
    assert error["message"].startswith("Request is missing required authentication credential.")


def test_a_login_with_pkce(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    told = consented(account)
    assert (told["state"], told["scope"]) == ("invented state", SCOPE)
    for body, error in (
        ({"code_verifier": "other"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:1/"}, "redirect_uri_mismatch"),
        ({"client_secret": "other"}, "invalid_client"),
        ({"code": "other"}, "invalid_grant"),
    ):
        assert exchanged(account, told["code"], **body).json()["error"] == error
    granted = exchanged(account, told["code"]).json()
    assert set(granted) == {"access_token", "expires_in", "refresh_token", "scope", "token_type"}
    # A code is for one use, and for ten minutes.
    assert exchanged(account, told["code"]).json()["error"] == "invalid_grant"
    late = consented(account)["code"]
    account.pass_time(601)
    assert exchanged(account, late).json()["error"] == "invalid_grant"
    renewed = account.http.post("/token", data=REFRESH | {"refresh_token": granted["refresh_token"]}).json()
    account.http.headers["Authorization"] = f"Bearer {renewed['access_token']}"
    account.get(CONNECTIONS, **FIELDS)


def test_a_login_without_the_scope_may_not_read(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    granted = exchanged(account, consented(account, scope="openid email")["code"]).json()
    account.http.headers["Authorization"] = f"Bearer {granted['access_token']}"
    status, error = account.refusal(CONNECTIONS, **FIELDS)
    assert (status, error["status"]) == (403, "PERMISSION_DENIED")
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


def test_a_consent_can_be_denied(start: Start, tmp_path: Path) -> None:
    account = start(tmp_path)
    account.control("POST", "consent/deny")
    assert consented(account) == {"state": "invented state", "error": "access_denied"}
    assert "code" in consented(account)


@pytest.mark.parametrize(
    ("other", "status", "said"),
    [
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"redirect_uri": "https://example.com/"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://127.0.0.1.example.com/"}, 400, "redirect_uri_mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": ""}, 400, "scope"),
    ],
)
def test_consent_refusals_stay_in_the_browser(
    google: Account, other: dict[str, str], status: int, said: str
) -> None:
    answer = google.http.get("/o/oauth2/v2/auth", params=CONSENT | other)
    assert (answer.status_code, said in answer.text) == (status, True)
