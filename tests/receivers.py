"""What a message is sent to, on loopback: a mail server, and an HTTP server for webhooks and pings."""

import base64
import json
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Received:
    """What came, in order. `status` is what an HTTP request is answered with."""

    def __init__(self) -> None:
        self.port = 0
        self.status = 200
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

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _serving(server):
        received.port = server.server_address[1]
        yield received


@contextmanager
def mail_server(password: str | None = None) -> Iterator[Received]:
    """Takes mail (RFC 5321), from whoever gives `password` when there is one."""
    received = Received()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            is_in = password is None
            receiver = ""
            while line := self.rfile.readline().decode().strip():
                word = line.split()[0].upper()
                if word == "EHLO":
                    self._say("250-here", "250 AUTH PLAIN")
                elif word == "AUTH":
                    is_in = base64.b64decode(line.split()[-1]).decode().split("\0")[-1] == password
                    self._say("235 in" if is_in else "535 out")
                elif word == "MAIL" and not is_in:
                    self._say("530 sign in first")
                elif word == "RCPT":
                    receiver = line.partition("<")[2].partition(">")[0]
                    self._say("250 well")
                elif word == "DATA":
                    self._say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    received.put(receiver, b"".join(lines).decode())
                    self._say("250 well")
                elif word == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 well")

        def _say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server):
        received.port = server.server_address[1]
        yield received


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
