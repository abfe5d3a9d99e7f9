"""Leaderboards in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from iterate.bench.leaderboard.entries import BoardEntry
from iterate.bench.leaderboard.heading import facts, origins
from iterate.bench.leaderboard.rows import GroupRow, Leaderboard
from iterate.bench.leaderboard.tables import NO_GROUP, NOT_KNOWN, order, published_text
from iterate.cli.views.console import say
from iterate.cli.views.progress import duration
from iterate_core.escaping import in_terminal as escape

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
    for one in origins(board):
        parameters = f", {one.parameters} parameters" if one.parameters else ""
        say(f"[dim]backbone[/]  {escape(f'{one.backbone}: weights {one.weights}{parameters}')}")
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
        names = {entry.label: _name(board, entry) for entry in own_entries}
        say(_overview(title, rows, names))
        used = dict.fromkeys(row.group for row in rows if row.value is not None)
        for name in [group] if group is not None else list(used)[:1]:
            own = [row for row in rows if row.group == name]
            say(_details(f"{title}: {name}", own, names))


def _name(board: Leaderboard, entry: BoardEntry) -> str:
    extra = entry.label[len(entry.backbone) :]
    mark = "*" if entry.published else ""
    return escape(board.suite.shown(entry.backbone) + mark + extra)


def _plain(title: str) -> Table:
    table = Table(
        title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.show_edge = False
    return table


def _overview(title: str, rows: Sequence[GroupRow], names: Mapping[str, str]) -> Table:
    table = _plain(f"{title}, points (* published)")
    table.add_column("backbone", overflow="ellipsis", no_wrap=True, min_width=20)
    # A group that nobody has whole fills no column.
    groups = list(dict.fromkeys(row.group for row in rows if row.value is not None))
    for group in groups:
        table.add_column(escape(group), justify="right", overflow="fold", min_width=5)
    cells = {(row.backbone, row.group): row.value for row in rows}
    for label in order(rows):
        values = [cells.get((label, group)) for group in groups]
        table.add_row(names[label], *("–" if v is None else f"{v:.1f}" for v in values))
    return table


def _details(title: str, rows: Sequence[GroupRow], names: Mapping[str, str]) -> Table:
    table = _plain(title)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("backbone", overflow="fold")
    for heading in ("score", "95 % interval", "as published leaderboards compute it"):
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
            NOT_KNOWN if row.low is None else f"{row.low:.1f} to {row.high:.1f}",
            f"[dim]{published_text(row)}[/]",
        )
    return table


def show_gaps(gaps: Sequence[Gap]) -> None:
    """Print what is missing, the backbones of one reason together."""
    together: dict[tuple[str, str, bool], list[str]] = {}
    for gap in gaps:
        together.setdefault((gap.dataset, gap.reason, gap.kept), []).append(gap.backbone)
    for (dataset, reason, kept), names in together.items():
        stands = " The results of an earlier run stand." if kept else ""
        said = f"{dataset} ({', '.join(names)}): {reason}{stands}"
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
    table = _plain("Test scores (95 % intervals over seeds and over test samples)")
    for heading in ("dataset", "backbone"):
        table.add_column(heading, overflow="fold")
    for heading in ("mean", "seeds", "over seeds", "over samples"):
        table.add_column(heading, justify="right")
    for name in board.suite.datasets:
        for row in (row for row in rows if row.dataset == name):
            ends = ((row.mean_low, row.mean_high), (row.sample_low, row.sample_high))
            told = [NOT_KNOWN if low is None else f"{low:.3f} to {high:.3f}" for low, high in ends]
            figures = (f"{row.mean:.4f}", str(row.n), *told)
            table.add_row(escape(name), escape(row.backbone), *figures)
    say(table)


def show_preview(preview: Preview) -> None:
    """Print the studies of a run, and how long they may take."""
    table = _plain(preview.title)
    hours = "GPU hours" if preview.gpu else "worker hours"
    for heading in ("dataset", "backbone", "decoder"):
        table.add_column(heading)
    for heading in ("trials", "repeats", "epochs", "done", hours):
        table.add_column(heading, justify="right")
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
