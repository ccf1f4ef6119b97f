"""Writes the marts to files: CSV or Parquet, one file per mart in a folder, or DuckDB or SQLite, one file.

Without --marts it writes all of them. --since is included in the window and --until is not. Both are ISO dates or times; without
an offset they are in REPORTING_TIMEZONE. An earlier export at PATH is replaced when the new one is complete; anything else at
PATH is left alone.

Examples:

    script/export --to csv marts
    script/export --to duckdb marts.duckdb --marts people engagements --since 2026-01-01
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from reporting.cli.command import CALLER, LOCAL, BigQueryPort, Data, one_of, starting_with
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT
from reporting.exports.export import Step, export, make_request
from reporting.exports.formats import FORMATS
from reporting.exports.marts import MARTS, ExportError
from reporting.exports.placing import check
from reporting.reports import formats


def main(
    to: Annotated[
        str,
        typer.Option(
            parser=one_of(FORMATS),
            autocompletion=starting_with(FORMATS),
            metavar="|".join(FORMATS),
            help="format",
        ),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="file or folder to write")],
    marts: Annotated[
        list[str] | None,
        typer.Option(
            autocompletion=starting_with(mart.name for mart in MARTS),
            metavar="MART ...",
            help=", ".join(mart.name for mart in MARTS),
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="AT", help="only rows from this time on, by each mart's time"),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="AT", help="only rows before this time")] = None,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Export, and show the progress on standard error."""
    path = CALLER / path
    end_on_signals()
    console = Console(stderr=True, highlight=False)
    variables = configuration.read_owner_file(configuration.owner_file())
    state = data.resolve()
    try:
        settings = installation.settings_of(state, variables)
        request = make_request(to, marts or [], since, until, settings.timezone)
        # Checked first, before a local BigQuery is started.
        check(path.resolve(), request.form)
        if request.whole:
            _say(console, f"Exported in full, since their rows have no time: {', '.join(request.whole)}.")
        with installation.warehouse_running(
            state, variables, console, bigquery_port=bigquery_port, is_written=False
        ) as warehouse:
            begun_at = time.monotonic()
            with _shown(console) as shown:
                manifest = export(warehouse.client, warehouse.settings, request, path, shown.say)
    except ExportError as error:
        raise CommandError(str(error)) from None
    count = sum(each["row_count"] for each in manifest["marts"].values())
    seconds = time.monotonic() - begun_at
    files = [path] if path.is_file() else [each for each in path.iterdir() if each.is_file()]
    size = sum(each.stat().st_size for each in files)
    _say(
        console,
        f"{path}: {formats.count(len(request.marts), 'mart')}, {formats.count(count, 'row')}, {_size(size)} "
        f"in {seconds:.1f} s.",
    )
    return 0


class _Shown:
    """Shows a progress bar while a mart is read (only in a terminal), and a line when it is done."""

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
            rows = formats.count(step.row_count, "row")
            _say(self._console, f"{step.mart}: {rows}, {step.rate:,.0f} per second")


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


def _size(length: int) -> str:
    """A number of bytes as `812 bytes`, `34.5 kB` or `1,204.0 MB`."""
    if length < 1000:
        return formats.count(length, "byte")
    return f"{length / 1e3:.1f} kB" if length < 1e6 else f"{length / 1e6:,.1f} MB"
