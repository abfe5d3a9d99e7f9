"""``iterate bench compare``: whether two results files rank the same backbones alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from iterate.cli.bench.tables import figures, names, plain_table
from iterate.cli.views.console import print_json, say
from iterate_core.errors import Problem, RequestError, nearest
from iterate_core.escaping import in_terminal as escape

if TYPE_CHECKING:
    from iterate.bench.comparison.compare import RankComparison, Ranking, Side
    from iterate.bench.leaderboard.about import SubmittedFile
    from iterate.bench.leaderboard.portion import Portion
    from iterate.bench.leaderboard.results_csv import ResultsFile
    from iterate.bench.suites.suite import Suite


def compare(
    first: Annotated[Path, typer.Argument(help="A results file (CSV), or a run's folder.")],
    second: Annotated[Path, typer.Argument(help="Another.")],
    suite: Annotated[
        str | None,
        typer.Option(help="geobench, geobench-2, or a suite's YAML; default that of the runs."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON to standard output.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A folder for Markdown, CSV and JSON.")] = None,
    normaliser: Annotated[
        str,
        typer.Option(help="What 0 and 1 mean: suite, computed (from both files), or a JSON file."),
    ] = "suite",
    group: Annotated[
        str | None,
        typer.Option(help="The group or dataset whose ranks are shown; default the first."),
    ] = None,
    fraction: Annotated[
        list[str] | None,
        typer.Option(
            help="Results with this share of the training data, 0.1 or 5-shot; twice: of the "
            "first, and of the second. Default: the one that a file has, else 1."
        ),
    ] = None,
) -> None:
    """Compare how two runs or protocols rank the backbones that both have.

    Kendall's τ of the ranks with its 95 % interval over training seeds, and which ranks move: for
    every group and dataset.
    """
    from iterate.bench.comparison.compare import compare as compared
    from iterate.bench.comparison.tables import json_comparison, write_comparison
    from iterate.bench.leaderboard.about import comparable, source_of
    from iterate.bench.leaderboard.results_csv import read_results
    from iterate.bench.suites.suite import load_suite
    from iterate.cli.bench.leaderboard import chosen_normaliser

    chosen = load_suite(suite or _suite_of((first, second)))
    if group is not None and group not in {**chosen.groups, **chosen.datasets}:
        what = f"{group!r} is no group or dataset of {chosen.name}."
        near = nearest(group, [*chosen.groups, *chosen.datasets])
        raise RequestError(Problem("--group", what, near))
    read = read_results([first, second], chosen)
    digests = {one.sha256 for one in chosen.published}
    sources = [source_of(file, file.sha256 in digests) for file in read]
    kept, unlike, notes = comparable(read, sources, across_splits=True)
    one, other = (
        _side(file, source, chosen, portion, notes)
        for file, source, portion in zip(kept, sources, _portions(fraction, kept), strict=True)
    )
    scales = chosen_normaliser(normaliser, chosen)
    found = compared(one, other, chosen, scales, notes, unlike)
    if group is not None and all(ranking.name != group for ranking in found.rankings):
        what = f"the two share no two backbones that have all of {group!r}."
        raise RequestError(Problem("--group", what))
    _show(found, group)
    if out is not None:
        for path in write_comparison(found, out):
            say(f"[dim]wrote[/]  {escape(str(path))}")
    if json:
        print_json(json_comparison(found))


def _suite_of(paths: Sequence[Path]) -> str:
    """The suite that the runs of two results files were of."""
    from iterate.bench.leaderboard.about import run_beside
    from iterate.bench.leaderboard.csv_table import table
    from iterate.bench.leaderboard.results_csv import results_path

    runs = [run_beside(file, table(file)[2]) for file in map(results_path, paths)]
    names = {run.suite for run in runs if run is not None}
    if len(names) == 1:
        return names.pop()
    what = "they are of different suites." if names else "nothing beside the files says it."
    raise RequestError(Problem("--suite", what, "Name one: --suite geobench-2."))


def _portions(asked: Sequence[str] | None, files: Sequence[ResultsFile]) -> list[Portion]:
    """The portion of the training data to take of each file."""
    from iterate.bench.leaderboard.portion import WHOLE
    from iterate.cli.bench.leaderboard import asked_portion

    if asked and len(asked) <= len(files):
        return [asked_portion(text) for text in [*asked, asked[-1]][: len(files)]]
    if asked:
        raise RequestError(Problem("--fraction", "comes twice at most: a share for each file."))
    there = [{cell.portion for cell in file.cells} for file in files]
    return [portions.pop() if len(portions) == 1 else WHOLE for portions in there]


def _side(
    file: ResultsFile, source: SubmittedFile, suite: Suite, portion: Portion, notes: list[str]
) -> Side:
    from iterate.bench.comparison.compare import Side
    from iterate.bench.leaderboard.entries import entries_of
    from iterate.bench.leaderboard.heading import protocol_of
    from iterate.bench.leaderboard.portion import WHOLE
    from iterate.cli.bench.leaderboard import no_share

    entries, told = entries_of([file], suite, portion)
    if not entries:
        raise RequestError(no_share([file], portion))
    notes += told
    protocol = protocol_of(source) or "protocol not known"
    share = "" if portion == WHOLE else f", {portion.told}"
    return Side(file.label, protocol + share, tuple(entries))


def _show(comparison: RankComparison, group: str | None) -> None:
    from iterate.bench.comparison.tables import title_of

    for number, side in enumerate(comparison.sides, start=1):
        say(f"[dim]{number}[/]  {escape(f'{side.label}: {side.told}')}")
    for note in comparison.notes:
        say(f"[dim]note[/]  {escape(note)}")
    for tracks in dict.fromkeys(ranking.tracks for ranking in comparison.rankings):
        own = [ranking for ranking in comparison.rankings if ranking.tracks == tracks]
        title = title_of(comparison, tracks)
        say(_agreements(title, own))
        for ranking in [one for one in own if one.name == group] if group else own[:1]:
            _show_ranks(title, ranking)


def _agreements(title: str, rankings: Sequence[Ranking]) -> Table:
    from iterate.bench.comparison.tables import agreed

    table = plain_table(f"{title}: Kendall's τ of the ranks")
    names(table, "group or dataset")
    figures(table, "backbones", "τ", "95 % interval", "p")
    for ranking in rankings:
        table.add_row(escape(ranking.name), *agreed(ranking))
    return table


def _show_ranks(title: str, ranking: Ranking) -> None:
    from iterate.bench.comparison.tables import left_out, moved, rank_rows

    table = plain_table(f"{title}: {ranking.name} (* moves beyond chance)")
    names(table, "backbone")
    figures(table, "rank in 1", "in 2", "move", "95 % interval")
    for row in rank_rows(ranking):
        ranks = (str(row["first_rank"]), str(row["second_rank"]))
        table.add_row(escape(row["backbone"]), *ranks, *moved(row))
    say(table)
    told = left_out(ranking)
    if told:
        say(f"[dim]{escape(told)}[/]")
