"""Shared code of the fake APIs: serving on loopback, parameters, transactions, and the control of faults."""

import argparse
import asyncio
import os
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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

from reporting.local.tokens import token_of
from sandbox.clock import CLOCK
from sandbox.faults import Faults
from sandbox.guard import Guard

HOST = "127.0.0.1"


class RefusedError(Exception):
    """A fake API cannot start. The message says why."""


class Kept(Protocol):
    """The data of a fake API, in one file."""

    database: sqlite3.Connection

    def renew(self) -> None:
        """Open the file again, because it was replaced."""


class Closable(Protocol):
    """A resource that a fake API holds open while it serves."""

    def close(self) -> None:
        """Close it."""


def serve(name: str, port: int, data: Path, opened: Callable[[], tuple[ASGIApp, Closable, str]]) -> int:
    """Serve until a signal ends the process. Returns 2 and prints the reason on standard error if it cannot start.

    Requests below `/_control` need the token in the folder `data`. `opened` is called when the port has been bound. It returns
    the application, a resource to close at the end, and a sentence about what is served.
    """
    # Only this user may read its files.
    os.umask(0o077)
    try:
        token = token_of(data)
    except OSError as error:
        return _refuse(name, f"{data} cannot be used ({error}). Choose another folder, or delete this one.")
    # asyncio only switches off Nagle's algorithm, which would delay answers by 40 ms, if the protocol is given.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            # Before the sentence is printed, because its reader may connect immediately; the connection then waits.
            listener.listen()
            app, store, sentence = opened()
            guarded = Guard(Dated(app), port, token, _is_control)
        except RefusedError as error:
            return _refuse(name, str(error))
        except (OSError, OverflowError) as error:
            return _refuse(
                name,
                f"port {port} cannot be used ({error}). Stop the program that uses it, or choose another port.",
            )
        print(f"{name} fake API on http://{HOST}:{port}{sentence}", flush=True)
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
    """Raise `RefusedError` if the folder was filled with other parameters than the requested ones."""
    other = {name: value for name, value in asked.items() if kept.get(name) != value}
    if kept and other:
        said = ", ".join(f"{name} {kept.get(name, 'none')} and not {value}" for name, value in other.items())
        raise RefusedError(f"{folder} was filled with {said}. Choose another folder, or delete this one.")


def is_filled(options: argparse.Namespace, kept: Mapping[str, str], names: Iterable[str]) -> bool:
    """Whether the folder was filled at an earlier start; `names` are the options that say with what.

    Raises `RefusedError` when that was with others than are given now.
    """
    asked = {name: text_of(value) for name in names if (value := getattr(options, name)) is not None}
    check_parameters(options.data, kept, asked)
    return bool(kept)


def sizes_of(options: argparse.Namespace, defaults: Mapping[str, int]) -> dict[str, int]:
    """The sizes of a sample: those that are given, and the defaults of the others."""
    given = {name: getattr(options, name) for name in defaults}
    return {name: default if given[name] is None else given[name] for name, default in defaults.items()}


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """A transaction: commit everything that the block writes, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


class Dated:
    """Middleware that sets the Date header from the fake API's own clock."""

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
    """POST /_control/clock advances the clock by some seconds, until the next start."""

    async def pass_time(request: Request) -> Response:
        CLOCK.passed += timedelta(seconds=float((await request.json())["seconds"]))
        return JSONResponse({"now": CLOCK.now().isoformat()})

    return [Route("/_control/clock", pass_time, methods=["POST"])]


def control_routes(faults: Callable[[], Faults], counts: Counter[str], store: Kept) -> list[Route]:
    """POST, GET and DELETE /_control/faults, GET /_control/faults/met and /_control/requests.

    POST /_control/faults/held with `held` suspends or resumes the faults. POST /_control/mark saves the present state, and
    POST /_control/reset restores it and removes all remaining faults.
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
    """A parameter as text, as it is stored."""
    return str(value.resolve() if isinstance(value, Path) else value)


def _is_control(path: str) -> bool:
    return path.startswith("/_control")


def _refuse(name: str, reason: str) -> int:
    print(f"The {name} fake API did not start: {reason}", file=sys.stderr)
    return 2
