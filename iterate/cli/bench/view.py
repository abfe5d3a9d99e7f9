"""Leaderboards in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.heading import facts
from iterate.bench.leaderboard.provenance import origins
from iterate.bench.leaderboard.rows import GroupRow, Leaderboard
from iterate.bench.leaderboard.tables import DASH, NO_GROUP, NOT_KNOWN, order, published_text
from iterate.cli.bench.tables import figures, names, plain_table, widest
from iterate.cli.views.console import say
from iterate.cli.views.progress import duration
from iterate_core.escaping import in_terminal as escape

AS_PUBLISHED = "as published leaderboards compute it"
# Backbones of one origin that a line names; more are counted.
_NAMED = 3
# Raw means that a terminal shows; more are in the files.
_MOST_MEANS = 40

if TYPE_CHECKING:
    from iterate.bench.runs.estimate import Preview
    from iterate.bench.runs.plan import Gap
    from iterate.bench.runs.run import BenchResult


def show_board(board: Leaderboard, group: str | None) -> None:
    """Print what it is, and each track's groups; in detail one group, the first unless named."""
    for warning in () if board.about is None else board.about.warnings:
        say(f"[bold yellow]warning[/]  {escape(warning)}")
    for what, text in facts(board):
        say(f"[dim]{what.lower()}[/]  {escape(text)}")
    for text in _origins(board):
        say(f"[dim]scores[/]  {escape(text)}")
    for note in board.notes:
        say(f"[dim]note[/]  {escape(note)}")
    for track, title in board.suite.tracks.items():
        rows = [row for row in board.groups if row.track == track]
        if not rows:
            continue
        if group is None and all(row.value is None for row in rows):
            say(f"{escape(title)}: {NO_GROUP}")
            _show_means(board, track)
            continue
        own_entries = [entry for entry in board.entries if entry.track == track]
        shown = {entry.label: _name(board, entry) for entry in own_entries}
        say(_overview(title, rows, shown))
        used = dict.fromkeys(row.group for row in rows if row.value is not None)
        for name in [group] if group is not None else list(used)[:1]:
            own = [row for row in rows if row.group == name]
            say(_details(f"{title}: {name}", own, shown))


def _origins(board: Leaderboard) -> list[str]:
    """Where scores come from, the backbones of one origin together."""
    together: dict[str, list[str]] = {}
    for one in origins(board):
        told = [one.scores, one.protocol, *([f"weights {one.weights}"] if one.weights else [])]
        told += [f"licence: {one.licence}"] if one.licence else []
        told += [f"{one.parameters} parameters"] if one.parameters else []
        together.setdefault(", ".join(filter(None, told)), []).append(one.backbone)
    return [
        f"{', '.join(names) if len(names) <= _NAMED else f'{len(names)} backbones'}: {told}"
        for told, names in together.items()
    ]


def _name(board: Leaderboard, entry: BoardEntry) -> str:
    extra = entry.label[len(entry.backbone) :]
    mark = "*" if entry.published else ""
    return escape(board.suite.shown(entry.backbone) + mark + extra)


def _overview(title: str, rows: Sequence[GroupRow], shown: Mapping[str, str]) -> Table:
    table = plain_table(f"{title}, points (* published)")
    # A group that nobody has whole fills no column.
    groups = list(dict.fromkeys(row.group for row in rows if row.value is not None))
    cells = {(row.backbone, row.group): f"{row.value:.1f}" for row in rows if row.value is not None}
    names(table, "backbone")
    for group in groups:
        figures(table, group, width=widest([t for (_, g), t in cells.items() if g == group], 5))
    for label in order(rows):
        table.add_row(shown[label], *(cells.get((label, group), DASH) for group in groups))
    return table


