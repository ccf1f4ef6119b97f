"""What is declared of a stream. Every mistake is a `DeclarationError` when its package is imported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reporting.entity import Entity, Property
from reporting.naming import DagId
from reporting.sources.rest.declare import NAME, RESERVED
from reporting.sources.rest.fields import column_of


class DeclarationError(ValueError):
    """A declaration that cannot be meant; the message names the stream, and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTable(Entity):
    """The records that are pushed to `/reporting/stream/{name}`, as one raw table.

    `columns` has the fields of a record by their names (`dueDate` is the column `due_date`). `key` names the field, or fields, that
    tell records apart: a later record with the same key takes the place of the earlier one. Without it each record is a row of its
    own. Fields of the key must be there, and so must those in `required`.
    """

    source: str = "stream"
    # Nobody can be asked for everything.
    has_full: bool = False
    page_size: int = 1000
    columns: Mapping[str, Property] = field(hash=False)
    key: str | tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if problem := next(_problems_of(self), None):
            raise DeclarationError(f"the stream '{self.name}': {problem}.")

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that make the key; none where each record is a row of its own."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def needed(self) -> tuple[str, ...]:
        """The fields that each record must have."""
        return tuple(dict.fromkeys((*self.keys, *self.required)))

    @property
    def staged(self) -> dict[str, Property]:
        """The columns of the raw table by name, as staging models are written from."""
        received = {"received_at": Property("datetime", "When the record was accepted.")}
        return received | {column_of(name): each for name, each in self.columns.items()}


def _problems_of(each: StreamTable) -> Iterator[str]:
    try:
        DagId("raw", each.source, each.name, "changed")
    except ValueError:
        yield "a name has letters, digits and single underscores in lower case, and begins with a letter"
    if not each.columns:
        yield "it has no columns"
    for name in each.needed:
        if name not in each.columns:
            yield f"'{name}' is needed and no column"
    met = {*RESERVED, "received_at"}
    for name in each.columns:
        column = column_of(name)
        if not NAME.fullmatch(column):
            yield f"'{name}' makes no name of a column"
        if column in met:
            yield f"the column '{column}' is there already (every table has {', '.join(sorted(met))})"
        met.add(column)
