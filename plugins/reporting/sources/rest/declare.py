"""What is declared of a REST source. Every mistake in a declaration is a `DeclarationError` when its package is imported."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from reporting.entity import Entity, Property
from reporting.naming import DagId
from reporting.sources.base import Source
from reporting.sources.rest.fields import PATH, column_of, placeholders
from reporting.sources.rest.paging import AfterLast, Paging

MACHINERY = "reporting.sources.rest"
PARENT = "_parent"
NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
SNAPSHOT_DAY = Property("date", "Day that the record is of.")
# What staging models have of every entity, and what stands before them in the raw table.
RESERVED = frozenset(
    [
        "id",
        "record_id",
        "snapshot_day",
        "is_deleted",
        "deleted_reason",
        "extracted_at",
        "deleted_at",
        "uncastable_columns",
    ]
)
TIMES = ("iso", "date", "unix", "unix_ms")
# What the connection holds.
ONE = "the token as its password"
PAIR = "user and password with a colon between them as its password"
OBJECT = "a JSON object with {} as its password"


class DeclarationError(ValueError):
    """A declaration that cannot be meant; the message names the source or resource, and what is expected."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """The secret goes into the header `Authorization`, after `prefix`."""

    prefix: str = "Bearer"
    needs: str = ONE


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """The secret goes into the header `name`."""

    name: str
    needs: str = ONE


@dataclass(frozen=True, slots=True)
class QueryKey:
    """The secret goes into the parameter `name`; no log and no error shows it."""

    name: str
    needs: str = ONE


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password of HTTP (RFC 7617); the secret is `user:password`."""

    needs: str = PAIR


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth 2 for programs (RFC 6749, section 4.4). `address` gives tokens; without a host it is below the base address."""

    address: str
    scope: str = ""
    fields: tuple[str, ...] = ("client_id", "client_secret")
    needs: str = OBJECT.format("client_id and client_secret")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """OAuth 2 by a login that was made before (RFC 6749, section 6). `address` gives tokens."""

    address: str
    scope: str = ""
    fields: tuple[str, ...] = ("client_id", "client_secret", "refresh_token")
    needs: str = OBJECT.format("client_id, client_secret and refresh_token")


Auth = Bearer | HeaderKey | QueryKey | Basic | ClientCredentials | RefreshToken


@dataclass(frozen=True, slots=True)
class Since:
    """How one asks for what changed: `parameter` takes the time, in the format `time`.

    `field` is the field of a record with the time of its change. A read begins `overlap` before the cursor, since what was being
    written shows up later. Where `until` names a parameter, too, the source can be read by windows.
    """

    parameter: str
    field: str
    time: Literal["iso", "date", "unix", "unix_ms"] = "iso"
    overlap: timedelta = timedelta(minutes=10)
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """What a deletion looks like: a record whose field `field` is `value` is gone."""

    field: str
    value: Any = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One list of an API, which becomes one raw table.

    `path` is below the base address; `{field}` in it is a field of the record of the resource named in `parent`, and the list is
    read once for each. `records` is the path of the list in the answer; empty where the answer is the list. `key` is the field,
    or fields, that tell records apart. `columns` has the fields that become columns, by path: `due.date` is the column
    `due_date`, and `_parent.id` a field from the path. `parameters` are sent with each request, and `size` is the one that
    asks for `page_size` records. Without `paging` the first answer shows how pages follow one another. `since` says how
    changed records are asked for, `gone` what a deletion looks like; without either everything is read each time, and what is not
    there any more is gone. `item` is the path of a single record, with `{key}`: what a full refresh did not meet is asked for
    there. `is_snapshot` keeps the records of each day: they are read once a day, and no later day removes them.
    """

    name: str
    description: str
    path: str
    columns: Mapping[str, Property]
    key: str | tuple[str, ...] = "id"
    records: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    size: str | None = None
    page_size: int = 100
    paging: Paging | None = None
    since: Since | None = None
    gone: Gone | None = None
    parent: str | None = None
    item: str | None = None
    is_snapshot: bool = False
    is_slow: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that make the key."""
        return (self.key,) if isinstance(self.key, str) else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What all resources of a source share. `pace` is in requests per second; `headers` are sent with each."""

    name: str
    title: str
    base: str
    auth: Auth
    pace: float
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestEntity(Entity):
    """A declared resource as an entity."""

    api: Api = field(hash=False)
    resource: Resource = field(hash=False)
    parent: "RestEntity | None" = field(default=None, hash=False)

    @property
    def columns(self) -> dict[str, Property]:
        """The columns by name, as staging models are written from."""
        day = {"snapshot_day": SNAPSHOT_DAY} if self.keeps_days else {}
        return day | {column_of(path): each for path, each in self.resource.columns.items()}


