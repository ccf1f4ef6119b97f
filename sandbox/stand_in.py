"""What every stand-in shares: serving on loopback, its parameters, transactions, and its fault controls."""

import asyncio
import os
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.clock import CLOCK
from sandbox.faults import Faults
from sandbox.guard import Guard, token_of

HOST = "127.0.0.1"


class RefusedError(Exception):
    """Why a stand-in does not start."""


class Kept(Protocol):
    """What a stand-in keeps, in one file."""

    database: sqlite3.Connection

    def renew(self) -> None:
        """Take in that the file is another one."""


class Closable(Protocol):
    """What a stand-in keeps open while it serves."""

    def close(self) -> None:
        """Close it."""


def serve(name: str, port: int, data: Path, opened: Callable[[], tuple[ASGIApp, Closable, str]]) -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error.

    What is under `/_control` takes the token in the folder `data`. `opened` gives the app, what to close afterwards, and a
    sentence about what is served. It is called once the port is this process's.
    """
    # What it keeps is for this user alone.
    os.umask(0o077)
    try:
        token = token_of(data)
    except OSError as error:
        return _refuse(name, f"{data} cannot be used ({error}). Choose another folder, or delete this one.")
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it an answer takes 40 ms more.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            # Before the sentence is printed: who reads it may connect at once, and waits until it is served.
            listener.listen()
            app, store, sentence = opened()
            guarded = Guard(Dated(app), port, token, _is_control)
        except RefusedError as error:
            return _refuse(name, str(error))
        except (OSError, OverflowError) as error:
            return _refuse(
                name, f"port {port} cannot be used ({error}). End what listens there, or choose another."
            )
        print(f"{name} stand-in on http://{HOST}:{port}{sentence}", flush=True)
        config = uvicorn.Config(
            guarded, log_level="warning", access_log=False, lifespan="off", date_header=False
        )
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


class Dated:
    """Middleware: the Date header is of the stand-in's own clock."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(CLOCK.now(), usegmt=True).encode()
                message = {**message, "headers": [*message.get("headers", ()), (b"date", date)]}
            await send(message)

        await self.app(scope, receive, dated)


def clock_routes() -> list[Route]:
    """POST /_control/clock: so many seconds pass at once, until the next start."""

    async def pass_time(request: Request) -> Response:
        CLOCK.passed += timedelta(seconds=float((await request.json())["seconds"]))
        return JSONResponse({"now": CLOCK.now().isoformat()})

    return [Route("/_control/clock", pass_time, methods=["POST"])]


def control_routes(faults: Callable[[], Faults], counts: Counter[str], store: Kept) -> list[Route]:
    """POST, GET and DELETE /_control/faults, GET /_control/faults/met and /_control/requests.

    POST /_control/faults/held with `held` says whether they wait. POST /_control/mark keeps everything as it is now, and POST /_control/reset brings that back; what faults there
    are left goes.
    """
    marked = sqlite3.connect(":memory:", check_same_thread=False)
    marked_clock = timedelta()

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

    async def met(_: Request) -> Response:
        return JSONResponse(dict(faults().met))

    async def hold(request: Request) -> Response:
        faults().is_held = bool((await request.json())["held"])
        return JSONResponse({})

    async def mark(_: Request) -> Response:
        nonlocal marked_clock
        store.database.backup(marked)
        marked_clock = CLOCK.passed
        return JSONResponse({})

    async def reset(_: Request) -> Response:
        marked.backup(store.database)
        store.renew()
        CLOCK.passed = marked_clock
        faults().faults.clear()
        faults().met.clear()
        faults().is_held = False
        return JSONResponse({})

    async def requests(_: Request) -> Response:
        return JSONResponse(dict(counts))

    return [
        Route("/_control/faults", ask, methods=["POST"]),
        Route("/_control/faults", show, methods=["GET"]),
        Route("/_control/faults", clear, methods=["DELETE"]),
        Route("/_control/faults/met", met, methods=["GET"]),
        Route("/_control/faults/held", hold, methods=["POST"]),
        Route("/_control/mark", mark, methods=["POST"]),
        Route("/_control/reset", reset, methods=["POST"]),
        Route("/_control/requests", requests, methods=["GET"]),
    ]


def text_of(value: Any) -> str:
    """A parameter as it is kept."""
    return str(value.resolve() if isinstance(value, Path) else value)


def _is_control(path: str) -> bool:
    return path.startswith("/_control")


def _refuse(name: str, reason: str) -> int:
    print(f"The {name} stand-in did not start: {reason}", file=sys.stderr)
    return 2
