"""The People API's endpoints for reading, the OAuth endpoints, and /_control for tests."""

import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Faults
from sandbox.google import CONTACTS_SCOPE, SHEETS_SCOPE, schema
from sandbox.google.control import Control
from sandbox.google.cursors import fingerprint, opened, sealed
from sandbox.google.errors import (
    ApiError,
    GoogleDialect,
    OAuthError,
    error,
    expired_sync_token,
    full_sync_limited,
    insufficient_scope,
    oauth_error,
    rate_limited,
    unauthenticated,
)
from sandbox.google.oauth import Authorization, Client
from sandbox.google.schema import GROUPS, PEOPLE, Json
from sandbox.google.sheets import Sheets
from sandbox.google.store import EVER, SECOND, Store, Version
from sandbox.stand_in import control_routes

LONGEST_PAGE = 1000
BATCH_LIMIT = 200
MINUTE = 60 * SECOND
# https://cloud.google.com/apis/docs/system-parameters
SYSTEM_PARAMETERS = ("alt", "key", "prettyPrint", "quotaUser")
# What lets one read, by the beginning of the path.
READ_SCOPES = {
    "/v1/": frozenset((CONTACTS_SCOPE, CONTACTS_SCOPE.removesuffix(".readonly"))),
    "/v4/": frozenset((SHEETS_SCOPE, SHEETS_SCOPE.removesuffix(".readonly"))),
}
VALID_PATHS = "Valid paths are documented at https://developers.google.com/people/api/rest/v1/people/get."
ME: Json = {
    "id": 1,
    "name": "people/100000000000000000001",
    "previous": [],
    "updated": 0,
    "deleted": False,
    "fields": {},
    "profile": {
        "id": "100000000000000000001",
        "fields": {
            "names": [{"displayName": "Robin Sample", "givenName": "Robin", "familyName": "Sample"}],
        },
    },
}

