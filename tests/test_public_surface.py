"""What owners' own files import and call, as docs/guides/adding-a-source.md lists it: it stays, whatever moves behind it."""

import importlib
import inspect
import re

import pytest

from reporting.settings import ROOT

DOCUMENT = ROOT / "docs" / "guides" / "adding-a-source.md"
# With the arguments that owners' files give: a revision, an entity, a model.
CALLS = {
    "reporting.entity.NotionDatabase": ("name", "description", "default_name", "is_dated", "is_optional"),
    "reporting.entity.Property": ("kind", "description"),
    "reporting.own_entities.NOTION": (),
    "reporting.sources.files.FileTable": (
        "name",
        "description",
        "pattern",
        "columns",
        "key",
        "required",
        "keeps_removed",
        "format",
        "encoding",
        "separator",
        "locale",
        "sheet",
        "records",
    ),
    "reporting.sources.files.Property": ("kind", "description"),
    "reporting.sources.google_sheets.entities.SheetTab": ("name", "description", "columns", "required"),
    "reporting.sources.hubspot.entities.HubSpotObject": (
        *("name", "description", "properties"),
        *("object_type", "history", "associations"),
    ),
    "reporting.sources.rest.AfterLast": ("parameter", "more"),
    "reporting.sources.rest.Basic": (),
    "reporting.sources.rest.Bearer": ("prefix",),
    "reporting.sources.rest.ClientCredentials": ("address", "scope"),
    "reporting.sources.rest.Gone": ("field", "value"),
    "reporting.sources.rest.HeaderKey": ("name",),
    "reporting.sources.rest.LinkHeader": (),
    "reporting.sources.rest.NextAddress": ("field",),
    "reporting.sources.rest.NextCursor": ("field", "parameter", "more"),
    "reporting.sources.rest.Offset": ("parameter", "total"),
    "reporting.sources.rest.PageNumber": ("parameter", "begins_at", "pages"),
    "reporting.sources.rest.Property": ("kind", "description"),
    "reporting.sources.rest.QueryKey": ("name",),
    "reporting.sources.rest.RefreshToken": ("address", "scope"),
    "reporting.sources.rest.Resource": (
        "name",
        "description",
        "path",
        "columns",
        "key",
        "records",
        "parameters",
        "size",
        "page_size",
        "paging",
        "since",
        "gone",
        "parent",
        "item",
        "is_snapshot",
        "is_slow",
    ),
    "reporting.sources.rest.Since": ("parameter", "field", "time", "overlap", "until"),
    "reporting.sources.rest.SinglePage": (),
    "reporting.sources.rest.rest_source": (
        "name",
        "title",
        "base",
        "auth",
        "resources",
        "pace",
        "headers",
        "advice",
    ),
    "reporting.sources.sql.entities.SqlTable": ("name", "description", "columns", "key", "modified"),
    "reporting.sources.stream.Property": ("kind", "description"),
    "reporting.sources.stream.StreamTable": ("name", "description", "columns", "key", "required"),
    "reporting.settings.read_settings": ("environment",),
    "reporting.settings.Settings.dataset": ("name",),
    "reporting.warehouse.schema.drop_table": ("op", "table"),
    "reporting.warehouse.schema.drop_column": ("op", "table", "column"),
}
MACROS = {
    "notion_property": "id, type",
    "notion_day": "start, time_zone='null'",
    "name_key": "name",
    "uncastable": "types",
    "hubspot_value": "property, type='string'",
    "hubspot_uncastable": "types",
    "hubspot_list": "property, function=''",
    "day_of": "time, time_zone=none",
    "timezone": "",
    "today": "",
    "now": "",
    "period_start": "day, period",
}
TESTS = {
    "valid_rows": "model, key=[], not_null=[], accepted={}",
    "castable_values": "model",
    "agrees_with": "model, relation, key, columns",
}


def found(name: str) -> object:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


@pytest.mark.parametrize("name", CALLS)
def test_what_owners_files_import_is_there(name: str) -> None:
    value = found(name)
    if not callable(value):
        assert isinstance(value, tuple)
        return
    assert set(CALLS[name]) <= set(inspect.signature(value).parameters)


@pytest.mark.parametrize("name", [*MACROS, *TESTS])
def test_what_owners_models_call_is_there(name: str) -> None:
    kind = "test" if name in TESTS else "macro"
    texts = [
        path.read_text()
        for folder in ("macros", "tests/generic")
        for path in (ROOT / "dbt" / folder).glob("*.sql")
    ]
    ((arguments,),) = [
        [match[1]] for text in texts if (match := re.search(rf"{{% {kind} {name}\((.*?)\) ", text))
    ]
    expected = (MACROS | TESTS)[name]
    assert arguments == expected


def test_the_document_lists_all_of_it_and_nothing_else() -> None:
    text = DOCUMENT.read_text().partition("## What stays")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([\w.]+)`", text))
    assert listed == {*CALLS, *MACROS, *TESTS}
