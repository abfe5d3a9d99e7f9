"""``iterate bench leaderboard``: from results files to rankings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from iterate.cli.console import print_json, say
from iterate.core.errors import DataError, Problem, RequestError, nearest
from iterate.core.foreign import in_terminal as escape

if TYPE_CHECKING:
    from iterate.bench.statistics.scores import Scale
    from iterate.bench.suite import Suite


def leaderboard(
    files: Annotated[
        list[Path], typer.Argument(help="Results files (CSV), or folders that hold one.")
    ],
    suite: Annotated[str, typer.Option(help="geobench, geobench-2, or a suite's YAML.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print the rows as JSON to standard output.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder for Markdown, CSV, JSON, the normaliser and the HTML page."),
    ] = None,
    baseline: Annotated[
        list[Path] | None,
        typer.Option(help="Results to mark as published baselines; may come several times."),
    ] = None,
    normaliser: Annotated[
        str,
        typer.Option(help="What 0 and 1 mean: suite, computed (from these files), or a JSON file."),
    ] = "suite",
    group: Annotated[
        str | None, typer.Option(help="The capability group to show in detail; default the first.")
    ] = None,
    fraction: Annotated[
        float, typer.Option(help="Only results with this share of the training data.", min=0, max=1)
    ] = 1.0,
) -> None:
    """Rank the backbones of results files, with honest uncertainty.

    Scores and their ± are exactly those of the benchmark's own leaderboard; beside them stand the
    bootstrap standard deviation, a 95 % interval over seeds, and ranks with intervals.
    """
    from iterate.bench.entries import entries_of
    from iterate.bench.leaderboard import build
    from iterate.bench.report import page
    from iterate.bench.results import read_results
    from iterate.bench.suite import load_suite
    from iterate.bench.tables import json_rows, write_board
    from iterate.cli.bench_view import show_board

    chosen = load_suite(suite)
    if group is not None and group not in chosen.groups:
        what = f"{group!r} is no group of {chosen.name}."
        raise RequestError(Problem("--group", what, nearest(group, chosen.groups)))
    marked = baseline or []
    read = read_results([*marked, *files], chosen)
    digests = frozenset(file.sha256 for file in read[: len(marked)])
    entries, notes = entries_of(read, chosen, fraction, digests)
    board = build(entries, chosen, _normaliser(normaliser, chosen), notes)
    show_board(board, group)
    if out is not None:
        for path in write_board(board, out, page(board)):
            say(f"[dim]wrote[/]  {escape(str(path))}")
    if json:
        print_json(json_rows(board))


def _normaliser(text: str, suite: Suite) -> dict[str, Scale] | Literal["suite", "computed"]:
    if text == "suite":
        return "suite"
    if text == "computed":
        return "computed"
    import json

    from iterate.bench.statistics.scores import Scale

    path = Path(text)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Scale(*map(float, content[name])) for name in suite.datasets if name in content
        }
    except (OSError, ValueError, TypeError) as error:
        what = f"is no normaliser, a JSON file of dataset: [worst, best]: {error}."
        raise DataError(Problem(str(path), what, "Or: suite, computed.")) from None
