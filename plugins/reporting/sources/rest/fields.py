"""Fields of an answer by their paths, such as `due.date`, and the columns that are named after them."""

import re
from collections.abc import Mapping
from typing import Any

# What stands in place of a field that is not there; null is a value.
ABSENT = object()
PATH = re.compile(r"[^.{}\s]+(?:\.[^.{}\s]+)*")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def field(value: Any, path: str) -> Any:
    """The value at `path`: names between dots, each of an object in the one before; `ABSENT` where there is none."""
    for name in path.split(".") if path else ():
        if not isinstance(value, Mapping) or name not in value:
            return ABSENT
        value = value[name]
    return value


def column_of(path: str) -> str:
    """The name of the column for the field at `path`: `due.dateTime` is `due_date_time`."""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", path)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def placeholders(path: str) -> list[str]:
    """The fields of the parent's record that stand in braces in a path."""
    return PLACEHOLDER.findall(path)
