"""Writes the marts to files: CSV and Parquet as a folder with a file a mart, DuckDB and SQLite as one file.

Without --marts it is all of them. --since belongs to what is exported, and --until does not: each is an ISO date or time,
without an offset in REPORTING_TIMEZONE. PATH is replaced as a whole when everything is written; anything but an earlier
export is left alone.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from reporting.commands import configuration, installation
from reporting.commands.errors import CommandError, end_on_signals, run
from reporting.commands.installation import BIGQUERY_PORT
from reporting.exports.export import Step, export, make_request
from reporting.exports.formats import FORMATS
from reporting.exports.marts import MARTS, ExportError
from reporting.exports.placing import check


def main() -> int:
    """Export, and say how far it is on standard error."""
    parser = argparse.ArgumentParser("script/export", description=__doc__)
    parser.add_argument("--to", required=True, choices=list(FORMATS), help="kind of file")
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument(
        "--marts", nargs="+", default=[], metavar="MART", help=", ".join(mart.name for mart in MARTS)
    )
    parser.add_argument("--since", help="rows from then on, by each mart's time")
    parser.add_argument("--until", help="rows before then")
    parser.add_argument(
        "--bigquery-port", type=int, default=BIGQUERY_PORT, help="local BigQuery (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=installation.default_state("local"), help="where the state is kept"
    )
    # What script/export adds.
    parser.add_argument("--relative-to", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.relative_to / options.path
    end_on_signals()
    console = Console(stderr=True, highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = options.data.resolve()
    try:
        settings = installation.settings_of(state, variables)
        request = make_request(options.to, options.marts, options.since, options.until, settings.timezone)
        # Before a local BigQuery is started for it.
        check(path.resolve(), request.form)
        if request.whole:
            _say(console, f"Exported whole, since they have no time: {', '.join(request.whole)}.")
        with installation.warehouse_running(
            state, variables, console, bigquery_port=options.bigquery_port, is_written=False
        ) as warehouse:
            begun_at = time.monotonic()
            with _shown(console) as shown:
                manifest = export(warehouse.client, warehouse.settings, request, path, shown.say)
    except ExportError as error:
        raise CommandError(str(error)) from None
    count = sum(each["row_count"] for each in manifest["marts"].values())
    seconds = time.monotonic() - begun_at
    _say(console, f"{path}: {len(request.marts)} marts, {count:,} rows in {seconds:.1f} s.")
    return 0


class _Shown:
    """A bar while a mart is read, where there is a terminal, and a line when it is done."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console, self._progress = console, progress
        self._task: TaskID | None = None

    def say(self, step: Step) -> None:
        if self._task is None:
            self._task = self._progress.add_task(step.mart, total=step.total_count, rate="")
        self._progress.update(self._task, completed=step.row_count, rate=f"{step.rate:,.0f} a second")
        if step.is_done:
            self._progress.remove_task(self._task)
            self._task = None
            _say(self._console, f"{step.mart}: {step.row_count:,} rows, {step.rate:,.0f} a second")


@contextmanager
def _shown(console: Console) -> Iterator[_Shown]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Shown(console, progress)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    run("script/export", main)
