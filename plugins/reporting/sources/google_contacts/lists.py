"""The two lists of an account, people and groups, which are read in one way: whole, or since a sync token.

A sync says what was deleted, which is why groups are not swept each time, although a sweep of them is one request, too:
it would ask the warehouse each hour which ids it has. What a sync gives is several minutes old, and so is a sweep, which
asks for a token, too. The token stands for what was given and not for the time at which it was asked, so that what comes
late is in the next sync.

What Google says was deleted is `trashed`: a deleted contact stays in its bin for thirty days. What only a sweep misses is
`missing`. A person whose resource name changed is named by it in a sync; after a sweep, asking for the old name gives
the new one. Nobody tells of a name that changed and was deleted between two syncs: the next sweep does.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from reporting.entities import Entity
from reporting.sources.base import IncompleteReadError, Page, Record, Tombstone
from reporting.sources.google_api import JsonObject, RefusedError
from reporting.sources.google_contacts.api import Account

logger = logging.getLogger(__name__)

BATCH_LIMIT = 200
IDLE_PAGES = 5
# A token that is expired, of other parameters, or of another account: of these only the first has a reason of its own
# (EXPIRED_SYNC_TOKEN), and a request that is wrong in itself is refused without a token, too.
REFUSED_TOKEN = frozenset((400, 410))
# All but pictures, whose addresses change by themselves, and ages, which follow from birthdays.
PERSON_FIELDS = (
    "addresses,biographies,birthdays,calendarUrls,clientData,emailAddresses,events,externalIds,genders,imClients,"
    "interests,locales,locations,memberships,metadata,miscKeywords,names,nicknames,occupations,organizations,"
    "phoneNumbers,relations,sipAddresses,skills,urls,userDefined"
)
GROUP_FIELDS = "clientData,groupType,memberCount,metadata,name"


class ListReader:
    """Reads one list; a `SyncReader`."""

    def __init__(
        self,
        account: Account,
        entity: Entity,
        default_region: str | None = None,
        page_size: int | None = None,
    ) -> None:
        self.account = account
        self._entity = entity
        self._region = default_region
        self._page_size = page_size or entity.page_size
        self._resumed: str | None = None
        self._sync_token: str | None = None
        self._is_sweep = False

    @property
    def request_count(self) -> int:
        """Requests sent so far, retries and access tokens included."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """Google's own clock at its first answer."""
        return self.account.transport.server_started_at

    @property
    def sync_token(self) -> str | None:
        """Where the next read may begin; known when this one has come to its end."""
        return self._sync_token

    @property
    def is_sweep(self) -> bool:
        """Whether everything is read, whatever was asked for; known with the first page."""
        return self._is_sweep

    def resume_at(self, sync_token: str | None) -> None:
        """Have a read of what changed begin where another ended; without a token, or an old one, it is a sweep."""
        self._resumed = sync_token

    def describe(self) -> JsonObject:
        """The fields that are asked for."""
        raise NotImplementedError

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield everything, or with `since` what changed since the sync token, if Google still takes it."""
        token = None if since is None else self._resumed
        self._is_sweep = token is None
        page_token: str | None = None
        met: set[str] = set()
        idle = 0
        while True:
            requested_at = datetime.now(UTC)
            try:
                answer = self.account.call(self._entity.name, self._request(token, page_token))
            except RefusedError as error:
                if error.status not in REFUSED_TOKEN or (token is None and page_token is None):
                    raise
                if page_token is not None:
                    raise IncompleteReadError(
                        f"Google no longer leads to the next page of {self._entity.table} ({error}); nothing was "
                        "loaded. Run the task again."
                    ) from None
                logger.warning(
                    "%s: the sync token is not taken any more, so everything is read: %s",
                    self._entity.table,
                    error,
                )
                token, self._is_sweep = None, True
                continue
            found: list[Any] = answer.get(self._results) or []
            yield _page(requested_at, found)
            page_token = answer.get("nextPageToken") or None
            if page_token is None:
                # Only the last page has a token. Without one the last one is still good.
                self._sync_token = answer.get("nextSyncToken") or token
                return
            names = {str(each.get("resourceName")) for each in found}
            idle = 0 if names - met else idle + 1
            met |= names
            if idle > IDLE_PAGES:
                raise IncompleteReadError(
                    f"Google keeps leading to pages of {self._entity.table} without anything new; nothing was "
                    "loaded. Run the task again."
                )

    def would_meet(self, record_id: str) -> bool:
        """Whether the sweep would have met this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the list has everything that there is."""
        gone = tuple(Tombstone(each, "missing") for each in ids)
        if gone:
            yield Page(datetime.now(UTC), tombstones=gone)

    def content_hash(self, record: Record) -> str:
        """SHA-256 over the record."""
        return content_hash(record, self._region)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    _results: str

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        """A request of the client for one page; a parameter that is None is left out."""
        raise NotImplementedError


class ContactsReader(ListReader):
    """Reads people."""

    _results = "connections"

    def describe(self) -> JsonObject:
        """The fields of a person that are asked for."""
        return {"personFields": PERSON_FIELDS}

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield who is there after all or has another resource name, and for the others that they are gone."""
        for some in batched(ids, BATCH_LIMIT, strict=False):
            requested_at = datetime.now(UTC)
            request = self.account.api.people().getBatchGet(
                resourceNames=list(some), personFields=PERSON_FIELDS
            )
            answer = self.account.call(self._entity.name, request)
            told = {each.get("requestedResourceName"): each for each in answer.get("responses") or []}
            people: list[JsonObject] = []
            gone: list[Tombstone] = []
            for asked in some:
                person = self._told(asked, told.get(asked) or {})
                if person is None:
                    gone.append(Tombstone(asked, "missing"))
                else:
                    people.append(person)
                    if person["resourceName"] != asked:
                        gone.append(Tombstone(asked, "merged", person["resourceName"]))
            yield Page(requested_at, tuple(map(Record, people)), tuple(gone))

    def _told(self, asked: str, response: JsonObject) -> JsonObject | None:
        """The person in one part of a batch; None for who is no contact (any more)."""
        status = response.get("httpStatusCode")
        person: JsonObject = response.get("person") or {}
        if status == 404 or (status == 200 and contact_source(person) is None):
            return None
        if status == 200 and person.get("resourceName"):
            return person
        raise IncompleteReadError(
            f"Google answered {status} for {asked} of {self._entity.table}, and not whether it is there; nothing "
            "was loaded. Run the task again."
        )

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        # A sync token is bound to every other parameter, and to that of its own request.
        return (
            self.account.api.people()
            .connections()
            .list(
                resourceName="people/me",
                personFields=PERSON_FIELDS,
                pageSize=self._page_size,
                requestSyncToken=True,
                syncToken=sync_token,
                pageToken=page_token,
            )
        )


