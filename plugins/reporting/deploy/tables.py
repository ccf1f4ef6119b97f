"""Prints tables of commands so that what stands in a cell can be copied whole."""

from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segments
from rich.table import Table

# Wider than any table.
UNBOUND = 10_000


def print_table(console: Console, table: Table) -> None:
    """Print `table` with its title above it. No cell is wrapped or cut, however narrow the terminal is, nor in a pipe."""
    title, table.title = table.title, None
    if title:
        console.print(title, markup=False, soft_wrap=True, highlight=False)
    for column in table.columns:
        column.no_wrap = True
    options = console.options.update(width=UNBOUND)
    options = options.update(width=Measurement.get(console, options, table).maximum)
    # Rendered here, since a console prints nothing wider than itself.
    console.print(Segments(console.render(table, options)), crop=False, end="")