def _details(title: str, rows: Sequence[GroupRow], shown: Mapping[str, str]) -> Table:
    table = plain_table(title)
    figures(table, "rank")
    names(table, "backbone")
    figures(table, "score", "95 % interval")
    figures(table, AS_PUBLISHED, width=widest([published_text(row) for row in rows], 12))
    for row in sorted(rows, key=lambda row: (row.rank is None, row.rank)):
        name = shown[row.backbone]
        if row.value is None:
            table.add_row("", f"{name} [dim]lacks {escape(', '.join(row.missing))}[/]", "–")
            continue
        table.add_row(
            f"{row.rank} ({row.rank_low}–{row.rank_high})",
            name,
            f"{row.value:.1f}",
            NOT_KNOWN if row.low is None else f"{row.low:.1f} to {row.high:.1f}",
            f"[dim]{published_text(row)}[/]",
        )
    return table


def show_gaps(gaps: Sequence[Gap]) -> None:
    """Print what is missing, the backbones of one reason together."""
    together: dict[tuple[str, str, bool], list[str]] = {}
    for gap in gaps:
        together.setdefault((gap.dataset, gap.reason, gap.kept), []).append(gap.backbone)
    for (dataset, reason, kept), backbones in together.items():
        stands = " The results of an earlier run stand." if kept else ""
        said = f"{dataset} ({', '.join(backbones)}): {reason}{stands}"
        say(f"[yellow]missing[/]  {escape(said)}")


def show_result(result: BenchResult) -> None:
    """Print the leaderboard of a run, its times, and where to look next."""
    if result.board is None:
        say("[yellow]no leaderboard[/]  Nothing was tested: search.repeats is 0, or all failed.")
    else:
        show_board(result.board, None)
        for track in dict.fromkeys(row.track for row in result.board.groups if row.rank):
            _show_means(result.board, track)
    for gap in result.failed:
        say(f"[red]failed[/]  {escape(f'{gap.dataset}/{gap.backbone}: {gap.reason}')}")
    studies = result.summary["studies"]
    if studies:
        wall, train = result.summary["wall_seconds"], result.summary["train_seconds"]
        say(f"[dim]took {duration(wall)}, of which workers trained {duration(train)}[/]")
    folder = escape(str(result.folder))
    if result.board is not None:
        say(f"leaderboard  {folder}/leaderboard.html")
    say(f"results      {folder}/results_and_parameters.csv")
    if result.backlog is not None:
        say(f"dashboard    iterate ui {folder}")
    if result.backlog:
        say(f"[yellow]{escape(str(result.backlog))}[/]")


def _show_means(board: Leaderboard, track: str) -> None:
    """Print the raw means of results that are not published, if few, with both intervals."""
    ours = {entry.label for entry in board.entries if not entry.published}
    rows = [row for row in board.datasets if row.track == track and row.backbone in ours]
    if len(rows) > _MOST_MEANS:
        say(f"[dim]{len(rows)} test scores stand in datasets.csv[/]")
        return
    table = plain_table("Test scores (95 % intervals over seeds and over test samples)")
    names(table, "dataset", "backbone")
    figures(table, "mean", "seeds", "over seeds", "over samples")
    for name in board.suite.datasets:
        for row in (row for row in rows if row.dataset == name):
            ends = ((row.mean_low, row.mean_high), (row.sample_low, row.sample_high))
            told = [NOT_KNOWN if low is None else f"{low:.3f} to {high:.3f}" for low, high in ends]
            table.add_row(escape(name), escape(row.backbone), f"{row.mean:.4f}", str(row.n), *told)
    say(table)


def show_preview(preview: Preview) -> None:
    """Print the studies of a run, and how long they may take."""
    table = plain_table(preview.title)
    hours = "GPU hours" if preview.gpu else "worker hours"
    names(table, "dataset", "backbone", "decoder")
    figures(table, "trials", "repeats", "epochs", "done", hours)
    for study in preview.studies:
        table.add_row(
            escape(study.dataset),
            escape(study.backbone),
            escape(study.decoder),
            str(study.trials),
            str(study.repeats),
            str(study.epochs),
            str(study.done),
            study.hours_text,
        )
    say(table)
    for line in preview.said:
        say(escape(line))
