"""How far predictions are: one line on a terminal, nothing in a plain log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iterate.cli.views.console import stderr
from iterate_core.escaping import in_terminal


class Line:
    """All scenes' windows in one line, with the name of the scene that was begun last.

    Args:
        progress: That shows it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress, self._total, self._lock = progress, 0, Lock()
        self._task = progress.add_task("windows", total=None)

    def planned(self, scene: str, windows: int, done: int) -> None:
        """See `iterate_core.inference.progress.Watch`."""
        with self._lock:
            self._total += windows
            name = in_terminal(scene)
            self._progress.update(self._task, total=self._total, advance=done, description=name)

    def advanced(self, scene: str, windows: int) -> None:
        """See `iterate_core.inference.progress.Watch`."""
        del scene
        self._progress.advance(self._task, windows)

    def written(self, scene: str) -> None:
        """See `iterate_core.inference.progress.Watch`."""


@contextmanager
def shown(console: Console | None = None) -> Iterator[Line]:
    """The line, while predictions are made."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows"),
        TimeRemainingColumn(),
    )
    console = console or stderr()
    quiet = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as progress:
        yield Line(progress)
