"""``iterate bench leaderboard|submit``: from results files to rankings and submissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from iterate.cli.console import print_json, say
from iterate.core.errors import DataError, Problem, RequestError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from iterate.bench.entries import Entry
    from iterate.bench.rows import GroupRow, Leaderboard
    from iterate.bench.statistics.scores import Scale
    from iterate.bench.suite import Suite

app = typer.Typer(help="Rank backbones over a benchmark suite.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print the rows as JSON to standard output.")]
_Suite = Annotated[str, typer.Option(help="geobench, geobench-2, or a suite's YAML.")]


@app.command()
def leaderboard(
    files: Annotated[
        list[Path], typer.Argument(help="Results files (CSV), or folders that hold one.")
    ],
    suite: _Suite,
    json: _Json = False,
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
    from iterate.bench.results import read_results
    from iterate.bench.suite import load_suite

    chosen = load_suite(suite)
    if group is not None and group not in chosen.groups:
        what = f"{group!r} is no group of {chosen.name}."
        raise RequestError(Problem("--group", what, nearest(group, chosen.groups)))
    marked = baseline or []
    read = read_results([*marked, *files], chosen)
    digests = frozenset(file.sha256 for file in read[: len(marked)])
    entries, notes = entries_of(read, chosen, fraction, digests)
    board = build(entries, chosen, _normaliser(normaliser, chosen), notes)
    _tell(board, group, out)
    if json:
        from iterate.bench.tables import json_rows

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


def _tell(board: Leaderboard, group: str | None, out: Path | None) -> None:
    for note in board.notes:
        say(f"[dim]note[/]  {escape(note)}")
    for track, title in board.suite.tracks.items():
        rows = [row for row in board.groups if row.track == track]
        if not rows:
            continue
        own_entries = [entry for entry in board.entries if entry.track == track]
        names = {entry.label: _name(board, entry) for entry in own_entries}
        say(_overview(title, rows, names))
        used = dict.fromkeys(row.group for row in rows if row.value is not None)
        for name in [group] if group is not None else list(used)[:1]:
            own = [row for row in rows if row.group == name]
            say(_details(f"{title}: {name}", own, names))
    if out is not None:
        from iterate.bench.report import page
        from iterate.bench.tables import write_board

        for path in write_board(board, out, page(board)):
            say(f"[dim]wrote[/]  {escape(str(path))}")


def _name(board: Leaderboard, entry: Entry) -> str:
    extra = entry.label[len(entry.backbone) :]
    mark = "*" if entry.published else ""
    return escape(board.suite.shown(entry.backbone) + mark + extra)


def _plain(title: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.show_edge = False
    return table


def _overview(title: str, rows: Sequence[GroupRow], names: Mapping[str, str]) -> Table:
    from iterate.bench.tables import order

    table = _plain(f"{title}, points (* published)")
    table.add_column("backbone", overflow="ellipsis", no_wrap=True, min_width=20)
    groups = list(dict.fromkeys(row.group for row in rows))
    for group in groups:
        table.add_column(group, justify="right", overflow="fold", min_width=5)
    cells = {(row.backbone, row.group): row.value for row in rows}
    for label in order(rows):
        values = [cells.get((label, group)) for group in groups]
        table.add_row(names[label], *("–" if v is None else f"{v:.1f}" for v in values))
    return table


def _details(title: str, rows: Sequence[GroupRow], names: Mapping[str, str]) -> Table:
    table = _plain(title)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("backbone", overflow="fold")
    for heading in ("score", "95 % interval", "bootstrap sd", "published ±"):
        table.add_column(heading, justify="right")
    for row in sorted(rows, key=lambda row: (row.rank is None, row.rank)):
        name = names[row.backbone]
        if row.value is None:
            table.add_row("", f"{name} [dim]lacks {escape(', '.join(row.missing))}[/]", "–")
            continue
        table.add_row(
            f"{row.rank} ({row.rank_low}–{row.rank_high})",
            name,
            f"{row.value:.1f}",
            "–" if row.low is None else f"{row.low:.1f} to {row.high:.1f}",
            f"{row.bootstrap_sd:.2f}",
            f"[dim]{row.published_error:.2f}[/]",
        )
    return table


@app.command()
def submit(
    source: Annotated[
        Path, typer.Argument(help="A results CSV with every column, or a submission's folder.")
    ],
    suite: _Suite = "geobench-2",
    info: Annotated[
        Path | None, typer.Option(help="additional_info.json; default: the one beside the CSV.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Make new_submission/ here; without it, only check.")
    ] = None,
) -> None:
    """Check a submission against the leaderboard's rules, and write it if it is valid."""
    from iterate.bench.results import RESULTS_FILE, table
    from iterate.bench.submission import (
        INFO_FILE,
        check_submission,
        repeated_seeds,
        write_submission,
    )
    from iterate.bench.suite import load_suite

    chosen = load_suite(suite)
    if out is None:
        problems = check_submission(source, chosen)
        if problems:
            raise RequestError(problems)
        folder = source
    else:
        results = source / RESULTS_FILE if source.is_dir() else source
        _, rows, _ = table(results)
        told = _info(info or results.parent / INFO_FILE)
        folder = write_submission([row for row in rows if row], told, out, chosen)
    for warning in repeated_seeds(folder):
        say(f"[yellow]note[/]  {escape(warning)}")
    say(f"valid  {escape(str(folder))}")


def _info(path: Path) -> dict[str, Any]:
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(Problem(str(path), f"cannot be read as JSON: {error}.")) from None
    if not isinstance(content, dict):
        raise DataError(Problem(str(path), "must be an object of keys and values."))
    return content