class GroupsReader(ListReader):
    """Reads groups. A list never names their members: those are in each person's memberships."""

    _results = "contactGroups"

    def describe(self) -> JsonObject:
        """The fields of a group that are asked for."""
        return {"groupFields": GROUP_FIELDS}

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        return self.account.api.contactGroups().list(
            groupFields=GROUP_FIELDS, pageSize=self._page_size, syncToken=sync_token, pageToken=page_token
        )


def contact_source(person: Mapping[str, Any]) -> JsonObject | None:
    """The source of a person that is the contact itself, and not a profile that is linked with it."""
    sources: list[JsonObject] = (person.get("metadata") or {}).get("sources") or []
    return next((each for each in sources if each.get("type") == "CONTACT"), None)


def content_hash(record: Record, default_region: str | None) -> str:
    """SHA-256 over a record, the same whichever endpoint gave it.

    Entity tags are of an answer and not of its content, and only a sync tells former names. The region is content,
    since numbers are completed with it: after a change of the setting the next sweep brings every row again.
    """
    content: JsonObject = {name: value for name, value in record.payload.items() if name != "etag"}
    metadata = content.get("metadata")
    if isinstance(metadata, Mapping):
        content["metadata"] = {
            name: value
            for name, value in metadata.items()
            if name not in ("previousResourceNames", "sources")
        }
        content["sources"] = [
            {name: value for name, value in source.items() if name != "etag"}
            for source in metadata.get("sources") or []
        ]
    if content.get("phoneNumbers"):
        content["region"] = default_region
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _page(requested_at: datetime, found: Iterable[JsonObject]) -> Page:
    records: list[Record] = []
    tombstones: list[Tombstone] = []
    for each in found:
        metadata = each.get("metadata") or {}
        record = Record(each)
        former = [name for name in metadata.get("previousResourceNames") or [] if name != record.id]
        if metadata.get("deleted") and record.id:
            tombstones.extend(Tombstone(name, "trashed") for name in (record.id, *former))
        else:
            records.append(record)
            tombstones.extend(Tombstone(name, "merged", record.id) for name in former)
    return Page(requested_at, tuple(records), tuple(tombstones))
