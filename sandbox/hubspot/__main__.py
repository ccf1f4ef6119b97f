"""Serves the stand-in for HubSpot on loopback: `python -m sandbox.hubspot --port 9070 --data var/demo/hubspot`.

It takes any token unless `--token` names one. Its records are made at the first start and kept in the folder, with
that day as their today.
"""

import argparse
import asyncio
import socket
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import uvicorn

from sandbox.hubspot.app import app_of
from sandbox.hubspot.sample import Sample
from sandbox.hubspot.store import Store

HOST = "127.0.0.1"
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

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, options.port))
        except (OSError, OverflowError) as error:
            return _refuse(
                f"port {options.port} cannot be used ({error}). End what listens there, or choose another."
            )
        store = Store(options.data)
        if reason := _fill(store, options):
            store.close()
            return _refuse(reason)
        print(f"HubSpot stand-in on http://{HOST}:{options.port}: {store.parameters()}", flush=True)
        scopes = frozenset(options.scopes.split(",")) if options.scopes else None
        app = app_of(store, options.token, options.rate_limit, options.search_lag, scopes)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        try:
            asyncio.run(uvicorn.Server(config).serve([listener]))
        except KeyboardInterrupt:
            return 0
        finally:
            store.close()
    return 0


def _fill(store: Store, options: argparse.Namespace) -> str | None:
    """Make the records at the first start. Returns why it cannot."""
    kept = store.parameters()
    asked = {name: str(value) for name in (*SIZES, "today") if (value := getattr(options, name)) is not None}
    if kept:
        other = {name: value for name, value in asked.items() if kept.get(name) != value}
        if other:
            said = ", ".join(f"{name} {kept.get(name)} and not {value}" for name, value in other.items())
            return f"{options.data} was filled with {said}. Choose another folder, or delete this one."
        return None
    now = datetime.now(UTC)
    sizes = {
        name: size if getattr(options, name) is None else getattr(options, name)
        for name, size in SIZES.items()
    }
    if min(sizes[name] for name in ("contacts", "companies", "deals")) < 1 or sizes["days"] < 40:
        return "it needs at least a contact, a company and a deal, and forty days."
    sample = Sample(**sizes, today=options.today or now.date(), started_at=now)
    parameters = {name: str(getattr(sample, name)) for name in (*SIZES, "today")}
    store.fill(parameters, sample.records(), sample.links)
    return None


def _refuse(reason: str) -> int:
    print(f"The HubSpot stand-in did not start: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
