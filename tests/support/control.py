"""Clients of the fake APIs that may also control them."""

from typing import Any

import httpx

from reporting.local.serving import Served


def client(served: Served, **options: Any) -> httpx.Client:
    """A client of a fake API. It carries the fake API's own token to where tests control it, and nowhere else."""

    def authorize(request: httpx.Request) -> None:
        if request.url.path.startswith("/_control"):
            request.headers["Authorization"] = f"Bearer {served.token}"

    return httpx.Client(base_url=served.address, event_hooks={"request": [authorize]}, **options)