Answer = Callable[[Request], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the service treats its callers; times in seconds, quotas per minute."""

    propagation: float = 0.0
    sync_token_lifetime: float = 7 * 86400.0
    page_token_lifetime: float = 3600.0
    quota: int | None = None
    quota_status: int = 429
    full_sync_quota: int | None = None


class Quota:
    """A number of requests per minute."""

    def __init__(self, limit: int | None, clock: Callable[[], int]) -> None:
        self.limit, self.clock = limit, clock
        self._sent: deque[int] = deque()

    def is_over(self) -> bool:
        """Whether another request is too many; counts it if not."""
        if self.limit is None:
            return False
        now = self.clock()
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        if len(self._sent) >= self.limit:
            return True
        self._sent.append(now)
        return False


class Gate:
    """Middleware: access token, scope and quota of the API; counts requests."""

    def __init__(
        self,
        app: ASGIApp,
        authorization: Authorization,
        quota: Quota,
        quota_status: int,
        counts: Counter[str],
    ) -> None:
        self.app, self.authorization, self.quota = app, authorization, quota
        self.quota_status, self.counts = quota_status, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control"):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        if request.headers.get("x-http-method-override") == "GET":
            # Google's client sends a GET with a long query as the form of a POST.
            scope = {**scope, "method": "GET", "query_string": await request.body()}
        path = re.sub(
            r"^(/v1/people|/v1/contactGroups|/v4/spreadsheets)/(?!me(/|$))[^/]+", r"\1/{id}", scope["path"]
        )
        self.counts[f"{scope['method']} {path}"] += 1
        allowed = READ_SCOPES.get(scope["path"][:4])
        refusal = self._refusal(request, allowed) if allowed else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, request: Request, allowed: frozenset[str]) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return unauthenticated(is_missing=True)
        scopes = self.authorization.scopes(token)
        if scopes is None:
            return unauthenticated(is_missing=False)
        if not scopes & allowed:
            return insufficient_scope()
        return rate_limited(self.quota_status) if self.quota.is_over() else None


class People:
    """The API's endpoints over one store."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        self.store, self.behaviour = store, behaviour
        self.full_syncs = Quota(behaviour.full_sync_quota, store.now)
        self._pages: dict[str, Json] = {}

    async def connections(self, request: Request) -> Json:
        """GET people/me/connections.

        https://developers.google.com/people/api/rest/v1/people.connections/list
        """
        if request.path_params["key"] != "me":
            raise ApiError(400, "Only 'people/me' is a valid resource name.")
        query = _query(
            request,
            *("personFields", "pageSize", "pageToken", "requestSyncToken", "syncToken", "sortOrder"),
            repeated=("sources",),
        )
        mask, sources = _person_mask(query), _sources(query)
        order = query.get("sortOrder", schema.SORT_ORDERS[0])
        if order not in schema.SORT_ORDERS:
            raise ApiError(400, f"Invalid value at 'sort_order' (type.googleapis.com/SortOrder), \"{order}\"")
        is_requested = _flag(query, "requestSyncToken")
        size = _page_size(query, 100)
        bound = {"personFields": sorted(mask), "pageSize": size, "sortOrder": order, "sources": sources}
        is_sync = is_requested or "syncToken" in query
        if is_sync:
            # A sort order holds only where no sync is asked for.
            order = schema.SORT_ORDERS[0]
        page, answer = self._page(PEOPLE, query, bound, order, size, is_sync, is_requested)
        shown = [
            schema.shown_person(each.record, each.number, mask, sources, "syncToken" in query)
            for each in page
        ]
        counted = {"totalPeople": answer["totalItems"]} if "totalItems" in answer else {}
        return ({"connections": shown} if shown else {}) | answer | counted

    async def groups(self, request: Request) -> Json:
        """GET contactGroups: the last page always has a sync token.

        https://developers.google.com/people/api/rest/v1/contactGroups/list
        """
        query = _query(request, "groupFields", "pageSize", "pageToken", "syncToken")
        mask = sorted(
            set(filter(None, query.get("groupFields", "").split(","))) or schema.DEFAULT_GROUP_FIELDS
        )
        for path in mask:
            if path not in schema.GROUP_FIELDS:
                raise ApiError(400, f'Invalid groupFields mask path: "{path}".')
        size = _page_size(query, 30)
        bound = {"groupFields": mask, "pageSize": size}
        page, answer = self._page(GROUPS, query, bound, "ID", size, "syncToken" in query, True)
        members = self.store.member_counts()
        shown = [
            schema.shown_group(each.record, each.number, mask, members.get(each.record["name"], 0))
            for each in page
        ]
        return ({"contactGroups": shown} if shown else {}) | answer

    async def one(self, request: Request) -> Json:
        """GET a person, by a former resource name, too.

        https://developers.google.com/people/api/rest/v1/people/get
        """
        query = _query(request, "personFields", repeated=("sources",))
        mask, sources = _person_mask(query), _sources(query)
        found = self._person(f"{PEOPLE}/{request.path_params['key']}")
        if found is None:
            raise ApiError(404, "Requested entity was not found.")
        return _shown(found, mask, sources)

    async def batch(self, request: Request) -> Json:
        """GET people:batchGet: a status of its own for each person.

        https://developers.google.com/people/api/rest/v1/people/getBatchGet
        """
        query = _query(request, "personFields", repeated=("resourceNames", "sources"))
        mask, sources = _person_mask(query), _sources(query)
        names = query.get("resourceNames", [])
        if not names or len(names) > BATCH_LIMIT:
            raise ApiError(400, f"Between 1 and {BATCH_LIMIT} resource names must be given.")
        responses = []
        for name in names:
            found = self._person(name)
            if found is None:
                status = {"code": 5, "message": "Requested entity was not found."}
                responses.append({"httpStatusCode": 404, "requestedResourceName": name, "status": status})
            else:
                person = _shown(found, mask, sources)
                responses.append(
                    {"httpStatusCode": 200, "person": person, "requestedResourceName": name, "status": {}}
                )
        return {"responses": responses}

    def page_again(self, name: str) -> str:
        """A token of the page last served that began with this record."""
        return sealed(self.store.secret, self._pages[name])

    def _person(self, name: str) -> Version | None:
        if name in (f"{PEOPLE}/me", ME["name"]):
            return Version(0, ME)
        found = self.store.named(name)
        return None if found is None or found.record["deleted"] else found

    def _page(
        self, kind: str, query: Json, bound: Json, order: str, size: int, is_sync: bool, is_token_wanted: bool
    ) -> tuple[list[Version], Json]:
        """A page of a list, and what its answer says besides.

        A sync is read as of its first page, and as of the propagation delay before it; other lists are live.
        """
        now = self.store.now()
        settled = self.store.horizon(now - round(self.behaviour.propagation * SECOND))
        # A sync that asks for no further token is still of the same parameters, so requestSyncToken binds pages alone.
        sync = fingerprint(bound)
        call = fingerprint(bound | {name: query.get(name) for name in ("requestSyncToken", "syncToken")})
        state: Json = {
            "use": "page",
            "kind": kind,
            "call": call,
            "horizon": settled if is_sync else EVER,
            "settled": settled,
            "full": now,
            "after": None,
        }
        since = None
        if "syncToken" in query:
            token = self._opened("sync", kind, query["syncToken"], "syncToken")
            self._check_age(token)
            if token["call"] != sync:
                raise ApiError(400, _mismatch("syncToken"))
            since, state["full"] = token["since"], token["full"]
        if "pageToken" in query:
            token = self._opened("page", kind, query["pageToken"], "pageToken")
            if token["call"] != call:
                raise ApiError(400, _mismatch("pageToken"))
            if token["at"] + round(self.behaviour.page_token_lifetime * SECOND) < now:
                raise ApiError(400, "Page token is expired. Retry the call without the page token.")
            state = token
        elif kind == PEOPLE and since is None and self.full_syncs.is_over():
            raise full_sync_limited()
        state["at"] = now
        rows = self.store.select(kind, order, state["horizon"], since, state["after"], size + 1)
        page = rows[:size]
        answer: Json = {}
        if page:
            self._pages[page[0].record["name"]] = dict(state)
        if len(rows) > size:
            following = {**state, "after": [page[-1].place, page[-1].record["id"]]}
            answer["nextPageToken"] = sealed(self.store.secret, following)
        elif is_token_wanted:
            # A token lasts as long as the full sync that it goes back to, however often it is renewed.
            token = {"use": "sync", "kind": kind, "call": sync}
            token |= {"since": state["settled"], "full": state["full"]}
            answer["nextSyncToken"] = sealed(self.store.secret, token)
        total = self.store.count(kind, state["horizon"], since)
        return page, answer | ({"totalItems": total} if total else {})

    def _opened(self, use: str, kind: str, token: str, name: str) -> Json:
        found = opened(self.store.secret, token)
        if found is None or (found["use"], found["kind"]) != (use, kind):
            raise ApiError(400, f"Request contains an invalid argument: {name}.")
        return found

    def _check_age(self, token: Json) -> None:
        ended = int(self.store.setting("sync_tokens_expired") or 0)
        oldest = self.store.now() - round(self.behaviour.sync_token_lifetime * SECOND)
        if token["full"] < oldest or token["full"] <= ended:
            raise expired_sync_token()


def app_of(store: Store, client: Client, behaviour: Behaviour) -> ASGIApp:
    """The stand-in over `store`."""
    people, authorization = People(store, behaviour), Authorization(store, client)
    sheets = Sheets(store)
    control = Control(store, authorization)
    counts: Counter[str] = Counter()
    routes = [
        _route("/v1/people:batchGet", "GET", people.batch),
        _route("/v1/people/{key}/connections", "GET", people.connections),
        _route("/v1/people/{key}", "GET", people.one),
        _route("/v1/contactGroups", "GET", people.groups),
        _route("/v4/spreadsheets/{key}", "GET", sheets.spreadsheet),
        _route("/v4/spreadsheets/{key}/values/{range:path}", "GET", sheets.values),
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
        _route("/_control/sync_tokens/expire", "POST", control.expire),
        _route("/_control/spreadsheets/{key}", "PUT", sheets.put),
        _route("/_control/spreadsheets/{key}", "GET", sheets.get),
        _route("/_control/spreadsheets/{key}", "DELETE", sheets.delete),
        _route("/_control/clock", "POST", control.move_clock),
        _route("/_control/consent/deny", "POST", control.deny),
    ]
    faults = Faults(Starlette(routes=routes), GoogleDialect(people.page_again))
    # A request that meets a fault counts against the quota, too.
    quota = Quota(behaviour.quota, store.now)
    return Gate(faults, authorization, quota, behaviour.quota_status, counts)


def _route(path: str, method: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            found = await answer(request)
        except ApiError as wrong:
            return error(wrong.status, str(wrong), wrong.details)
        except OAuthError as wrong:
            return oauth_error(wrong)
        except (KeyError, TypeError, ValueError) as wrong:
            return error(400, f"Request contains an invalid argument: {wrong}")
        return found if isinstance(found, Response) else JSONResponse(found)

    return Route(path, endpoint, methods=[method])


def _shown(found: Version, mask: frozenset[str], sources: list[str]) -> Json:
    # The user is no contact of their own.
    named = [each for each in sources if each == "PROFILE"] if found.record is ME else sources
    return schema.shown_person(found.record, found.number, mask, named)


def _query(request: Request, *names: str, repeated: tuple[str, ...] = ()) -> Json:
    """The parameters that were given a value. Raises `ApiError` for one that the method does not have."""
    query = request.query_params
    for name in query:
        if name not in (*names, *repeated, *SYSTEM_PARAMETERS):
            said = f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.'
            raise ApiError(400, said)
    found: Json = {name: query[name] for name in names if query.get(name)}
    return found | {name: query.getlist(name) for name in repeated if query.getlist(name)}


def _person_mask(query: Json) -> frozenset[str]:
    mask = frozenset(filter(None, query.get("personFields", "").split(",")))
    if not mask:
        said = f"personFields mask is required. Please specify one or more valid paths. {VALID_PATHS}"
        raise ApiError(400, said)
    if unknown := sorted(mask - set(schema.PERSON_FIELDS)):
        raise ApiError(400, f'Invalid personFields mask path: "{unknown[0]}". {VALID_PATHS}')
    return mask


def _sources(query: Json) -> list[str]:
    given = [each for value in query.get("sources", schema.SOURCES) for each in value.split(",")]
    if unknown := sorted(set(given) - set(schema.SOURCES)):
        raise ApiError(400, f"Invalid value at 'sources' (ReadSourceType), \"{unknown[0]}\"")
    return sorted({schema.SOURCES[each] for each in given})


def _page_size(query: Json, default: int) -> int:
    given = query.get("pageSize", "0")
    try:
        size = int(given)
    except ValueError:
        raise ApiError(400, f"Invalid value at 'page_size' (TYPE_INT32), \"{given}\"") from None
    if not 0 <= size <= LONGEST_PAGE:
        raise ApiError(400, f"Page size must be between 1 and {LONGEST_PAGE}.")
    return size or default


def _flag(query: Json, name: str) -> bool:
    given = query.get(name, "false")
    if given not in ("true", "false"):
        raise ApiError(400, f"Invalid value at '{name}' (TYPE_BOOL), \"{given}\"")
    return bool(given == "true")


def _mismatch(token: str) -> str:
    """The reference says only that this is so, and not in which words it is refused."""
    return f"Request parameters must match those of the first call that provided the {token}."
