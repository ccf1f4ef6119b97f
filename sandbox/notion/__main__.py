"""Serves the fake API for Notion on loopback: `python -m sandbox.notion --port 9060 --data var/demo/notion`.

It takes any token unless `--token` names one. Its rows are made at the first start and kept in the folder, with
that day as their today, so that every later start serves the same ones with whatever was changed since.
"""

import argparse
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

from starlette.types import ASGIApp

from sandbox.fake_api import RefusedError, check_parameters, serve, text_of
from sandbox.notion import values
from sandbox.notion.app import app_of
from sandbox.notion.recorded import Recorded
from sandbox.notion.sample import Sample
from sandbox.notion.store import Store

# Times before it are not written with four digits of the year.
EARLIEST = date(1000, 2, 1)


def main() -> int:
    """Serve until ended by a signal; 2 when it cannot start, with the reason on standard error."""
    parser = argparse.ArgumentParser("sandbox.notion", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds everything it keeps")
    parser.add_argument("--seed", type=int, default=None, help="another invented person (default 1)")
    parser.add_argument("--days", type=int, default=None, help="days of habits (default 365)")
    parser.add_argument(
        "--rows", type=int, default=None, help="rows of the daily habits (default: a row a day)"
    )
    parser.add_argument(
        "--today", type=date.fromisoformat, help="the last day of the sample (default: the first start)"
    )
    parser.add_argument("--recorded", type=Path, help="serve the recorded answers in this folder instead")
    parser.add_argument("--token", help="the only token that it takes")
    parser.add_argument("--rate-limit", type=float, help="requests a second, on average")
    options = parser.parse_args()

    def opened() -> tuple[ASGIApp, Store, str]:
        if options.rate_limit is not None and options.rate_limit <= 0:
            raise RefusedError("--rate-limit takes a number above 0. Leave it out for no limit.")
        try:
            store = Store(options.data)
        except (OSError, sqlite3.Error) as error:
            raise RefusedError(
                f"{options.data} cannot be used ({error}). Choose another folder, or delete this one."
            ) from None
        try:
            _fill(store, options)
        except RefusedError:
            store.close()
            raise
        return app_of(store, options.token, options.rate_limit), store, _sentence(store)

    return serve("Notion", options.port, options.data, opened)


def _fill(store: Store, options: argparse.Namespace) -> None:
    """Make the rows at the first start. Raises `RefusedError` when it cannot."""
    kept = store.parameters()
    asked = {
        name: text_of(value)
        for name in ("seed", "days", "rows", "today", "recorded")
        if (value := getattr(options, name)) is not None
    }
    check_parameters(options.data, kept, asked)
    if kept:
        return
    if options.recorded:
        try:
            recorded = Recorded(options.recorded)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        store.fill(asked, recorded.data_sources(), recorded.pages())
        return
    now = datetime.now(UTC)
    days = 365 if options.days is None else options.days
    sample = Sample(
        seed=1 if options.seed is None else options.seed,
        days=days,
        rows=days if options.rows is None else options.rows,
        today=options.today or now.date(),
        started_at=now,
    )
    if sample.days < 1 or sample.rows < 1:
        raise RefusedError("--days and --rows take numbers of at least 1.")
    if max(sample.days, sample.rows) > (sample.today - EARLIEST).days:
        raise RefusedError(f"--days and --rows reach back to {EARLIEST:%B %Y} at most. Ask for fewer.")
    parameters = {name: str(getattr(sample, name)) for name in ("seed", "days", "rows", "today")}
    store.fill(parameters, sample.data_sources(), sample.pages())


def _sentence(store: Store) -> str:
    rows = store.counts()
    held = ", ".join(
        f"'{values.plain(each['title'])}' {rows.get(each['id'], 0)}" for each in store.data_sources()
    )
    today = store.parameters().get("today")
    return f"{f', today is {today}' if today else ''}. Rows: {held}."


if __name__ == "__main__":
    raise SystemExit(main())
