"""The files of a declared source of the owner's own: its package, a fake API with invented values, and a test."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pprint import pformat
from typing import Any

from reporting.entity import Property
from reporting.scaffold.propose import Proposal, invented
from reporting.sources.rest.declare import Auth, Basic, Resource, RestSource, rest_source
from reporting.sources.rest.paging import (
    AfterLast,
    LinkHeader,
    NextAddress,
    NextCursor,
    Paging,
)

# So many that the fake API has two pages.
SAMPLE = 10
CAP = 6
PACKAGE = '''\
"""{title}: {base}"""

from reporting.sources.rest import {names}

{constant} = Resource(
    name={name},
    description={description},
    path={path},
{options}    columns={{
{columns}
    }},
)
SOURCE = rest_source(
    name={source},
    title={title_literal},
    base={base_literal},
    auth={auth},
    resources=({constant},),
)
'''
FAKE = '''\
"""A fake API of {title}, in the shape of a recorded answer in which every value was replaced."""

from sandbox.lists import Lists

# Invented, and good for nothing but this fake.
KEY = {secret}
RECORDS = {records}


def fake() -> Lists:
    """The fake API with its sample."""
    return Lists(
        {{{path}: [dict(each) for each in RECORDS]}},
        {way},
        {cap},
        field={field},
        cursor={cursor},
        parameter={parameter},
        key={key},
        secret=KEY,
    )
'''
TEST = '''\
"""{title}, read from its fake API."""

from typing import Any

import pytest

from reporting.settings import read_settings
from reporting.sources.base import AccessDeniedError
from reporting.sources.own.{source} import SOURCE
from sandbox.lists import served
from sandbox.own import {source} as api

[ENTITY] = SOURCE.entities
SETTINGS = read_settings({{}})


def read(secret: str) -> list[Any]:
    """Every record."""
    with served(api.fake()) as address:
        reader = SOURCE.open_reader(SETTINGS, ENTITY, secret, address)
        try:
            return [record for page in reader.read(None) for record in page.records]
        finally:
            reader.close()


def test_every_record_is_read_once_and_has_its_columns() -> None:
    records = read(api.KEY)
    assert [each.id for each in records] == [str(each[{key}]) for each in api.RECORDS]
    rows = [SOURCE.rows.row(ENTITY, each, {{}}, SETTINGS) for each in records]
    columns = [each.name for each in SOURCE.rows.columns(ENTITY)]
    assert all(list(row) == columns for row in rows)


def test_another_token_is_refused_and_not_shown() -> None:
    with pytest.raises(AccessDeniedError) as caught:
        read({wrong})
    assert "wrong" not in str(caught.value)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is known of a source beside an answer: names, address, authentication, path and parameters of the list."""

    source: str
    entity: str
    title: str
    base: str
    auth: Auth
    path: str
    parameters: Mapping[str, str]


def declared(described: Described, found: Proposal) -> RestSource:
    """The source that `package` declares. Raises `DeclarationError`."""
    resource = Resource(
        name=described.entity,
        description=_about(described),
        path=described.path,
        records=found.records,
        key=found.key,
        parameters=described.parameters,
        paging=found.paging,
        columns={
            path: Property(kind, _description(path, described.title)) for path, kind in found.columns.items()
        },
    )
    return rest_source(
        name=described.source,
        title=described.title,
        base=described.base,
        auth=described.auth,
        resources=(resource,),
    )


def package(described: Described, found: Proposal) -> str:
    """The text of `__init__.py`."""
    options = [f"    records={_literal(found.records)},"] if found.records else []
    if found.key != "id":
        options.append(f"    key={_literal(found.key)},")
    if described.parameters:
        options.append(f"    parameters={_literal(dict(described.parameters))},")
    names = {type(described.auth).__name__, "Property", "Resource", "rest_source"}
    if found.paging is not None:
        options.append(f"    paging={_call(found.paging)},")
        names.add(type(found.paging).__name__)
    if found.unclear:
        options.append(f"    # The answer does not show how pages follow: {found.unclear}. Declare `paging`.")
    if found.changed:
        options += [
            "    # Where the API takes a time, only what changed is read each hour:",
            f'    # since=Since("NAME_OF_THE_PARAMETER", field={_literal(found.changed)}),',
        ]
    columns = [
        f"        {_literal(path)}: Property({_literal(kind)}, {_literal(_description(path, described.title))}),"
        for path, kind in found.columns.items()
    ]
    return PACKAGE.format(
        title=_plain(described.title),
        names=", ".join(sorted(names, key=lambda each: (each.islower(), each))),
        constant=described.entity.upper(),
        name=_literal(described.entity),
        description=_literal(_about(described)),
        path=_literal(described.path),
        options="".join(f"{line}\n" for line in options),
        columns="\n".join(columns),
        source=_literal(described.source),
        title_literal=_literal(described.title),
        base=described.base,
        base_literal=_literal(described.base),
        auth=_call(described.auth),
    )


def fake(described: Described, found: Proposal) -> str:
    """The text of the fake API's module."""
    way, cursor, parameter = "none", "", "cursor"
    match found.paging:
        case LinkHeader():
            way = "link"
        case NextAddress(field=cursor):
            way = "address"
        case NextCursor(field=cursor, parameter=parameter):
            way = "cursor"
        case AfterLast():
            way = "after_last"
    secret = "user:of-nobody" if isinstance(described.auth, Basic) else "key-of-nobody"
    return FAKE.format(
        title=_plain(described.title),
        secret=_literal(secret),
        records=pformat(invented(found.sample, found.key, SAMPLE), width=100, sort_dicts=False),
        path=_literal(described.path.strip("/")),
        way=_literal(way),
        cap=CAP,
        field=_literal(found.records),
        cursor=_literal(cursor),
        parameter=_literal(parameter),
        key=_literal(found.key),
    )


def test(described: Described, found: Proposal) -> str:
    """The text of the test's module."""
    wrong = "user:wrong" if isinstance(described.auth, Basic) else "wrong"
    return TEST.format(
        title=_plain(described.title), source=described.source, key=_literal(found.key), wrong=_literal(wrong)
    )


def _call(value: Paging | Auth) -> str:
    """The call that makes a declared object, without what is as it is anyway."""
    given = [
        f"{each.name}={_literal(getattr(value, each.name))}"
        for each in fields(value)  # type: ignore[arg-type]  # all of them are dataclasses
        if getattr(value, each.name) != each.default
    ]
    return f"{type(value).__name__}({', '.join(given)})"


def _literal(value: Any) -> str:
    """As Python reads it back, and the formatter writes it; what JSON escapes Python reads the same."""
    return json.dumps(value, ensure_ascii=True)


def _plain(text: str) -> str:
    """Text that can stand in a docstring."""
    return re.sub(r"[^\w .,:/()-]", "", text)


def _about(described: Described) -> str:
    return f"{described.entity.replace('_', ' ').capitalize()} of {described.title}."


def _description(path: str, title: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", path.replace(".", " ").replace("_", " ").replace("-", " "))
    return f"{words.capitalize()}, as {title} gives it."
