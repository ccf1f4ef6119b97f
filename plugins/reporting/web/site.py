"""Shows the report within Airflow's web interface: `/reporting/site/`, for everybody who may read the DAG that makes it.

Airflow mounts the applications of plugins without its own sign-in, so Airflow's dependency for its API (a cookie or a token) is
used before every answer here. Only names of pages and assets can be requested; other files in the folder or bucket of
`REPORTING_SITE_URI` cannot.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import TYPE_CHECKING, Any

from reporting.reports import DAG
from reporting.web.guard import App, Receive, Scope, Send

if TYPE_CHECKING:
    from reporting.reports.site import Site

PREFIX = "/reporting/site"
THREADS = 4
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# In addition to the policy in the pages themselves: only Airflow's pages may show them in a frame.
HEADERS = {"X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": "frame-ancestors 'self'"}
# Pages hold personal data and change every day. Assets may be cached forever, since their names change with their content.
PAGE_CACHE, ASSET_CACHE = "no-store", "private, max-age=31536000, immutable"
SAID = {
    401: ("Sign in first", "You have to sign in to Airflow to see the report."),
    403: ("Not for this account", f"To see the report, an account needs the right to read the DAG {DAG}."),
    404: ("There is no such page", "The report has no page of this name."),
}
NOT_MADE = (
    "There is no report yet",
    f"Run the DAG {DAG}, or script/report on the machine. It needs the marts: they are built after the first sync.",
)


class Lazy:
    """An ASGI application that is created by its first request, since every process of Airflow loads plugins but only the
    api-server serves them."""

    def __init__(self, make: Callable[[], App]) -> None:
        self._make = make
        self._app: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Create the application if needed, and pass the request to it."""
        if self._app is None:
            self._app = self._make()
        await self._app(scope, receive, send)


def app() -> Lazy:
    """The application that the plugin mounts."""
    return Lazy(_with_airflow)


def application(may_read: Callable[..., Any], site: "Callable[[], Site]") -> App:
    """An application with the pages of `site`. The dependency `may_read` refuses requests without the right to read them."""
    from fastapi import Depends, FastAPI, HTTPException, Request, Response

    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(may_read)])

    # Separate threads, so that a slow bucket does not block the server's own.
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="site")

    @made.api_route("/{name:path}", methods=["GET", "HEAD"])
    async def serve(name: str) -> Response:
        name = name or "index.html"
        content = await asyncio.get_running_loop().run_in_executor(threads, lambda: site().read(name))
        if content is None:
            said = NOT_MADE if name == "index.html" else SAID[404]
            return Response(_page(*said), 404, {**HEADERS, "Cache-Control": PAGE_CACHE}, TYPES["html"])
        cache = PAGE_CACHE if name.endswith(".html") else ASSET_CACHE
        return Response(
            content, headers={**HEADERS, "Cache-Control": cache}, media_type=TYPES[name.rpartition(".")[2]]
        )

    @made.exception_handler(HTTPException)
    def refuse(_: Request, error: HTTPException) -> Response:
        title, text = SAID.get(error.status_code, ("The report cannot be shown", ""))
        return Response(
            _page(title, text), error.status_code, {**HEADERS, "Cache-Control": PAGE_CACHE}, TYPES["html"]
        )

    return made


def _with_airflow() -> App:
    from airflow.api_fastapi.core_api.security import requires_access_dag

    from reporting.reports.site import Site
    from reporting.settings import read_settings

    found = Site.of(read_settings())
    return application(requires_access_dag("GET", param_dag_id=DAG), lambda: found)


def _page(title: str, text: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark"><title>Reporting</title>'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(text)}</p></body></html>"
    )
