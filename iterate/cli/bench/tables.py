"""Tables of names and figures that fit a terminal: long names are folded, figures stay whole."""

from __future__ import annotations

from rich import box
from rich.table import Table

from iterate_core.escaping import in_terminal as escape


def plain_table(title: str) -> Table:
    """A table with a title and without edges."""
    table = Table(
        title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.show_edge = False
    return table


def names(table: Table, *headings: str) -> None:
    """Add columns of names, which give way where figures need the room."""
    for heading in headings:
        table.add_column(escape(heading), overflow="fold")


def figures(table: Table, *headings: str, width: int | None = None) -> None:
    """Add columns of figures.

    Args:
        table: Is added to.
        headings: Of the columns; folded into `width`.
        width: Of each, in characters: of its longest figure; None takes that of the heading too.
    """
    for heading in headings:
        table.add_column(
            escape(heading), justify="right", overflow="fold", width=width, no_wrap=width is None
        )


def widest(cells: list[str], least: int = 1) -> int:
    """Characters of the longest cell."""
    return max([least, *map(len, cells)])
