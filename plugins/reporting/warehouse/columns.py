"""Columns and types that the tables are described with; the types are sqlalchemy-bigquery's.

REQUIRED cannot be added to a column later, so only keys are.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType


class JSON(UserDefinedType[Any]):
    """BigQuery's JSON, which sqlalchemy-bigquery has no type for."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "JSON"


def column(name: str, kind: sa.types.TypeEngine[Any], comment: str, required: bool = False) -> sa.Column[Any]:
    """A described column."""
    return sa.Column(name, kind, nullable=not required, comment=comment)


def text(name: str, comment: str, required: bool = False) -> sa.Column[Any]:
    """A described column of text."""
    return column(name, sa.String(), comment, required)
