"""A script assigns the columns of a `SELECT AS STRUCT` to variables: `SET (a, b) = (SELECT AS STRUCT x, y …)`.

dbt writes `SET (partitions) = (SELECT AS STRUCT ARRAY_AGG(…) …)` for insert_overwrite and microbatch models;
as published, local-bigquery 0.4.0 finds no variable in a parenthesised target. Drop it when upstream does.
"""

from typing import Any

import sqlglot
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from sqlglot import exp


def apply() -> None:
    """Let the interpreter's SET look for such an assignment first."""
    set_plainly = script.Interpreter.set

    def set_(self: Any, statement: Any) -> None:
        assignments = _assignments(statement.text)
        if assignments is None:
            set_plainly(self, statement)
            return
        for name, value in assignments:
            self.assign(self.variable(name), value)

    script.Interpreter.set = set_


def _assignments(text: str) -> list[tuple[str, exp.Expression]] | None:
    """The variables and their values, or None for a SET that upstream understands."""
    items = sqlglot.parse_one(text, dialect=BigQueryDialect).expressions
    if len(items) != 1 or not isinstance(items[0].this, exp.EQ):
        return None
    target, value = items[0].this.this, items[0].this.expression
    if isinstance(target, exp.Paren):
        variables = [target.this]
    elif isinstance(target, exp.Tuple):
        variables = target.expressions
    else:
        return None
    select = value.this if isinstance(value, (exp.Subquery, exp.Paren)) else None
    if isinstance(select, exp.Select) and str(select.args.get("kind") or "").upper() == "STRUCT":
        columns = select.expressions
        return [
            (variable.name, _only(select, column))
            for variable, column in zip(variables, columns, strict=True)
        ]
    return [(variables[0].name, value)] if isinstance(target, exp.Paren) else None


def _only(select: exp.Select, column: exp.Expression) -> exp.Subquery:
    """The select with one of its columns, as a value."""
    part = select.copy()
    part.set("kind", None)
    part.set("expressions", [column.copy()])
    return exp.Subquery(this=part)
