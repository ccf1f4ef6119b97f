"""Tables of any database that SQLAlchemy supports: https://docs.sqlalchemy.org/en/20/core/engines.html"""

from reporting.sources.base import Source
from reporting.sources.sql.entities import SQL

SOURCE = Source(
    name="sql",
    title="the database",
    package=__name__,
    entities=SQL,
    needs="the database's address as its password",
    advice="Run script/connect sql; docs/guides/database.md says what the address is.",
    when_stale="whether the connection sql still works",
)
