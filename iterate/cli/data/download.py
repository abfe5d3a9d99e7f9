"""``iterate data download``: datasets of a suite, from their hubs to this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iterate.cli.views.console import print_json, say, stderr
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from rich.table import Table

    from iterate.bench.suites.download import Offer, Show

_Names = Annotated[list[str] | None, typer.Argument(help="Datasets: m-eurosat, benv2, …")]


def download(
    names: _Names = None,
    suite: Annotated[
        str | None, typer.Option(help="A whole suite, or whose datasets: geobench, geobench-2.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="The folder of all datasets; $GEO_BENCH_DIR or ~/dataset/geobench."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be downloaded, and stop.")
    ] = False,
    latest: Annotated[
        bool, typer.Option("--latest", help="What is published now, even if the suite pins other.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON to standard output.")
    ] = False,
) -> None:
    """Download datasets, check them, and unpack them as the readers expect them.

    A call that was cut off goes on where it stopped; what is here is not downloaded again.
    """
    from iterate.bench.suites.download import offers, want
    from iterate.bench.suites.folders import data_root

    root = data_root(to)
    found = offers(want(names or [], suite, root), latest)
    say(_table(found, root))
    for offer in found:
        if offer.note is not None:
            say(f"note: {escape(offer.note)}")
    if not dry_run:
        _fetch_all([offer for offer in found if not offer.here])
        say(f"All {len(found)} are below {escape(str(root))}.")
    if json:
        print_json({"root": str(root), "datasets": [_entry(offer, dry_run) for offer in found]})


def _fetch_all(missing: list[Offer]) -> None:
    """Every dataset that can be had, whatever becomes of the others."""
    from iterate.bench.suites.download import fetch
    from iterate_core.errors import Problem, RequestError

    problems: list[Problem] = []
    with _progress() as show:
        for offer in missing:
            try:
                fetch(offer, show)
            except RequestError as error:
                problems += error.problems
    if problems:
        raise RequestError(problems)


def _entry(offer: Offer, dry_run: bool) -> dict[str, object]:
    state = "here" if offer.here else ("missing" if dry_run else "downloaded")
    return {
        "suite": offer.wanted.suite,
        "dataset": offer.wanted.name,
        "folder": str(offer.wanted.folder),
        "state": state,
        "revision": offer.revision,
        "files": [file.filename for file, _, _ in offer.files],
        "bytes": offer.missing,
        "licence": offer.wanted.dataset.licence,
    }


def _table(found: list[Offer], root: Path) -> Table:
    import shutil

    from rich.table import Table

    from iterate_core.faults import readable

    there = next(path for path in (root, *root.parents) if path.exists())
    free = readable(shutil.disk_usage(there).free)
    known = sum(offer.missing or 0 for offer in found)
    table = Table(title=f"{readable(known)} to download; {free} free at {there}")
    for column in ("dataset", "to download", "licence", "from"):
        table.add_column(column, justify="right" if column == "to download" else "left")
    for offer in found:
        dataset = offer.wanted.dataset
        size = "unknown" if offer.missing is None else readable(offer.missing)
        source = dataset.source.repository if dataset.source else ""
        commit = f" @ {offer.revision[:8]}" if offer.revision else ""
        table.add_row(
            escape(offer.wanted.name),
            "here" if offer.here else size,
            escape(dataset.licence or "not known"),
            escape(f"{source}{commit}"),
        )
    return table


@contextmanager
def _progress() -> Iterator[Show]:
    """Bars on a terminal, else a line a step."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    more = (TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, *more, console=console, disable=not console.is_terminal) as bars:

        def show(name: str) -> Callable[[int, int | None], None]:
            if not console.is_terminal:
                console.print(escape(name))
            bar = bars.add_task(escape(name), total=None)
            return lambda done, total: bars.update(bar, completed=done, total=total)

        yield show
