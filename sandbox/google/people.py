"""The People API's endpoints for reading: contacts and groups, by pages and by sync tokens.

https://developers.google.com/people/api/rest
"""

from starlette.requests import Request

from sandbox.google import schema
from sandbox.google.cursors import fingerprint, opened, sealed
from sandbox.google.errors import ApiError, expired_sync_token, full_sync_limited
from sandbox.google.gate import Behaviour, Quota
from sandbox.google.queries import flag_of, mismatch, page_size_of, person_mask_of, query_of, sources_of
from sandbox.google.schema import GROUPS, PEOPLE, Json
from sandbox.google.store import EVER, SECOND, Store, Version

BATCH_LIMIT = 200
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
        query = query_of(
            request,
            *("personFields", "pageSize", "pageToken", "requestSyncToken", "syncToken", "sortOrder"),
            repeated=("sources",),
        )
        mask, sources = person_mask_of(query), sources_of(query)
        order = query.get("sortOrder", schema.SORT_ORDERS[0])
        if order not in schema.SORT_ORDERS:
            raise ApiError(400, f"Invalid value at 'sort_order' (type.googleapis.com/SortOrder), \"{order}\"")
        is_requested = flag_of(query, "requestSyncToken")
        size = page_size_of(query, 100)
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
        query = query_of(request, "groupFields", "pageSize", "pageToken", "syncToken")
        mask = sorted(
            set(filter(None, query.get("groupFields", "").split(","))) or schema.DEFAULT_GROUP_FIELDS
        )
        for path in mask:
            if path not in schema.GROUP_FIELDS:
                raise ApiError(400, f'Invalid groupFields mask path: "{path}".')
        size = page_size_of(query, 30)
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
        query = query_of(request, "personFields", repeated=("sources",))
        mask, sources = person_mask_of(query), sources_of(query)
        found = self._person(f"{PEOPLE}/{request.path_params['key']}")
        if found is None:
            raise ApiError(404, "Requested entity was not found.")
        return _shown(found, mask, sources)

    async def batch(self, request: Request) -> Json:
        """GET people:batchGet: a status of its own for each person.

        https://developers.google.com/people/api/rest/v1/people/getBatchGet
        """
        query = query_of(request, "personFields", repeated=("resourceNames", "sources"))
        mask, sources = person_mask_of(query), sources_of(query)
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

    def page_again(self, name: str) -> str | None:
        """A token of the page last served that began with this record; None if none did."""
        state = self._pages.get(name)
        return sealed(self.store.secret, state) if state else None

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
                raise ApiError(400, mismatch("syncToken"))
            since, state["full"] = token["since"], token["full"]
        if "pageToken" in query:
            token = self._opened("page", kind, query["pageToken"], "pageToken")
            if token["call"] != call:
                raise ApiError(400, mismatch("pageToken"))
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


def _shown(found: Version, mask: frozenset[str], sources: list[str]) -> Json:
    # The user is no contact of their own.
    named = [each for each in sources if each == "PROFILE"] if found.record is ME else sources
    return schema.shown_person(found.record, found.number, mask, named)
