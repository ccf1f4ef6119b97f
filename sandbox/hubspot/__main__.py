"""Serves the fake API for HubSpot on loopback: `python -m sandbox.hubspot --port 9070 --data var/demo/hubspot`.

It takes any token unless `--token` names one. Its records are made at the first start and kept in the folder, with
that day as their today.
"""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

from starlette.types import ASGIApp

from sandbox.fake_api import RefusedError, is_filled, serve, sizes_of
from sandbox.hubspot.app import app_of
from sandbox.hubspot.sample import Sample
from sandbox.hubspot.store import Store

SIZES = {"seed": 1, "contacts": 300, "companies": 80, "deals": 40, "engagements": 1500, "days": 365}


def main() -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error."""
    parser = argparse.ArgumentParser("sandbox.hubspot", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything it keeps")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=None, help=f"(default {size})")
    parser.add_argument(
        "--today", type=date.fromisoformat, help="the last day of the sample (default: the first start)"
    )
    parser.add_argument("--token", help="the only token that it takes")
    parser.add_argument(
        "--rate-limit", type=int, help="requests in ten seconds; five searches a second then, too"
    )
    parser.add_argument("--search-lag", type=float, default=0.0, help="seconds that the search is behind")
    parser.add_argument("--scopes", help="all scopes that the token has, with commas (default: every one)")
    options = parser.parse_args()

    def opened() -> tuple[ASGIApp, Store, str]:
        store = Store(options.data)
        try:
            _fill(store, options)
        except RefusedError:
            store.close()
            raise
        scopes = frozenset(options.scopes.split(",")) if options.scopes else None
        app = app_of(store, options.token, options.rate_limit, options.search_lag, scopes)
        held = ", ".join(f"{name} {value}" for name, value in store.parameters().items())
        return app, store, f": {held}."

    return serve("HubSpot", options.port, options.data, opened)


def _fill(store: Store, options: argparse.Namespace) -> None:
    """Make the records at the first start. Raises `RefusedError` when it cannot."""
    if is_filled(options, store.parameters(), (*SIZES, "today")):
        return
    now = datetime.now(UTC)
    sizes = sizes_of(options, SIZES)
    if min(sizes[name] for name in ("contacts", "companies", "deals")) < 1 or sizes["days"] < 40:
        raise RefusedError("it needs at least a contact, a company and a deal, and forty days.")
    sample = Sample(**sizes, today=options.today or now.date(), started_at=now)
    parameters = {name: str(getattr(sample, name)) for name in (*SIZES, "today")}
    store.fill(parameters, sample.records(), sample.links)


if __name__ == "__main__":
    raise SystemExit(main())
