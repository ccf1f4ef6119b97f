"""Reads the two lists of an account, people and groups: all of it, or the changes since a sync token.

A read with a sync token also returns what was deleted. A full refresh of groups would be a single request, too, but it would have
to ask the warehouse each hour which ids it has. Google's answers are several minutes behind. A token stands for the data that
was returned and not for the time of the request, so late changes are in the next answer.

If Google reports a deletion, the reason is `trashed`, since a deleted contact stays in the bin for thirty days. If a full refresh
does not find a record, the reason is `missing`. If the resource name of a person changed, a read with a sync token returns the
former names; after a full refresh, a request for the old name returns the new one. If a person's name changed and the person was
deleted between two reads, only the next full refresh notices it.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from reporting.entity import Entity
from reporting.sources.base import IncompleteReadError, Page, Record, Tombstone, digest_of, missing
from reporting.sources.google_api import JsonObject, RefusedError
from reporting.sources.google_contacts.api import Account
from reporting.sources.shapes import as_text, mapping, mappings, record_of

logger = logging.getLogger(__name__)

BATCH_LIMIT = 200
IDLE_PAGES = 5
# Increase this when the conversion of a record to a row changes, so that existing rows are loaded again.
ROW_VERSION = 2
# The statuses for a token that is expired, or that belongs to other parameters or another account. Only the first case has a
# reason of its own (EXPIRED_SYNC_TOKEN). A request that is wrong in another way also fails without a token.
REFUSED_TOKEN = frozenset((400, 410))
# All fields except pictures, whose addresses change by themselves, and ages, which follow from birthdays.
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
        self._is_full_refresh = False

    @property
    def request_count(self) -> int:
        """The number of requests sent so far, including retries and requests for access tokens."""
        return self.account.transport.request_count

    @property
    def server_started_at(self) -> datetime | None:
        """The time of Google's clock in its first answer."""
        return self.account.transport.server_started_at

    @property
    def sync_token(self) -> str | None:
        """The token for the next read; known when this read is complete."""
        return self._sync_token

    @property
    def is_full_refresh(self) -> bool:
        """Whether all records are read, even if only changes were requested; known with the first page."""
        return self._is_full_refresh

    def resume_at(self, sync_token: str | None) -> None:
        """Set the token from which an incremental refresh begins. With None or an expired token it becomes a full refresh."""
        self._resumed = sync_token

    def describe(self) -> JsonObject:
        """The fields that are requested."""
        raise NotImplementedError

    def read(self, since: datetime | None) -> Iterator[Page]:
        """Yield all records, or with `since` the changes since the sync token, if Google still accepts it."""
        token = None if since is None else self._resumed
        self._is_full_refresh = token is None
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
                        f"Google no longer returns the next page of {self._entity.table} ({error}); nothing was "
                        "loaded. Run the task again."
                    ) from None
                logger.warning(
                    "%s: Google does not accept the sync token any more, so everything is read: %s",
                    self._entity.table,
                    error,
                )
                token, self._is_full_refresh = None, True
                continue
            found: list[Any] = answer.get(self._results) or []
            yield _page(requested_at, found)
            page_token = answer.get("nextPageToken") or None
            if page_token is None:
                # Only the last page has a token. If it has none, the previous token is still valid.
                self._sync_token = answer.get("nextSyncToken") or token
                return
            names = {str(mapping(each).get("resourceName")) for each in found}
            idle = 0 if names - met else idle + 1
            met |= names
            if idle > IDLE_PAGES:
                raise IncompleteReadError(
                    f"Google keeps returning pages of {self._entity.table} without anything new; nothing was "
                    "loaded. Run the task again."
                )

    def would_meet(self, record_id: str) -> bool:
        """Whether a full refresh would have returned this record."""
        return True

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield a tombstone for each: the list has everything that there is."""
        return missing(ids)

    def content_hash(self, record: Record) -> str:
        """The SHA-256 of the record."""
        return content_hash(record, self._region)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    _results: str

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        """The client's request for one page. Parameters that are None are left out."""
        raise NotImplementedError


