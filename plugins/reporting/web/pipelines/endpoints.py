"""The requests of the page: who may send them, what they are answered, and how many rows at a time."""

import logging
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from reporting.exports.marts import ExportError
from reporting.orchestration.pauses import KEEPER
from reporting.web.contents import TooLargeError, tables
from reporting.web.guard import App
from reporting.web.pipelines.listing import SAMPLE_ROWS, Airflow, Kept, Rights, Warehouse, dags_of, listing
from reporting.web.places import SENDING_SECONDS, STALLED_SECONDS, NoPlaceError, Place, Places, Sent
from reporting.web.site import PAGE_CACHE, TYPES

log = logging.getLogger(__name__)

# At a time; whoever comes then is told to come again after so many seconds.
DOWNLOADS, SAMPLES, AGAIN_SECONDS = 2, 4, 30
HERE = Path(__file__).parents[1] / "assets"
REPORT_ASSETS = Path(__file__).parents[2] / "reports" / "assets"
FILES = {
    "": HERE / "pipelines.html",
    "pipelines.js": HERE / "pipelines.js",
    "pipelines.css": HERE / "pipelines.css",
    "report.css": REPORT_ASSETS / "report.css",
    "theme.js": REPORT_ASSETS / "theme.js",
    "icon.svg": REPORT_ASSETS / "icon.svg",
}
HEADERS = {
    "Cache-Control": PAGE_CACHE,
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
}


class Pause(BaseModel):
    """What is asked: `until` is the day on which it runs again; without one it is paused for good."""

    dag_id: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=250)
    is_paused: bool
    until: date | None = None


def application(rights_of: Callable[..., Any], airflow: Airflow, warehouse: Warehouse, timezone: str) -> App:
    """The page for those whom the dependency `rights_of` lets pass; it returns their `Rights`."""
    made = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(rights_of)])
    made.add_exception_handler(RequestValidationError, _not_understood)
    endpoints = _Endpoints(airflow, warehouse, timezone)

    @made.get("/list")
    async def show(rights: Any = Depends(rights_of)) -> Response:  # noqa: B008  # FastAPI's way
        return await endpoints.show(rights)

    @made.get("/rows/{table}")
    async def take(table: str, request: Request, rights: Any = Depends(rights_of)) -> Response:  # noqa: B008  # FastAPI's way
        most = None if "all" in request.query_params else SAMPLE_ROWS
        return await endpoints.take(table, most, rights)

    # Not a coroutine, since it waits for the metadata database.
    @made.post("/pause", dependencies=[Depends(_same_site)])
    def pause(asked: Pause, rights: Any = Depends(rights_of)) -> dict[str, bool]:  # noqa: B008  # FastAPI's way
        return endpoints.pause(asked, rights)

    # Behind the others, since it takes every path.
    made.add_api_route("/{name:path}", _file, methods=["GET", "HEAD"])
    return made


class _Endpoints:
    """The answers to those who may have them."""

    def __init__(self, airflow: Airflow, warehouse: Warehouse, timezone: str) -> None:
        self._airflow, self._warehouse, self._timezone = airflow, warehouse, timezone
        self._kept = Kept(warehouse)
        self._downloads = Places("download", DOWNLOADS)
        self._samples = Places("sample", SAMPLES)
        self._asking = Places("contents", 1)

    async def show(self, rights: Rights) -> Response:
        """The pipelines whose DAGs the user may read."""
        dags = await run_in_threadpool(self._airflow.dags)
        try:
            place = self._asking.take()
            found = await place.run(self._kept.contents)
            place.leave()
        except NoPlaceError:
            # Somebody else has it asked meanwhile.
            found = self._kept.last()
        # Airflow's auth manager asks the metadata database.
        shown = await run_in_threadpool(listing, dags, *found, rights)
        return JSONResponse(jsonable_encoder(shown), headers=HEADERS)

    async def take(self, table: str, most: int | None, rights: Rights) -> Response:
        """The rows of a table as CSV, so many at most."""
        name, dot, suffix = table.partition(".")
        known = tables().get(name)
        if known is None or (dot and suffix != "csv"):
            raise HTTPException(404, "There is no such table.")
        await run_in_threadpool(self._check_rights, known[0], rights)
        place, pieces = await self._rows(name, most)
        file = f"{name}{'' if most is None else f'-first-{most}'}.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{file}"'}
        return Sent(place, pieces, headers, "text/csv; charset=utf-8", STALLED_SECONDS, SENDING_SECONDS)

    def _check_rights(self, pipeline: str, rights: Rights) -> None:
        if not any(rights.may_run(dag.dag_id) for dag in dags_of(self._airflow.dags(), pipeline)):
            raise HTTPException(403, "The rows are for those who may run the DAGs that bring them.")

    async def _rows(self, name: str, most: int | None) -> tuple[Place, Iterable[bytes]]:
        """The rows, and the place that they take until they are sent."""
        try:
            place = (self._downloads if most is None else self._samples).take()
            return place, await place.run(self._warehouse.csv, name, most)
        except NoPlaceError:
            said = f"Others are taking rows at this moment. Try it again in {AGAIN_SECONDS} seconds."
            raise HTTPException(503, said, {"Retry-After": str(AGAIN_SECONDS)}) from None
        except TooLargeError:
            raise HTTPException(
                413,
                f"The table {name} is too large for a download. Take it with script/export on the machine.",
            ) from None
        except ExportError:
            raise HTTPException(404, f"The table {name} is not in the warehouse yet.") from None
        except Exception as error:  # noqa: BLE001  # its text may quote a row
            log.error("%s cannot be read: %s", name, type(error).__name__)
            raise HTTPException(503, "The warehouse cannot be asked; the server's log says why.") from None

    def pause(self, asked: Pause, rights: Rights) -> dict[str, bool]:
        """Pause a DAG until a day or for good, or let it run again."""
        if not rights.may_change(asked.dag_id):
            raise HTTPException(403, f"You may not pause {asked.dag_id}.")
        today = datetime.now(ZoneInfo(self._timezone)).date()
        if asked.until is not None and not asked.is_paused:
            raise HTTPException(422, "What runs again has no day until which it is paused.")
        if asked.until is not None and asked.until <= today:
            raise HTTPException(422, f"It is paused until {asked.until}, which is not after today ({today}).")
        if asked.until is not None and asked.dag_id == KEEPER:
            raise HTTPException(422, f"{KEEPER} lets others run again, and cannot be paused until a day.")
        if asked.is_paused:
            done = self._airflow.pause(asked.dag_id, asked.until)
        else:
            done = self._airflow.resume(asked.dag_id)
        if not done:
            raise HTTPException(404, f"There is no DAG {asked.dag_id}.")
        return {"is_paused": asked.is_paused}


def _same_site(request: Request) -> None:
    """Refuse what a page of another site could have sent."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Only JSON is taken.")
    origin = request.headers.get("origin")
    try:
        is_other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    except ValueError:
        is_other = True
    if is_other:
        raise HTTPException(403, "The request came from another site.")


def _not_understood(_: Request, __: Exception) -> Response:
    """In place of FastAPI's own answer, which quotes what was sent, and JSON may not be able to hold that."""
    said = "The request is not understood: it takes dag_id, is_paused, and a day such as 2026-11-30 as until."
    return JSONResponse({"detail": said}, 422, HEADERS)


def _file(name: str) -> Response:
    """The page itself, or what it is made of."""
    path = FILES.get(name)
    if path is None:
        raise HTTPException(404, "There is no such page.")
    return Response(path.read_bytes(), headers=HEADERS, media_type=TYPES[path.suffix.lstrip(".")])
