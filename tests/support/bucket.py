"""A bucket of Google's on this machine, which takes one service account's key and nobody else."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import ThreadingHTTPServer
from typing import override
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gcp_storage_emulator.handlers import buckets
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

BUCKET = "gs://of-the-tests"
ACCOUNT = "reporting@of-the-tests.iam.gserviceaccount.com"
ACCESS_TOKEN = "ya29.of-the-service-account"


class _Handler(RequestHandler):
    """The emulator lets everybody in; this asks for the token that it gives for the account's key."""

    @override
    def do_GET(self) -> None:
        self._let_in(super().do_GET)

    @override
    def do_POST(self) -> None:
        if self.path == "/token":
            self._give_token()
        else:
            self._let_in(super().do_POST)

    @override
    def do_DELETE(self) -> None:
        self._let_in(super().do_DELETE)

    @override
    def do_PUT(self) -> None:
        self._let_in(super().do_PUT)

    @override
    def do_PATCH(self) -> None:
        self._let_in(super().do_PATCH)

    def _let_in(self, act: Callable[[], None]) -> None:
        if self.headers.get("Authorization") == f"Bearer {ACCESS_TOKEN}":
            # A client that has read the status may not stay for the rest.
            with suppress(BrokenPipeError, ConnectionResetError):
                act()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(401, {"error": {"code": 401, "message": "Anonymous caller does not have access."}})

    def _give_token(self) -> None:
        """https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests"""
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        claims = form["assertion"][0].split(".")[1]
        issuer = json.loads(base64.urlsafe_b64decode(claims + "=="))["iss"]
        assert issuer == ACCOUNT
        self._answer(200, {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve `BUCKET`, and yield the connection `bigquery` whose key opens it."""
    storage = Storage(use_memory_fs=True)
    buckets.create_bucket(BUCKET.removeprefix("gs://"), storage)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, storage))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
    # No credentials of the machine's.
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    try:
        yield service_account(f"{address}/token")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def service_account(token_uri: str) -> str:
    """A connection to Google with a key that was made for the test."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = {
        "type": "service_account",
        "project_id": "of-the-tests",
        "private_key_id": "1",
        "private_key": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "client_email": ACCOUNT,
        "token_uri": token_uri,
    }
    return json.dumps({"conn_type": "gcpbigquery", "extra": {"keyfile_dict": json.dumps(key)}})
