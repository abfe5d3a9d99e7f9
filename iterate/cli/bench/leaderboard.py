"""``iterate bench leaderboard``: from results files to rankings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iterate.cli.views.console import print_json, say
from iterate_core.errors import DataError, Problem, RequestError, nearest
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate.bench.leaderboard.normaliser import Normaliser
    from iterate.bench.leaderboard.portion import Portion
    from iterate.bench.leaderboard.results_csv import ResultsFile
    from iterate.bench.suites.suite import Suite


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
        str,
        typer.Option(help="Only results with this share of the training data: 0.1, or 5-shot."),
    ] = "1",
) -> None:
    """Rank the backbones of results files, with honest uncertainty.

    Score, 95 % interval over seeds and rank are of the interquartile mean; apart from them stands
    what the benchmark's own leaderboard shows, exactly.
    """
    from iterate.bench.leaderboard.about import about, comparable, source_of, unknown_origin
    from iterate.bench.leaderboard.entries import entries_of
    from iterate.bench.leaderboard.page.html import page
    from iterate.bench.leaderboard.page.links import links_of
    from iterate.bench.leaderboard.rank import build
    from iterate.bench.leaderboard.results_csv import read_results
    from iterate.bench.leaderboard.tables import json_rows, write_board
    from iterate.bench.suites.suite import load_suite
    from iterate.cli.bench.view import show_board

    chosen = load_suite(suite)
    if group is not None and group not in chosen.groups:
        what = f"{group!r} is no group of {chosen.name}."
        raise RequestError(Problem("--group", what, nearest(group, chosen.groups)))
    marked = baseline or []
    portion = asked_portion(fraction)
    read = read_results([*marked, *files], chosen)
    digests = frozenset(file.sha256 for file in read[: len(marked)])
    known = digests | {one.sha256 for one in chosen.published}
    sources = [source_of(file, file.sha256 in known) for file in read]
    kept, unlike, left_out = comparable(read, sources)
    entries, notes = entries_of(kept, chosen, portion, digests)
    if not entries:
        raise RequestError(no_share(kept, portion))
    scales = chosen_normaliser(normaliser, chosen)
    if scales == "suite":
        notes += unknown_origin(sources)
    board = build(entries, chosen, scales, [*left_out, *notes], unlike)
    board = replace(board, about=about(sources))
    show_board(board, group)
    if out is not None:
        folders = {file.label: file.path.parent for file in read}
        for path in write_board(board, out, page(board, links_of(board, folders, out))):
            say(f"[dim]wrote[/]  {escape(str(path))}")
    if json:
        print_json(json_rows(board))


def asked_portion(text: str) -> Portion:
    """What ``--fraction`` asks for: ``0.1``, or as results files call it, ``10%`` or ``5-shot``.

    Raises:
        RequestError: It is none.
    """
    from iterate.bench.leaderboard.csv_table import finite
    from iterate.bench.leaderboard.portion import portion_of, read_portion

    number = finite(text)
    found = read_portion(text) if number is None else portion_of(number)
    if found is None:
        what = f"must be a share above 0 to 1, or such as 5-shot, but is {text!r}."
        raise RequestError(Problem("--fraction", what))
    return found


def no_share(files: Sequence[ResultsFile], portion: Portion) -> Problem:
    """That no file has results with a portion of the training data, and which there are."""
    there = {cell.portion for file in files for cell in file.cells}
    ordered = sorted(there, key=lambda one: (one.shots or 0, one.share, one.name))
    what = f"no row has {_asked(portion)}."
    return Problem("--fraction", what, f"There are: {', '.join(map(_short, ordered))}.")


def _asked(portion: Portion) -> str:
    if portion.shots is None and portion.blocks is None:
        return f"the share {portion.share:g} of the training data"
    return portion.told


def _short(portion: Portion) -> str:
    plain = portion.shots is None and portion.blocks is None
    return f"{portion.share:g}" if plain else portion.name


def chosen_normaliser(text: str, suite: Suite) -> Normaliser:
    """What ``--normaliser`` asks for.

    Raises:
        DataError: The file cannot be read, or is no normaliser.
    """
    if text == "suite":
        return "suite"
    if text == "computed":
        return "computed"
    import json

    from iterate.statistics.scores import Scale

    path = Path(text)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError("it must be an object")
        return {
            name: Scale(*map(float, content[name])) for name in suite.datasets if name in content
        }
    except (OSError, ValueError, TypeError) as error:
        what = f"is no normaliser, a JSON file of dataset: [worst, best]: {error}."
        raise DataError(Problem(str(path), what, "Or: suite, computed.")) from None
