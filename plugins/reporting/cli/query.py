"""Asks the warehouse one question in SQL, and prints the answer: in Google's BigQuery, or in the local one.

It reads and changes nothing. Without SQL it reads the question from standard input. A running script/server may go on.

Examples:

    script/query "SELECT full_name FROM marts.relationships WHERE is_going_cold"
    script/query --data var/demo --json < question.sql
"""

import json
import re
import sys
from typing import Annotated, Any

import typer
from google.api_core.exceptions import GoogleAPICallError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reporting.cli.command import LOCAL, BigQueryPort, Data, Json, print_json
from reporting.deploy import configuration, installation
from reporting.deploy.errors import CommandError, end_on_signals
from reporting.deploy.installation import BIGQUERY_PORT
from reporting.deploy.tables import print_table

# What a question begins with, after comments; whatever else does something.
QUESTION = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)
# Texts, quoted names and comments, in which a semicolon ends nothing.
QUOTED = re.compile(
    r"'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`[^`\n]*`|--[^\n]*|#[^\n]*|/\*.*?\*/",
    re.DOTALL,
)
MOST_ROWS = 100


def main(
    sql: Annotated[str | None, typer.Argument(metavar="SQL", help="one SELECT", show_default=False)] = None,
    rows: Annotated[int, typer.Option(min=1, metavar="COUNT", help="the most rows to print")] = MOST_ROWS,
    as_json: Json = False,
    bigquery_port: BigQueryPort = BIGQUERY_PORT,
    data: Data = LOCAL,
) -> int:
    """Run the question, and print its rows."""
    end_on_signals()
    question = checked(sys.stdin.read() if sql is None else sql)
    console = Console(highlight=False, stderr=as_json)
    variables = configuration.read_owner_file(configuration.owner_file())
    with installation.warehouse_running(
        data.resolve(), variables, console, bigquery_port=bigquery_port, is_written=False
    ) as warehouse:
        try:
            found = warehouse.client.query_and_wait(question, max_results=rows + 1)
            names = [field.name for field in found.schema]
            answer = [tuple(row.values()) for row in found]
        except GoogleAPICallError as error:
            raise CommandError(f"the warehouse refuses it: {_first_line(error)}") from None
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in answer[:rows]])
    else:
        print_table(console, _table(names, answer[:rows]))
    if len(answer) > rows:
        print(f"There are more rows than {rows:,}; --rows takes another number.", file=sys.stderr)
    return 0


def checked(sql: str) -> str:
    """The question without what ends it. Raises `CommandError` if it is no single question."""
    question = sql.strip().removesuffix(";").strip()
    if not QUESTION.match(question):
        raise CommandError("it takes one SELECT, as an argument or through standard input.")
    if ";" in QUOTED.sub("", question):
        raise CommandError("it takes one statement. Ask the others one by one.")
    return question


def _table(names: list[str], answer: list[tuple[Any, ...]]) -> Table:
    table = Table()
    for name in names:
        table.add_column(name)
    for row in answer:
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _first_line(error: GoogleAPICallError) -> str:
    text = (error.errors[0].get("message") if error.errors else None) or str(error.message)
    return str(text).strip().splitlines()[0]
