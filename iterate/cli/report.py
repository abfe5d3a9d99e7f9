"""``iterate report RUN…``: one page for a run, or a comparison of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from iterate.cli.views.console import print_json, say, stderr
from iterate_core.escaping import in_terminal


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of finished runs, or of single studies in them."),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file; default report.html in the first run's folder.")
    ] = None,
    predict: Annotated[
        bool | None,
        typer.Option(
            "--predict/--no-predict",
            help="Predict test splits, for pictures and calibration; default for one study alone.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print where it lies as JSON to standard output.")
    ] = False,
) -> None:
    """Write one self-contained HTML page: what was asked, what was found, and what to try next."""
    from iterate.reporting.report import write_report

    with _progress() as watch:
        file = write_report(runs, out, predict=predict, watch=watch, note=_note)
    say(f"[bold]report[/]  {in_terminal(file)}")
    if json:
        print_json({"report": str(file)})


def _note(text: str) -> None:
    say(f"[bold yellow]note[/]  {in_terminal(text)}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for as long as test samples are predicted."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr(), transient=True) as bars:
        begun: dict[str, TaskID] = {}

        def watch(study: str, done: int, of: int) -> None:
            if study not in begun:
                told = f"predicting the test split of {in_terminal(study)}"
                begun[study] = bars.add_task(told, total=of)
            bars.update(begun[study], completed=done)

        yield watch