class RestSource(Source):
    """A declared source: its modules are those of this package."""

    @property
    def checks(self) -> Any:
        """What `script/doctor` and `script/connect` ask it."""
        from reporting.sources.rest.checks import Checks

        return Checks(self)


def rest_source(
    *,
    name: str,
    title: str,
    base: str,
    auth: Auth,
    resources: tuple[Resource, ...],
    pace: float = 2.0,
    headers: Mapping[str, str] | None = None,
    advice: str = "",
) -> RestSource:
    """The source that is declared so. Raises `DeclarationError`."""
    api = Api(
        name=name, title=title, base=base.rstrip("/"), auth=auth, pace=pace, headers=dict(headers or {})
    )
    if problem := next(_problems_of_api(api, resources), None):
        raise DeclarationError(f"the source '{name}': {problem}.")
    entities: dict[str, RestEntity] = {}
    for each in resources:
        if problem := next(_problems_of(each, name, entities), None):
            raise DeclarationError(f"the resource '{each.name}' of '{name}': {problem}.")
        entities[each.name] = RestEntity(
            source=name,
            name=each.name,
            description=each.description,
            has_changed=each.since is not None,
            is_slow=each.is_slow or each.is_snapshot,
            keeps_days=each.is_snapshot,
            page_size=each.page_size,
            api=api,
            resource=each,
            parent=entities[each.parent] if each.parent else None,
        )
    return RestSource(
        name=name,
        title=title,
        package=MACHINERY,
        entities=tuple(entities.values()),
        needs=auth.needs,
        advice=advice or f"Run script/connect {name}.",
        when_stale=f"whether the connection {name} still works",
    )


def address_problem(address: str) -> str | None:
    """Why a secret cannot be sent to that address; None when it can."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its address is none"
    if not host or parts.scheme not in ("http", "https"):
        return "its address has to begin with https:// and a host"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "its address holds more than host and path"
    if parts.scheme == "http" and not _is_here(host):
        return "its address begins with http://, so that the token would go in clear; write https://"
    return None


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _problems_of_api(api: Api, resources: tuple[Resource, ...]) -> Iterator[str]:
    if not NAME.fullmatch(api.name):
        yield "a name has letters, digits and single underscores in lower case, and begins with a letter"
    if problem := address_problem(api.base):
        yield problem
    if not 0 < api.pace <= 1000:
        yield f"its pace is {api.pace}; it is in requests per second"
    if not resources:
        yield "it has no resources"
    address = getattr(api.auth, "address", "")
    if "://" in address and (problem := address_problem(address)):
        yield f"of the address that gives tokens: {problem}"


def _problems_of(each: Resource, source: str, known: Mapping[str, RestEntity]) -> Iterator[str]:
    try:
        DagId("raw", source, each.name, "full")
    except ValueError:
        yield "a name has letters, digits and single underscores in lower case, and begins with a letter"
    if each.name in known:
        yield "there is another one of that name"
    if "://" in each.path or each.path.startswith("/") or "?" in each.path:
        yield "its path is below the base address, without a slash at its beginning, and its parameters are in `parameters`"
    if each.parent and each.parent not in known:
        yield f"its parent '{each.parent}' is not declared before it"
    if bool(each.parent) != bool(placeholders(each.path)):
        yield "a parent and fields in braces in the path go together"
    if each.parent and known[each.parent].resource.is_snapshot:
        yield "the records of a snapshot cannot be parents"
    if each.item and (
        placeholders(each.item) != ["key"] or each.parent or len(each.keys) > 1 or each.is_snapshot
    ):
        yield "`item` has {key} in it once, and is for a key of one field, without a parent and without snapshots"
    if each.is_snapshot and each.since:
        yield "a snapshot is read whole, and so has no `since`"
    if isinstance(each.paging, AfterLast) and len(each.keys) > 1:
        yield "`AfterLast` goes on by the key of the last record, and so takes a key of one field"
    if each.page_size < 1:
        yield "its page size is below 1"
    if each.since and (each.since.time not in TIMES or each.since.overlap < timedelta()):
        yield f"`since` has a time that is one of {', '.join(TIMES)}, and an overlap of at least zero"
    paths = [*each.keys, *each.columns, *placeholders(each.path), *([each.records] if each.records else [])]
    paths += [each.since.field] if each.since else []
    if wrong := [path for path in paths if not PATH.fullmatch(path)]:
        yield f"'{wrong[0]}' is no path of a field"
    yield from _problems_of_columns(each)


def _problems_of_columns(each: Resource) -> Iterator[str]:
    if not each.columns:
        yield "it has no columns"
    met = set(RESERVED)
    for path in each.columns:
        name = column_of(path)
        if name in met:
            yield f"the column '{name}' is there already (every table has {', '.join(sorted(RESERVED))})"
        if not NAME.fullmatch(name):
            yield f"the field '{path}' makes no name of a column"
        met.add(name)
