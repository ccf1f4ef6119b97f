"""MERGE works between BEGIN TRANSACTION and COMMIT.

local-bigquery 0.4.0 learns whether a transaction is open by trying to begin one, and DuckDB answers a BEGIN
within a transaction by aborting that transaction. Drop it when upstream asks otherwise.
"""

from typing import Any

import duckdb
from local_bigquery.jobs import merge


class _Cursor:
    """A DuckDB cursor that refuses a nested BEGIN itself, so that DuckDB never sees it."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: str, *arguments: Any) -> Any:
        if sql == "BEGIN" and _in_transaction(self._cursor):
            raise duckdb.TransactionException("a transaction is open already")
        return self._cursor.execute(sql, *arguments)


def apply() -> None:
    """Hand MERGE a cursor that knows whether a transaction is open."""
    run_merge = merge.run

    def run(cursor: Any, tree: Any, context: Any) -> Any:
        return run_merge(_Cursor(cursor), tree, context)

    merge.run = run


def _in_transaction(cursor: Any) -> bool:
    # now() is the start of the transaction, in microseconds: outside one, every statement has a start of its own.
    first, second = (cursor.execute("SELECT epoch_us(now())").fetchone() for _ in range(2))
    return first == second
