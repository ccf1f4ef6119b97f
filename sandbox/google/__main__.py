"""Serves the fake API for Google on loopback: `python -m sandbox.google --port 9080 --data var/demo/google`.

Its people are made at the first start and kept in the folder, with that day as their today. With the same seed they
overlap with those of `sandbox.hubspot`. It consents to every login of its one client, and has one refresh token from
the start.
"""

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

from starlette.types import ASGIApp

from sandbox.fake_api import RefusedError, is_filled, serve, sizes_of
from sandbox.google import AUTHORIZED_USER, SCOPES, SPREADSHEET_ID
from sandbox.google.app import app_of
from sandbox.google.calendar import CALENDARS
from sandbox.google.calendar_sample import CalendarSample
from sandbox.google.gate import Behaviour
from sandbox.google.ledger import spreadsheet
from sandbox.google.oauth import Client
from sandbox.google.sample import Sample
from sandbox.google.schema import PEOPLE
from sandbox.google.store import Store

SIZES = {"seed": 1, "contacts": 250}


def main() -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error."""
    options = _parser().parse_args()

    def opened() -> tuple[ASGIApp, Store, str]:
        store = Store(options.data)
        try:
            _fill(store, options)
            _add_spreadsheet(store)
            _add_calendars(store, options.calendar_days)
        except RefusedError:
            store.close()
            raise
        client = Client(
            options.client_id, options.client_secret, options.token_lifetime, options.refresh_token_lifetime
        )
        store.grant(
            "refresh", options.refresh_token, {"scope": " ".join(SCOPES)}, options.refresh_token_lifetime
        )
        behaviour = Behaviour(
            options.propagation,
            options.sync_token_lifetime,
            options.page_token_lifetime,
            options.quota,
            options.quota_status,
            options.full_sync_quota,
        )
        held = ", ".join(f"{name} {value}" for name, value in store.parameters().items())
        return app_of(store, client, behaviour), store, f": {held}."

    return serve("Google", options.port, options.data, opened)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sandbox.google", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything it keeps")
    for name, size in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=None, help=f"(default {size})")
    parser.add_argument(
        "--today", type=date.fromisoformat, help="the last day of the sample (default: the first start)"
    )
    parser.add_argument(
        "--calendar-days",
        type=int,
        default=400,
        help="how far its events reach back; 0 for a handful (default %(default)s)",
    )
    texts = {
        "client_id": "the app's",
        "client_secret": "the app's",
        "refresh_token": "one that the user granted",
    }
    for name, text in texts.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, default=AUTHORIZED_USER[name], help=f"{text} (default %(default)s)")
    seconds = (
        ("--token-lifetime", 3599.0, "seconds that an access token lasts"),
        ("--refresh-token-lifetime", None, "seconds that a refresh token lasts (default: for ever)"),
        ("--propagation", 0.0, "seconds after which a sync sees a change"),
        ("--sync-token-lifetime", 7 * 86400.0, "seconds after its full sync that a sync token lasts"),
        ("--page-token-lifetime", 3600.0, "seconds that a page token lasts"),
    )
    for option, default, text in seconds:
        parser.add_argument(
            option, type=float, default=default, help=text + ("" if default is None else f" ({default:g})")
        )
    parser.add_argument("--quota", type=int, help="requests a minute")
    parser.add_argument(
        "--quota-status", type=int, choices=(403, 429), default=429, help="what is answered above the quota"
    )
    parser.add_argument("--full-sync-quota", type=int, help="first pages of full syncs a minute")
    return parser


def _fill(store: Store, options: argparse.Namespace) -> None:
    """Make the people at the first start. Raises `RefusedError` when it cannot."""
    if is_filled(options, store.parameters(), (*SIZES, "today")):
        return
    now = datetime.now(UTC)
    sizes = sizes_of(options, SIZES)
    if sizes["contacts"] < 1:
        raise RefusedError("it needs at least a contact.")
    sample = Sample(**sizes, today=options.today or now.date(), started_at=now)
    parameters = {name: str(getattr(sample, name)) for name in (*SIZES, "today")}
    store.fill(parameters, sample.people(), sample.groups())


def _add_spreadsheet(store: Store) -> None:
    """Add the ledger once, also to an account from before there was one."""
    if store.setting("has_ledger") is None:
        kept = store.parameters()
        body = spreadsheet(date.fromisoformat(kept["today"]), int(kept["seed"]))
        store.put_spreadsheet(SPREADSHEET_ID, body)
        store.set("has_ledger", "true")


def _add_calendars(store: Store, days: int) -> None:
    """Add the calendars once, also to an account from before there were any."""
    if store.setting("has_calendars") is None:
        kept = store.parameters()
        sample = CalendarSample(
            seed=int(kept["seed"]),
            today=date.fromisoformat(kept["today"]),
            started_at=datetime.now(UTC),
            days=days,
            people=[each.record for each in store.select(PEOPLE, "ID")],
        )
        events = {f"events/{key}": each for key, each in sample.events().items()}
        store.add({CALENDARS: sample.calendars()} | events, "has_calendars")


if __name__ == "__main__":
    raise SystemExit(main())
