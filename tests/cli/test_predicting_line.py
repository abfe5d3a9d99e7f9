"""How far predictions are: one line, only where somebody looks."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from iterate.cli.views.predicting import shown


def test_the_line_counts_the_windows_of_all_scenes_on_a_terminal_alone() -> None:
    for terminal in (True, False):
        written = StringIO()
        console = Console(file=written, force_terminal=terminal, width=100)
        with shown(console) as watch:
            watch.planned("a", 10, 4)
            watch.planned("b", 20, 0)
            watch.advanced("a", 6)
            watch.written("a")
        assert ("10/30" in written.getvalue()) == terminal
