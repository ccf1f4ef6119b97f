"""What every stand-in shares: serving on loopback, its parameters, transactions, and its fault controls."""

import asyncio
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.faults import Faults

HOST = "127.0.0.1"


class RefusedError(Exception):
    """Why a stand-in does not start."""


class Closable(Protocol):
    """What a stand-in keeps open while it serves."""

    def close(self) -> None:
        """Close it."""


def serve(name: str, port: int, opened: Callable[[], tuple[ASGIApp, Closable, str]]) -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error.

    `opened` gives the app, what to close afterwards, and a sentence about what is served. It is called once the
    port is this process's.
    """
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it an answer takes 40 ms more.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            # Before the sentence is printed: who reads it may connect at once, and waits until it is served.
            listener.listen()
            app, store, sentence = opened()
        except RefusedError as error:
            return _refuse(name, str(error))
        except (OSError, OverflowError) as error:
            return _refuse(
                name, f"port {port} cannot be used ({error}). End what listens there, or choose another."
            )
        print(f"{name} stand-in on http://{HOST}:{port}{sentence}", flush=True)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        try:
            asyncio.run(uvicorn.Server(config).serve([listener]))
        except KeyboardInterrupt:
            return 0
        finally:
            store.close()
    return 0


def check_parameters(folder: Path, kept: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Raise `RefusedError` when the folder was filled with other parameters than those asked for."""
    other = {name: value for name, value in asked.items() if kept.get(name) != value}
    if kept and other:
        said = ", ".join(f"{name} {kept.get(name, 'none')} and not {value}" for name, value in other.items())
        raise RefusedError(f"{folder} was filled with {said}. Choose another folder, or delete this one.")


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Write everything in the block or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def control_routes(faults: Callable[[], Faults], counts: Counter[str]) -> list[Route]:
    """POST, GET and DELETE /_control/faults, and GET /_control/requests."""

    async def ask(request: Request) -> Response:
        try:
            faults().ask_for(await request.json())
        except (ValueError, TypeError) as wrong:
            return JSONResponse({"error": str(wrong)}, 400)
        return JSONResponse(faults().left())

    async def show(_: Request) -> Response:
        return JSONResponse(faults().left())

    async def clear(_: Request) -> Response:
        faults().faults.clear()
        return JSONResponse([])

    async def requests(_: Request) -> Response:
        return JSONResponse(dict(counts))

    return [
        Route("/_control/faults", ask, methods=["POST"]),
        Route("/_control/faults", show, methods=["GET"]),
        Route("/_control/faults", clear, methods=["DELETE"]),
        Route("/_control/requests", requests, methods=["GET"]),
    ]


def text_of(value: Any) -> str:
    """A parameter as it is kept."""
    return str(value.resolve() if isinstance(value, Path) else value)


def _refuse(name: str, reason: str) -> int:
    print(f"The {name} stand-in did not start: {reason}", file=sys.stderr)
    return 2
