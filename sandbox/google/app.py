"""The fake Google as one application: People API, Calendar API, Google Sheets, the OAuth endpoints, and /_control for tests."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.fake_api import control_routes
from sandbox.faults import Faults
from sandbox.google.calendar import Calendar
from sandbox.google.calendar_control import CalendarControl
from sandbox.google.control import Control
from sandbox.google.errors import ApiError, GoogleDialect, OAuthError, error, oauth_error
from sandbox.google.gate import Behaviour, Gate, Quota
from sandbox.google.oauth import Authorization, Client
from sandbox.google.people import People
from sandbox.google.sheets import Sheets
from sandbox.google.store import Store

Answer = Callable[[Request], Awaitable[Any]]


def app_of(store: Store, client: Client, behaviour: Behaviour) -> ASGIApp:
    """The fake API over `store`."""
    people, authorization = People(store, behaviour), Authorization(store, client)
    sheets = Sheets(store)
    calendar = Calendar(store, behaviour)
    control, calendars = Control(store, authorization), CalendarControl(store, calendar)
    counts: Counter[str] = Counter()
    routes = [
        _route("/v1/people:batchGet", "GET", people.batch),
        _route("/v1/people/{key}/connections", "GET", people.connections),
        _route("/v1/people/{key}", "GET", people.one),
        _route("/v1/contactGroups", "GET", people.groups),
        _route("/v4/spreadsheets/{key}", "GET", sheets.spreadsheet),
        _route("/v4/spreadsheets/{key}/values/{range:path}", "GET", sheets.values),
        _route("/calendar/v3/users/me/calendarList", "GET", calendar.calendars),
        _route("/calendar/v3/calendars/{key}/events", "GET", calendar.events),
        _route("/calendar/v3/calendars/{key}/events/{event}", "GET", calendar.event),
        _route("/o/oauth2/auth", "GET", authorization.consent),
        _route("/o/oauth2/v2/auth", "GET", authorization.consent),
        _route("/token", "POST", authorization.token),
        _route("/revoke", "POST", authorization.revoke),
        *control_routes(lambda: faults, counts, store),
        _route("/_control/state", "GET", control.state),
        _route("/_control/truth", "GET", control.truth),
        _route("/_control/people", "POST", control.create),
        _route("/_control/people/{key}", "PATCH", control.edit),
        _route("/_control/people/{key}", "DELETE", control.delete),
        _route("/_control/people/{key}/rename", "POST", control.rename),
        _route("/_control/contactGroups", "POST", control.create_group),
        _route("/_control/contactGroups/{key}", "PATCH", control.rename_group),
        _route("/_control/contactGroups/{key}", "DELETE", control.delete_group),
        _route("/_control/calendar", "GET", calendars.truth),
        _route("/_control/calendars", "POST", calendars.create_calendar),
        _route("/_control/calendars/{key}", "PATCH", calendars.edit_calendar),
        _route("/_control/calendars/{key}", "DELETE", calendars.delete_calendar),
        _route("/_control/calendars/{key}/events", "POST", calendars.create_event),
        _route("/_control/calendars/{key}/events/{event}", "PATCH", calendars.edit_event),
        _route("/_control/calendars/{key}/events/{event}", "DELETE", calendars.delete_event),
        _route("/_control/sync_tokens/expire", "POST", control.expire),
        _route("/_control/spreadsheets/{key}", "PUT", sheets.put),
        _route("/_control/spreadsheets/{key}", "GET", sheets.get),
        _route("/_control/spreadsheets/{key}", "DELETE", sheets.delete),
        _route("/_control/clock", "POST", control.move_clock),
        _route("/_control/consent/deny", "POST", control.deny),
    ]
    faults = Faults(
        Starlette(routes=routes),
        GoogleDialect(lambda key: people.page_again(key) or calendar.page_again(key) or ""),
    )
    # A request that meets a fault counts against the quota, too.
    quota = Quota(behaviour.quota, store.now)
    return Gate(faults, authorization, quota, behaviour.quota_status, counts)


def _route(path: str, method: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            found = await answer(request)
        except ApiError as wrong:
            return error(wrong.status, str(wrong), wrong.details, errors=wrong.errors)
        except OAuthError as wrong:
            return oauth_error(wrong)
        except (KeyError, TypeError, ValueError) as wrong:
            return error(400, f"Request contains an invalid argument: {wrong}")
        return found if isinstance(found, Response) else JSONResponse(found)

    return Route(path, endpoint, methods=[method])
