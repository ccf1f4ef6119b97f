"""Exports marts to a path. If an export fails, an earlier one stays as it was."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests.exceptions import RequestException

from reporting.exports.formats import FORMATS, MAKER, Format, Manifest
from reporting.exports.marts import ExportError, Mart, marts_named
from reporting.exports.placing import placed
from reporting.exports.reading import Content, Interval, parse_interval, read
from reporting.settings import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """What to export."""

    form: Format
    marts: tuple[Mart, ...]
    interval: Interval

    @property
    def whole(self) -> tuple[str, ...]:
        """The marts that are exported in full although a window was asked for, since their rows have no time."""
        return () if self.interval.is_open else tuple(each.name for each in self.marts if each.time is None)


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of one mart: rows so far, and seconds since its query began."""

    mart: str
    row_count: int
    total_count: int
    seconds: float
    is_done: bool = False

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.row_count / self.seconds if self.seconds else 0.0


def make_request(form: str, marts: list[str], since: str | None, until: str | None, timezone: str) -> Request:
    """Validate what a user asked for. Empty `marts` mean all of them. Raises `ExportError`."""
    if form not in FORMATS:
        raise ExportError(f"'{form}' is not a format of exports. Use one of {', '.join(FORMATS)}.")
    FORMATS[form].check_installed()
    request = Request(FORMATS[form], marts_named(marts), parse_interval(since, until, timezone))
    if len(request.whole) == len(request.marts):
        raise ExportError(
            f"{', '.join(request.whole)}: these rows show the state of now and have no time, so since and until cannot "
            "select any. Leave since and until out."
        )
    return request


def export(
    client: bigquery.Client,
    settings: Settings,
    request: Request,
    target: Path,
    said: Callable[[Step], None] = lambda _: None,
) -> Manifest:
    """Write the marts to `target`, replace an earlier export there, and return the manifest.

    `said` is called with the progress after each batch and at the end of each mart. Raises `ExportError`. After an error
    or a kill, `target` is unchanged.
    """
    described = {}
    with placed(target, request.form) as path:
        for mart in request.marts:
            try:
                content = read(client, settings, mart, request.interval)
                progress = _Progress(mart.name, content.row_count, said)
                request.form.write(path, mart.name, content, progress.counted)
            except (GoogleAPIError, GoogleAuthError, RequestException) as error:
                text = (getattr(error, "message", None) or type(error).__name__).splitlines()[0]
                raise ExportError(f"{mart.name} was not exported: {text}. Run script/doctor.") from None
            described[mart.name] = _described(mart, content, progress.end(), request)
        manifest = _manifest(request, described)
        request.form.finish(path, manifest)
    return manifest


class _Progress:
    def __init__(self, mart: str, total_count: int, said: Callable[[Step], None]) -> None:
        self._mart, self._total_count, self._said = mart, total_count, said
        self._row_count = 0
        self._begun_at = time.monotonic()

    def counted(self, row_count: int) -> None:
        self._row_count += row_count
        self._say()

    def end(self) -> int:
        """The number of rows that were read. Raises `ExportError` if the query has a different number."""
        if self._row_count != self._total_count:
            raise ExportError(
                f"{self._mart} has {self._total_count} rows, but {self._row_count} arrived. Run the export again."
            )
        self._say(is_done=True)
        return self._row_count

    def _say(self, is_done: bool = False) -> None:
        seconds = time.monotonic() - self._begun_at
        self._said(Step(self._mart, self._row_count, self._total_count, seconds, is_done))


def _described(mart: Mart, content: Content, row_count: int, request: Request) -> Manifest:
    return {
        "row_count": row_count,
        "time": mart.time.column if mart.time else None,
        "is_whole": request.interval.is_open or mart.time is None,
        "columns": {field.name: str(field.type) for field in content.schema},
    }


def _manifest(request: Request, described: dict[str, Manifest]) -> Manifest:
    files = [f"{mart.name}.{request.form.name}" for mart in request.marts]
    since, until = request.interval.since, request.interval.until
    return {
        "made_by": MAKER,
        "format": request.form.name,
        "exported_at": datetime.now(UTC).isoformat(),
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "files": files if request.form.suffix is None else [],
        "marts": described,
    }
