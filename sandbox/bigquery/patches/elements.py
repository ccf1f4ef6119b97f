"""A subquery over the elements of an array becomes a function of the array.

local-bigquery 0.4.0 hands `ARRAY(SELECT ... FROM UNNEST(x) ...)` to DuckDB as it is, which joins the elements of all rows with
the rows again: 20,000 arrays of 32 elements take 13 s, and less than one as `list_transform(x, ...)`. Only a subquery that looks
at one array, and at nothing in it but the element and qualified columns of the outer query, is changed; any other stays. Drop
it when DuckDB needs no join for it.

https://duckdb.org/docs/stable/sql/functions/lambda
"""

from itertools import count
from typing import Any

from local_bigquery.sql import rules
from sqlglot import exp

# What a subquery may have. Anything else (a join, a group, DISTINCT, a window) makes it another one.
PARTS = {"expressions", "from_", "where", "order", "limit", "kind"}

# Where a subquery stands for rows, and for no value.
ROWS = (exp.From, exp.Join, exp.In, exp.Exists, exp.Any, exp.All, exp.SetOperation, exp.CTE, exp.DDL, exp.DML)


def apply() -> None:
    """Change each statement before it is translated, and after it was looked at."""
    rules.STATEMENT_RULES.insert(1, _by_functions)


def _by_functions(tree: exp.Expression, context: Any) -> exp.Expression:
    numbers = count(1)
    # The inner ones first: what was one of them is a function then, and no subquery of the outer one.
    for node in reversed(list(tree.walk(bfs=False))):
        if isinstance(node, exp.Array) and len(node.expressions) == 1:
            made = _list_of(node.expressions[0], f"_element_{next(numbers)}")
        elif (
            isinstance(node, exp.Subquery)
            and not node.args.get("alias")
            and not isinstance(node.parent, ROWS)
        ):
            made = _value_of(node.this, f"_element_{next(numbers)}")
        else:
            continue
        if made is not None:
            node.replace(made)
    return tree


def _list_of(select: object, parameter: str) -> exp.Expression | None:
    """ARRAY(SELECT ...), or None where it is another kind of subquery."""
    if not isinstance(select, exp.Select) or select.args.get("limit"):
        return None
    each = _each(select, parameter)
    # BigQuery makes an array of no elements of one that is null.
    return None if each is None else exp.Coalesce(this=each, expressions=[exp.Array(expressions=[])])


def _value_of(select: object, parameter: str) -> exp.Expression | None:
    """(SELECT ANY_VALUE(...) ...), or the first by the order of the array; None where it is another kind of subquery."""
    if not isinstance(select, exp.Select) or select.args.get("kind") or len(select.expressions) != 1:
        return None
    chosen, limit = select.expressions[0].unalias(), select.args.get("limit")
    if isinstance(chosen, exp.AnyValue) and not limit and not select.args.get("order"):
        if not isinstance(chosen.this, exp.HavingMax):
            select = select.copy()
            select.set("expressions", [chosen.this.copy()])
            if each := _each(select, parameter):
                return exp.Anonymous(this="list_any_value", expressions=[each])
        return None
    is_one = (
        isinstance(limit, exp.Limit)
        and isinstance(limit.expression, exp.Literal)
        and limit.expression.this == "1"
    )
    if is_one and select.args.get("order") and (each := _each(select, parameter)):
        return exp.Anonymous(this="list_extract", expressions=[each, exp.Literal.number(1)])
    return None


def _each(select: exp.Select, parameter: str) -> exp.Expression | None:
    """What the subquery makes of each element, in the order of the array."""
    unnest = getattr(select.args.get("from_"), "this", None)
    if not isinstance(unnest, exp.Unnest) or len(unnest.expressions) != 1:
        return None
    if {name for name, value in select.args.items() if value} - PARTS:
        return None
    columns = unnest.args["alias"].columns if unnest.args.get("alias") else []
    if len(columns) != 1 or not _is_by_offset(select.args.get("order"), unnest.args.get("offset")):
        return None
    element, where = columns[0].name, select.args.get("where")
    made = _made(select)
    if made is None:
        return None
    parts = [_within(part, element, parameter) for part in (made, where.this if where else exp.true())]
    if any(part is None for part in parts):
        return None
    array = unnest.expressions[0].copy()
    if where:
        array = _call("list_filter", array, parameter, parts[1])
    return _call("list_transform", array, parameter, parts[0])


def _is_by_offset(order: object, offset: object) -> bool:
    """Whether there is no order, or that of the array itself."""
    if not order:
        return True
    if (
        not isinstance(order, exp.Order)
        or len(order.expressions) != 1
        or not isinstance(offset, exp.Identifier)
    ):
        return False
    by = order.expressions[0]
    column = by.this
    return (
        isinstance(column, exp.Column)
        and not column.table
        and not by.args.get("desc")
        and column.name.lower() == offset.name.lower()
    )


def _made(select: exp.Select) -> exp.Expression | None:
    """The one value of a row of the subquery; None where it has another form, or a field without a name."""
    if select.args.get("kind") != "STRUCT":
        return (
            select.expressions[0].unalias()
            if len(select.expressions) == 1 and not select.args.get("kind")
            else None
        )
    fields = []
    for each in select.expressions:
        if (
            not isinstance(each, exp.Alias | exp.Column)
            or not each.alias_or_name
            or isinstance(each.unalias(), exp.Star)
        ):
            return None
        fields.append(
            exp.PropertyEQ(this=exp.to_identifier(each.alias_or_name), expression=each.unalias().copy())
        )
    names = [field.this.name.lower() for field in fields]
    return exp.Struct(expressions=fields) if len(set(names)) == len(names) else None


def _within(part: exp.Expression, element: str, parameter: str) -> exp.Expression | None:
    """The expression with the function's parameter for the element; None where it knows something else."""
    if part.find(exp.Query, exp.AggFunc, exp.Window, exp.Star, exp.Parameter, exp.Command):
        return None
    part = exp.Paren(this=part.copy())
    for column in list(part.find_all(exp.Column)):
        is_whole = not column.table and column.name.lower() == element.lower()
        is_field = column.table.lower() == element.lower() and not column.args.get("db")
        if is_whole:
            column.replace(exp.to_identifier(parameter))
        elif is_field:
            field = exp.Literal.string(column.name)
            column.replace(
                exp.Anonymous(this="struct_extract", expressions=[exp.to_identifier(parameter), field])
            )
        elif not column.table:
            # It may be a field of the element as well as a column of the outer query.
            return None
    return part.this


def _call(name: str, array: exp.Expression, parameter: str, body: exp.Expression | None) -> exp.Expression:
    function = exp.Lambda(this=body, expressions=[exp.to_identifier(parameter)])
    return exp.Anonymous(this=name, expressions=[array, function])