class ContactsReader(ListReader):
    """Reads people."""

    _results = "connections"

    def describe(self) -> JsonObject:
        """The fields of a person that are requested."""
        return {"personFields": PERSON_FIELDS}

    def ask_about(self, ids: Iterable[str]) -> Iterator[Page]:
        """Yield people who exist after all or have a new resource name, and tombstones for the others."""
        for some in batched(ids, BATCH_LIMIT, strict=False):
            requested_at = datetime.now(UTC)
            request = self.account.api.people().getBatchGet(
                resourceNames=list(some), personFields=PERSON_FIELDS
            )
            answer = self.account.call(self._entity.name, request)
            told = {
                as_text(each.get("requestedResourceName")): each for each in mappings(answer.get("responses"))
            }
            people: list[Record] = []
            gone: list[Tombstone] = []
            for asked in some:
                person = self._told(asked, told.get(asked) or {})
                if person is None:
                    gone.append(Tombstone(asked, "missing", is_told=True))
                else:
                    people.append(person)
                    if person.id != asked:
                        gone.append(Tombstone(asked, "merged", person.id))
            yield Page(requested_at, tuple(people), tuple(gone))

    def _told(self, asked: str, response: Mapping[str, Any]) -> Record | None:
        """The person in one part of a batch answer; None if that is not a contact (any more)."""
        status = response.get("httpStatusCode")
        person = record_of(mapping(response.get("person")))
        if status == 404 or (status == 200 and contact_source(person.payload) is None):
            return None
        if status == 200 and person.id:
            return person
        raise IncompleteReadError(
            f"Google answered {status} for {asked} of {self._entity.table}, so it is not known whether it exists; nothing "
            "was loaded. Run the task again."
        )

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        # A sync token is only valid with the same parameters, including the one that requests a token.
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
    """Reads groups. Their members are not in the list, but in the memberships of each person."""

    _results = "contactGroups"

    def describe(self) -> JsonObject:
        """The fields of a group that are requested."""
        return {"groupFields": GROUP_FIELDS}

    def _request(self, sync_token: str | None, page_token: str | None) -> Any:
        return self.account.api.contactGroups().list(
            groupFields=GROUP_FIELDS, pageSize=self._page_size, syncToken=sync_token, pageToken=page_token
        )


def contact_source(person: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The source within a person's metadata that is the contact itself, and not a linked profile."""
    sources = mappings(mapping(person.get("metadata")).get("sources"))
    return next((each for each in sources if each.get("type") == "CONTACT"), None)


def content_hash(record: Record, default_region: str | None) -> str:
    """The SHA-256 of a record, the same for every endpoint that returns it.

    Entity tags are left out because they belong to an answer, and former names because only reads with a sync token have them.
    The region is included because telephone numbers depend on it: after a change of the setting, the next full refresh loads
    every row again.
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
            for source in mappings(metadata.get("sources"))
        ]
    if content.get("phoneNumbers"):
        content["region"] = default_region
    return digest_of(content, ROW_VERSION)


def _page(requested_at: datetime, found: Iterable[Any]) -> Page:
    records: list[Record] = []
    tombstones: list[Tombstone] = []
    for each in found:
        record = record_of(each)
        metadata = mapping(record.payload.get("metadata"))
        names = metadata.get("previousResourceNames")
        former = (
            [name for name in names if isinstance(name, str) and name != record.id]
            if isinstance(names, list)
            else []
        )
        if metadata.get("deleted") and record.id:
            tombstones.extend(Tombstone(name, "trashed", is_told=True) for name in (record.id, *former))
        else:
            records.append(record)
            tombstones.extend(Tombstone(name, "merged", record.id) for name in former if record.id)
    return Page(requested_at, tuple(records), tuple(tombstones))
