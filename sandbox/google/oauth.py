"""The consent page and the token endpoint, for an app on the user's own machine.

https://developers.google.com/identity/protocols/oauth2/native-app
"""

import hashlib
import hmac
import secrets
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from sandbox.google.errors import OAuthError
from sandbox.google.schema import Json
from sandbox.google.store import Store

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CODE_SECONDS = 600
REVOKED = "Token has been expired or revoked."


@dataclass(frozen=True, slots=True)
class Client:
    """The app: its id and secret, and how long what it is granted lasts."""

    client_id: str
    client_secret: str
    token_lifetime: float
    refresh_token_lifetime: float | None = None


class Authorization:
    """The endpoints over one store. The user consents to everything, unless the next consent is to be denied."""

    def __init__(self, store: Store, client: Client) -> None:
        self.store, self.client = store, client
        self.is_denied_next = False

    async def consent(self, request: Request) -> Response:
        """GET /o/oauth2/v2/auth: back to the app, with a code."""
        query = request.query_params
        if query.get("client_id") != self.client.client_id:
            return _page(401, "invalid_client", "The OAuth client was not found.")
        address = urlsplit(query.get("redirect_uri", ""))
        if address.scheme != "http" or address.hostname not in LOOPBACK:
            return _page(400, "redirect_uri_mismatch", "The redirect URI is none of the app's.")
        for name in ("response_type", "scope"):
            if not query.get(name):
                return _page(400, "invalid_request", f"Required parameter is missing: {name}")
        if query["response_type"] != "code":
            return _page(400, "unsupported_response_type", "Only a code is given.")
        method = query.get("code_challenge_method", "plain")
        if method not in ("plain", "S256"):
            return _page(400, "invalid_request", f"Invalid code_challenge_method: {method}")
        answer = {"state": query["state"]} if "state" in query else {}
        if self.is_denied_next:
            self.is_denied_next = False
            answer |= {"error": "access_denied"}
        else:
            code = f"4/0A{secrets.token_urlsafe(40)}"
            bound = {
                "redirect_uri": query["redirect_uri"],
                "scope": query["scope"],
                "challenge": query.get("code_challenge"),
                "method": method,
            }
            self.store.grant("code", code, bound, CODE_SECONDS)
            answer |= {"code": code, "scope": query["scope"]}
        joint = "&" if address.query else "?"
        return RedirectResponse(f"{query['redirect_uri']}{joint}{urlencode(answer)}", 302)

    async def token(self, request: Request) -> Json:
        """POST /token: access tokens for a refresh token or a code."""
        body = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)) | _basic(request)
        kind = body.get("grant_type")
        if not kind:
            raise OAuthError(400, "invalid_request", "Required parameter is missing: grant_type")
        if kind not in ("refresh_token", "authorization_code"):
            raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
        if body.get("client_id") != self.client.client_id:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
        if not hmac.compare_digest(body.get("client_secret", ""), self.client.client_secret):
            raise OAuthError(401, "invalid_client", "The provided client secret is invalid.")
        if kind == "refresh_token":
            return self._refreshed(body.get("refresh_token", ""))
        return self._exchanged(body)

    async def revoke(self, request: Request) -> Response:
        """POST /revoke: the end of a refresh token, or of the one that gave an access token.

        https://developers.google.com/identity/protocols/oauth2/native-app#tokenrevoke
        """
        body = dict(parse_qsl((await request.body()).decode()))
        token = body.get("token") or request.query_params.get("token", "")
        if access := self.store.granted("access", token):
            token = access[0]["refresh_token"]
        known = self.store.granted("refresh", token)
        if known is None or not known[1]:
            raise OAuthError(400, "invalid_token", "Token expired or revoked")
        self.store.revoke(token)
        return JSONResponse({})

    def scopes(self, access_token: str) -> frozenset[str] | None:
        """What an access token allows; None when it is unknown or expired."""
        found = self.store.granted("access", access_token)
        return frozenset(found[0]["scope"].split()) if found and found[1] else None

    def _refreshed(self, refresh_token: str) -> Json:
        found = self.store.granted("refresh", refresh_token)
        if found is None:
            raise OAuthError(400, "invalid_grant", "Bad Request")
        if not found[1]:
            raise OAuthError(400, "invalid_grant", REVOKED)
        return self._access(refresh_token, found[0]["scope"])

    def _exchanged(self, body: dict[str, str]) -> Json:
        code = body.get("code", "")
        found = self.store.granted("code", code)
        if found is None:
            raise OAuthError(400, "invalid_grant", "Malformed auth code.")
        bound, is_valid = found
        if not is_valid:
            raise OAuthError(400, "invalid_grant", "Bad Request")
        if body.get("redirect_uri") != bound["redirect_uri"]:
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        if bound["challenge"] is not None:
            verifier = body.get("code_verifier")
            if not verifier:
                raise OAuthError(400, "invalid_grant", "Missing code verifier.")
            if _challenge(verifier, bound["method"]) != bound["challenge"]:
                raise OAuthError(400, "invalid_grant", "Invalid code verifier.")
        self.store.end("code", code)
        refresh_token = f"1//0{secrets.token_urlsafe(48)}"
        lifetime = self.client.refresh_token_lifetime
        self.store.grant("refresh", refresh_token, {"scope": bound["scope"]}, lifetime)
        # An app that Google has not verified is told when its refresh token ends.
        limited = {} if lifetime is None else {"refresh_token_expires_in": round(lifetime)}
        return self._access(refresh_token, bound["scope"]) | {"refresh_token": refresh_token} | limited

    def _access(self, refresh_token: str, scope: str) -> Json:
        token = f"ya29.{secrets.token_urlsafe(64)}"
        lifetime = self.client.token_lifetime
        self.store.grant("access", token, {"refresh_token": refresh_token, "scope": scope}, lifetime)
        return {
            "access_token": token,
            "expires_in": round(lifetime),
            "scope": scope,
            "token_type": "Bearer",
        }


def _basic(request: Request) -> dict[str, str]:
    """The app's id and secret where they are not in the body: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1"""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        return {}
    try:
        client_id, _, client_secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise OAuthError(401, "invalid_client", "The OAuth client was not found.") from None
    return {"client_id": client_id, "client_secret": client_secret}


def _challenge(verifier: str, method: str) -> str:
    """https://www.rfc-editor.org/rfc/rfc7636#section-4.6"""
    if method == "plain":
        return verifier
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _page(status: int, code: str, text: str) -> Response:
    """What the user sees in the browser instead of a consent page."""
    return HTMLResponse(f"<html><body><h1>Error {status}: {code}</h1><p>{text}</p></body></html>", status)
