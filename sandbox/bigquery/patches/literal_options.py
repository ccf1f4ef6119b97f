"""A description that is written out is taken as it is written.

local-bigquery 0.4.0 runs a query for the value of every option, which is most of the work of a CREATE TABLE whose columns are
all described. Drop it when upstream evaluates only what has to be.
"""

from typing import Any

from local_bigquery.jobs import query
from sqlglot import exp


def apply() -> None:
    """Evaluate only what is no text."""
    evaluator = query._evaluator

    def literal_evaluator(cursor: Any) -> Any:
        evaluate = evaluator(cursor)

        def value(node: Any) -> Any:
            is_text = isinstance(node, exp.Literal) and node.is_string
            return node.this if is_text else evaluate(node)

        return value

    query._evaluator = literal_evaluator
