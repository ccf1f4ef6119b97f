"""What a message is sent to, on loopback: a mail server, and an HTTP server for webhooks and pings."""

import asyncio
import json
import queue
import socketserver
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope


class Received:
    """What came, in order. `status` is what an HTTP request is answered with."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
        # What comes behind the head of an answer, over and over until nobody listens.
        self.endless = b""
        self._queue: queue.Queue[tuple[str, str]] = queue.Queue()

    def put(self, what: str, text: str) -> None:
        """Add one."""
        self._queue.put((what, text))

    def next(self, seconds: float = 60) -> tuple[str, str]:
        """The next: its path or receiver, and its text. Raises `queue.Empty` when none comes."""
        return self._queue.get(timeout=seconds)

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()


@contextmanager
def http_server() -> Iterator[Received]:
    """Takes GET and POST; the text is that of a webhook's body."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert set(body) == {"text"}
            self._answer(body["text"])

        def _answer(self, text: str) -> None:
            self.send_response(received.status)
            self.end_headers()
            received.put(self.path, text)
            with suppress(OSError):
                while received.endless:
                    self.wfile.write(received.endless)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _serving(server):
        received.port = server.server_address[1]
        yield received


@contextmanager
def answering(
    answers: Mapping[str, tuple[int, bytes]], tls: tuple[Path, Path] | None = None
) -> Iterator[int]:
    """Answers these paths, and 404 to all others; `tls` is the certificate and its key. Returns the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with _serving(server):
        yield server.server_address[1]


@contextmanager
def mail_server(
    password: str | None = None,
    *,
    refused: Collection[str] = (),
    tls: ssl.SSLContext | None = None,
    size_limit: int | None = None,
) -> Iterator[Received]:
    """Takes mail (RFC 5321), from whoever gives `password` when there is one. What came is the receivers, and the text.

    It does not take mail for those in `refused`, insists on STARTTLS with `tls`, and announces `size_limit` in bytes.
    """
    received = Received()

    class Handler:
        async def handle_RCPT(  # noqa: N802 (aiosmtpd calls it so)
            self, server: Any, session: Any, envelope: Envelope, address: str, options: list[str]
        ) -> str:
            if address in refused:
                return "550 nobody here"
            envelope.rcpt_tos.append(address)
            return "250 well"

        async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
            content = envelope.original_content or b""
            received.put(",".join(envelope.rcpt_tos), content.decode())
            return "250 well"

    def allowed(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        is_right = password is None or given.password == password.encode()
        return AuthResult(success=is_right, handled=False)

    def protocol() -> SMTP:
        return SMTP(
            Handler(),
            hostname="here",
            loop=loop,
            data_size_limit=size_limit,
            authenticator=allowed,
            auth_required=password is not None,
            auth_require_tls=tls is not None,
            tls_context=tls,
            require_starttls=tls is not None,
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        serving = asyncio.run_coroutine_threadsafe(loop.create_server(protocol, "127.0.0.1", 0), loop)
        server = serving.result(10)
        received.port = server.sockets[0].getsockname()[1]
        yield received
        loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
