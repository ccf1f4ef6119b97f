"""Helpers to describe columns, with the types of sqlalchemy-bigquery.

Only keys are REQUIRED, since BigQuery does not allow that to be added to a column later.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType


class JSON(UserDefinedType[Any]):
    """BigQuery's type JSON, which sqlalchemy-bigquery lacks."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "JSON"


def column(name: str, kind: sa.types.TypeEngine[Any], comment: str, required: bool = False) -> sa.Column[Any]:
    """A column with a description."""
    return sa.Column(name, kind, nullable=not required, comment=comment)


def text(name: str, comment: str, required: bool = False) -> sa.Column[Any]:
    """A text column with a description."""
    return column(name, sa.String(), comment, required)
