"""Small fake APIs for declared sources: lists in memory, paged in one of the usual ways, and served on loopback.

    python -m sandbox.lists sandbox.todoist --port 9090

It shares no code with what reads it. A fake is whatever takes a request and gives an answer, so that a test can hand it to a
client without a network.
"""

import argparse
import base64
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import httpx

HOST = "127.0.0.1"
WAYS = ("none", "link", "address", "relative", "cursor", "after_last", "offset", "page")
Record = dict[str, Any]
Fake = Callable[[httpx.Request], httpx.Response]


class Lists:
    """Serves `lists` of records by their paths, at most `cap` a page, paged in the way `way`.

    The list of an answer is in its field `field`; with an empty one the answer is the list. `cursor` is the field of
    the next cursor or address, and `parameter` takes the cursor in a request; `key` is the key of a record. A path below that of a list is one record.
    `base` is what their paths begin with. With `secret` only requests that hold it are answered, wherever they hold it.
    """

    def __init__(
        self,
        lists: dict[str, list[Record]],
        way: str = "none",
        cap: int = 100,
        *,
        field: str = "items",
        cursor: str = "",
        parameter: str = "cursor",
        key: str = "id",
        secret: str = "",
        base: str = "",
    ) -> None:
        self.lists, self.way, self.cap = lists, way, cap
        self.field, self.cursor, self.parameter, self.key = field, cursor, parameter, key
        self.secret, self.base = secret, base
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.asked.append(request)
        if self.secret and not self._is_signed(request):
            return httpx.Response(401, json={"error": "the token is wrong"})
        path = request.url.path.removeprefix(self.base).strip("/")
        if path in self.lists:
            return self._page(request, self.chosen(path, request))
        folder, _, key = path.rpartition("/")
        found = [each for each in self.lists.get(folder, ()) if str(each.get(self.key)) == key]
        return (
            httpx.Response(200, json=found[0]) if found else httpx.Response(404, json={"error": "not found"})
        )

    def chosen(self, path: str, request: httpx.Request) -> list[Record]:
        """The records of the list that a request is about."""
        return self.lists[path]

    def _is_signed(self, request: httpx.Request) -> bool:
        given = request.headers.get("Authorization", "").partition(" ")[2]
        basic = base64.b64encode(self.secret.encode()).decode()
        return given in (self.secret, basic) or self.secret in (
            *request.headers.values(),
            *request.url.params.values(),
        )

    def _page(self, request: httpx.Request, records: list[Record]) -> httpx.Response:
        asked = request.url.params
        size = min(int(asked.get("limit", self.cap)), self.cap)
        begin = self._begin(records, asked, size)
        if begin is None:
            return httpx.Response(400, json={"error": "the cursor is wrong"})
        end = begin + size
        page, has_more = records[begin:end], end < len(records)
        if self.way == "none":
            page = records
        headers: dict[str, str] = {}
        body: Any = put({}, self.field, page)
        path = f"{request.url.path}?from={end}&limit={size}"
        address = f"{request.url.scheme}://{request.url.netloc.decode()}{path}"
        match self.way:
            case "link" if has_more:
                headers["Link"] = f'<{request.url.path}?from=0>; rel="first", <{address}>; rel="next"'
            case "address":
                body = put(body, self.cursor or "next", address if has_more else None)
            case "relative":
                body = put(body, self.cursor or "next", path if has_more else None)
            case "cursor":
                cursor = base64.b64encode(f"c{end}".encode()).decode() if has_more else None
                body = put(body, self.cursor or "next_cursor", cursor)
            case "after_last":
                body["has_more"] = has_more
            case "offset":
                body["total"] = len(records)
            case "page":
                body["pages"] = -(-len(records) // size)
        return httpx.Response(200, json=body, headers=headers)

    def _begin(self, records: list[Record], asked: httpx.QueryParams, size: int) -> int | None:
        match self.way:
            case "cursor" if self.parameter in asked:
                return int(base64.b64decode(asked[self.parameter])[1:])
            case "after_last" if "starting_after" in asked:
                keys = [str(each[self.key]) for each in records]
                return keys.index(asked["starting_after"]) + 1 if asked["starting_after"] in keys else None
            case "offset":
                return int(asked["offset"])
            case "page":
                return (int(asked["page"]) - 1) * size
        return int(asked.get("from", 0))


def put(body: Any, path: str, value: Any) -> Any:
    """`body` with `value` at `path`, names with dots between; with an empty path the value itself."""
    if not path:
        return value
    name, _, rest = path.partition(".")
    return {**body, name: put(body.get(name, {}), rest, value)}


@contextmanager
def served(fake: Fake, port: int = 0) -> Iterator[str]:
    """Serve `fake` on loopback in a thread, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one request."""
            length = int(self.headers.get("Content-Length") or 0)
            answer = fake(
                httpx.Request(
                    self.command,
                    f"http://{self.headers['Host']}{self.path}",
                    headers=list(self.headers.items()),
                    content=self.rfile.read(length),
                )
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815 (named by the standard library)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer((HOST, port), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> int:
    """Serve the fake of a module, its function `fake`, until it is interrupted."""
    parser = argparse.ArgumentParser("sandbox.lists", description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    with served(importlib.import_module(options.module).fake(), options.port) as address:
        print(f"fake API on {address}; its token is in {options.module}", flush=True)
        try:
            Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
