"""The properties of a data source, and how a client changes them.

https://developers.notion.com/reference/property-object and .../update-data-source-properties
"""

import copy
import uuid
from typing import Any

from sandbox.notion import values
from sandbox.notion.values import Json, option, property_id

TYPES = frozenset({*values.EMPTY, *values.COMPUTED_TYPES})
# What a change may say of a property beside its type.
_ABOUT = frozenset({"id", "name", "type", "description"})
_STATUSES = ("Not started", "In progress", "Done")


class InvalidSchemaError(ValueError):
    """A change of the properties that Notion refuses."""


def definition(key: str, name: str, kind: str, config: Json) -> Json:
    """One property of a schema."""
    return {
        "id": key,
        "name": name,
        "type": kind,
        "description": "A line or two." if name == "Notes" else None,
        kind: config,
    }


def options(*names: str) -> Json:
    """The configuration of a select or multi_select property."""
    return {"options": [{**option(name), "description": None} for name in names]}


def statuses() -> Json:
    """The configuration of a status property: an option in each group."""
    config = options(*_STATUSES)
    config["groups"] = [
        {"id": each["id"], "name": each["name"], "color": each["color"], "option_ids": [each["id"]]}
        for each in config["options"]
    ]
    return config


def name_of(source: Json, given: str) -> str | None:
    """The name of the property with this name or id, percent-encoded or not; None when there is none."""
    if given in source["properties"]:
        return given
    for name, known in source["properties"].items():
        if values.is_same_property(given, known["id"]):
            return str(name)
    return None


def changed(source: Json, changes: Json) -> Json:
    """The data source with properties renamed, added, removed or of another type.

    Raises `InvalidSchemaError`, with `source` as it was.
    """
    if not isinstance(changes, dict):
        raise InvalidSchemaError("body.properties should be an object")
    source = copy.deepcopy(source)
    for given, change in changes.items():
        if change is not None and not isinstance(change, dict):
            raise InvalidSchemaError(f"body.properties.{given} should be an object or null")
        name = name_of(source, given)
        if change is None:
            _remove(source, name, given)
        elif name is None:
            _add(source, given, change)
        else:
            _change(source, name, change)
    return source


def _remove(source: Json, name: str | None, given: str) -> None:
    if name is None:
        raise InvalidSchemaError(f"{given} is not a property that exists.")
    if source["properties"][name]["type"] == "title":
        raise InvalidSchemaError("Cannot delete the title property.")
    del source["properties"][name]


def _add(source: Json, name: str, change: Json) -> None:
    kind = _kind(change)
    if kind is None:
        raise InvalidSchemaError(f"{name} is not a property that exists.")
    if kind == "title":
        raise InvalidSchemaError("A data source has one title property.")
    # Never the id of a property that is gone: its values would come back.
    key = property_id(str(uuid.uuid4()))
    source["properties"][name] = definition(key, name, kind, _config(kind, change.get(kind), {}))


def _change(source: Json, name: str, change: Json) -> None:
    known = source["properties"][name]
    kind, renamed = _kind(change) or known["type"], change.get("name", name)
    if (kind == "title") != (known["type"] == "title"):
        raise InvalidSchemaError("The type of the title property cannot be changed.")
    if not isinstance(renamed, str) or not renamed:
        raise InvalidSchemaError(f"body.properties.{name}.name should be a text")
    if renamed != name and renamed in source["properties"]:
        raise InvalidSchemaError(f"A property named {renamed} exists already.")
    before = known[kind] if kind == known["type"] else {}
    config = _config(kind, change.get(kind), before)
    made = {**definition(known["id"], renamed, kind, config), "description": known.get("description")}
    # In its old place: the order of properties is the owner's.
    source["properties"] = {
        (renamed if each == name else each): (made if each == name else held)
        for each, held in source["properties"].items()
    }


def _kind(change: Json) -> str | None:
    """The type that a change names; None when it names none."""
    named = {key for key in change if key not in _ABOUT} | ({change["type"]} if "type" in change else set())
    if not named:
        return None
    if len(named) > 1 or not named <= TYPES:
        raise InvalidSchemaError(f"a property has one type, and not {', '.join(sorted(map(str, named)))}")
    return str(named.pop())


def _config(kind: str, given: Any, before: Json) -> Json:
    """The configuration of a type as answers give it."""
    if given is not None and not isinstance(given, dict):
        raise InvalidSchemaError(f"the configuration of {kind} should be an object")
    config = {**before, **(given or {})}
    match kind:
        case "select" | "multi_select":
            return {**config, "options": _options(config.get("options", []), before.get("options", []))}
        case "status":
            # Its options are the owner's, in the app alone.
            return before or statuses()
        case "number":
            return {"format": "number", **config}
        case "unique_id":
            return {"prefix": None, **config}
    return config


def _options(given: Any, before: list[Json]) -> list[Json]:
    found = []
    for each in given if isinstance(given, list) else [None]:
        if not isinstance(each, dict) or not (each.get("name") or each.get("id")):
            raise InvalidSchemaError("options is an array of objects with a name")
        known = [held for held in before if each.get("id") == held["id"] or each.get("name") == held["name"]]
        if not known and not each.get("name"):
            raise InvalidSchemaError(f"there is no option with the id {each['id']}")
        found.append(known[0] if known else {**option(each["name"]), "description": None, **each})
    return found
