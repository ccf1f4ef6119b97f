"""Tables of commands, in a narrow terminal and in a pipe."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from reporting.deploy.tables import print_table

ID = "hubspot-contacts-full-20261129T180000123456"
TITLE = "A title with more words than the table below it is wide, which is no reason to break it"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_neither_an_id_nor_a_title_is_wrapped(is_terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=20, force_terminal=is_terminal, color_system=None)
    table = Table("run", title=TITLE)
    table.add_row(ID)
    print_table(console, table)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == TITLE
    assert any(ID in line for line in lines)
