"""The fake HubSpot as one application: the CRM under /crm/v3 (associations v4) and the dated paths, and /_control for tests."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.fake_api import clock_routes, control_routes
from sandbox.faults import Faults
from sandbox.hubspot.associations import Associations
from sandbox.hubspot.endpoints import HubSpot
from sandbox.hubspot.errors import ApiError, HubSpotDialect, error
from sandbox.hubspot.gate import Gate
from sandbox.hubspot.lists import Lists
from sandbox.hubspot.records import Records
from sandbox.hubspot.schema import TYPES
from sandbox.hubspot.store import Store

DATED = "2026-09"

Answer = Callable[[Request], Awaitable[Any]]


def app_of(
    store: Store,
    token: str | None = None,
    per_window: int | None = None,
    lag: float = 0.0,
    scopes: frozenset[str] | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """The fake API over `store`. `per_window` is requests in ten seconds, `scopes` all that the token has."""
    records = Records(store, scopes)
    portal, associations, lists = HubSpot(records, lag), Associations(records), Lists(records)
    counts: Counter[str] = Counter()

    async def state(_: Request) -> Any:
        alive = "archived IS NULL AND merged_into IS NULL"
        return {
            "parameters": store.parameters(),
            "records": {kind: store.count(kind, alive, ()) for kind in TYPES},
        }

    routes = [
        *_api_routes(portal, associations, lists),
        *control_routes(lambda: faults, counts, store),
        *clock_routes(),
        _route("/_control/state", "GET", state),
        _route("/_control/truth/{kind}", "GET", portal.truth),
        _route("/_control/history/{kind}", "GET", portal.history),
        _route("/_control/associations", "GET", associations.every),
        _route("/_control/search", "POST", portal.limited),
        _route("/_control/restore/{kind}/{key}", "POST", portal.restored),
    ]
    faults = Faults(Starlette(routes=routes), HubSpotDialect())
    # A request that meets a fault counts against the limits, too.
    return Gate(faults, token, per_window, counts, monotonic)


def _api_routes(portal: HubSpot, associations: Associations, lists: Lists) -> Iterator[Route]:
    """Every endpoint, under the paths with a version and under the dated ones."""
    for base in ("/crm/v3/lists", f"/crm/lists/{DATED}"):
        yield _route(f"{base}/search", "POST", lists.searched)
        yield _route(f"{base}/{{key}}/memberships", "GET", lists.members)
    for base in ("/crm/v3/schemas", f"/crm-object-schemas/{DATED}/schemas"):
        yield _route(base, "GET", portal.schemas)
    yield from _crm_routes(
        portal,
        associations,
        objects="/crm/v3/objects",
        properties="/crm/v3/properties",
        owners="/crm/v3/owners",
        pipelines="/crm/v3/pipelines",
        links="/crm/v4/associations",
    )
    yield from _crm_routes(
        portal,
        associations,
        objects=f"/crm/objects/{DATED}",
        properties=f"/crm/properties/{DATED}",
        owners=f"/crm/owners/{DATED}",
        pipelines=f"/crm/pipelines/{DATED}",
        links=f"/crm/associations/{DATED}",
    )


def _crm_routes(
    portal: HubSpot,
    associations: Associations,
    *,
    objects: str,
    properties: str,
    owners: str,
    pipelines: str,
    links: str,
) -> list[Route]:
    """The endpoints under these paths."""
    one = f"{objects}/{{kind}}/{{key}}"
    return [
        _route(f"{objects}/{{kind}}/search", "POST", portal.searched),
        _route(f"{objects}/{{kind}}/batch/read", "POST", portal.batch_read),
        _route(f"{objects}/{{kind}}/merge", "POST", portal.merged),
        _route(f"{objects}/{{kind}}/gdpr-delete", "POST", portal.erased),
        _route(one, "GET", portal.one),
        _route(one, "PATCH", portal.changed),
        _route(one, "DELETE", portal.archived),
        _route(f"{objects}/{{kind}}", "GET", portal.listed),
        _route(f"{objects}/{{kind}}", "POST", portal.created, 201),
        _route(f"{one}/associations/default/{{other_kind}}/{{other}}", "PUT", associations.changed),
        _route(f"{one}/associations/{{other_kind}}/{{other}}", "DELETE", associations.changed),
        _route(f"{properties}/{{kind}}", "GET", portal.properties),
        _route(f"{properties}/{{kind}}", "POST", portal.property_created, 201),
        _route(f"{properties}/{{kind}}/{{name}}", "PATCH", portal.property_changed),
        _route(f"{properties}/{{kind}}/{{name}}", "DELETE", portal.property_archived),
        _route(owners, "GET", portal.owners),
        _route(f"{pipelines}/{{kind}}", "GET", portal.pipelines),
        _route(f"{links}/{{kind}}/{{other_kind}}/batch/read", "POST", associations.listed),
    ]


def _route(path: str, method: str, answer: Answer, status: int = 200) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            found = await answer(request)
        except ApiError as wrong:
            return error(wrong.status, str(wrong), wrong.more)
        except (KeyError, TypeError, ValueError) as wrong:
            return error(400, f"Invalid input JSON: {type(wrong).__name__}")
        return found if isinstance(found, Response) else JSONResponse(found, status)

    return Route(path, endpoint, methods=[method])
