"""The checks of the database for `script/doctor` and `script/connect`."""

from collections.abc import Iterator
from typing import cast

from reporting.settings import SWITCHED_OFF, Settings
from reporting.sources.base import Finding, SourceError
from reporting.sources.sql.entities import SqlTable
from reporting.sources.sql.reader import open_reader

STEPS = """
Paste the address of the database in SQLAlchemy's form, such as postgresql+psycopg2://reader:password@host/database.
Use a user who may only read. The address is not shown.
"""


def check(settings: Settings, token: str, host: str | None) -> Iterator[Finding]:
    """Check each table that is read."""
    # The owner's own are known to the registry, which imports the sources.
    from reporting.sources.registry import SOURCES

    for entity in cast(tuple[SqlTable, ...], SOURCES["sql"].entities):
        if settings.names.get(entity.table) == SWITCHED_OFF:
            yield Finding(entity.table, True, "is switched off.")
        else:
            yield _check_table(settings, entity, token)


def _check_table(settings: Settings, entity: SqlTable, address: str) -> Finding:
    try:
        reader = open_reader(settings, entity, address, None)
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    try:
        count = len(reader.describe()["properties"])
    except SourceError as error:
        return Finding(entity.table, False, str(error))
    finally:
        reader.close()
    return Finding(entity.table, True, f"can be read; the table has {count} columns.")
