"""Serves an ASGI application below a path, on loopback, in a thread."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from reporting.web.guard import App


@contextmanager
def served_app(app: App, prefix: str) -> Iterator[str]:
    """The address of a server that ends with the block."""
    mounted = Starlette(routes=[Mount(prefix, app)])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        # Before the thread begins: a connection waits until it has.
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(mounted, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
