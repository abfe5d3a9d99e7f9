"""A small leaderboard whose figures are known: a run of ours that says its costs, and a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from iterate.bench.leaderboard.about import Made, RunRecord, SubmittedFile, about
from iterate.bench.leaderboard.entries import entries_of
from iterate.bench.leaderboard.rank import build
from iterate.bench.leaderboard.results_csv import write_results
from iterate.bench.leaderboard.rows import Leaderboard
from iterate.bench.leaderboard.score import Repeats, Score
from iterate.bench.suites.suite import Suite

# Points of each dataset, parameters and trained ones in millions, seconds of a repeat.
OURS = {
    "big <i>": ({"x": 80, "y": 60, "z": 70}, 300, 300, 7200),
    "small": ({"x": 82, "y": 40, "z": 50}, 20, 20, 300),
    "probe": ({"x": 50, "y": 30, "z": 40}, 300, 0, 1200),
    "middle": ({"x": 70, "y": 55, "z": 45}, 100, 2, 900),
    "partial": ({"x": 66, "z": 66}, 10, 10, 60),
}
THEIRS = {"old": {"x": 75, "y": 50, "z": 60}, "unlisted": {"x": 74, "y": 49, "z": 59}}


def known_suite() -> Suite:
    """Three datasets in two groups, whose points are their scores × 100."""
    dataset = {"task": "classification", "metric": "Accuracy", "meaning": "accuracy"}
    dataset |= {"normaliser": (0.0, 1.0)}
    return Suite.model_validate(
        {
            "name": "known",
            "title": "Known",
            "reference": "none",
            "tracks": {"full_ft": "Full fine-tuning", "frozen": "Frozen backbone"},
            "groups": {"All of it": ("x", "y", "z"), "Only x": ("x",)},
            "datasets": dict.fromkeys("xyz", dataset),
            "metrics": {"Accuracy": {"of": "accuracy"}},
            "backbones": {
                "old": {"name": "Old", "size": "25M"},
                "big <i>": {"name": "Big <i>", "size": "300M"},
            },
        }
    )


def known_board(folder: Path) -> Leaderboard:
    """The board; its results files lie in ``mine`` and ``theirs`` below a folder."""
    for name in ("mine", "theirs"):
        (folder / name).mkdir(parents=True)
    mine = _cells({name: points for name, (points, *_) in OURS.items()}, "full_ft")
    mine += _cells({"small": {"x": 20, "y": 20, "z": 20}}, "frozen")
    files = [
        write_results(folder / "mine/results_and_parameters.csv", mine),
        write_results(folder / "theirs/results_and_parameters.csv", _cells(THEIRS, "full_ft")),
    ]
    made = [
        Made(
            *(dataset, name, "random", whole * 10**6, 5, 2, 3, {"optimiser.lr": 1e-3}, {}, None),
            trained_parameters=trained * 10**6,
            flops=whole * 1e8,
            repeat_seconds=float(seconds),
            devices=("CPU",),
            folder=f"{dataset}/{name}",
        )
        for name, (points, whole, trained, seconds) in OURS.items()
        for dataset in points
    ]
    run = RunRecord("known", "own", None, 100, (), {}, tuple(made))
    digests = frozenset([files[1].sha256])
    sources = [
        SubmittedFile(files[0].label, files[0].sha256, published=False, run=run),
        SubmittedFile(files[1].label, files[1].sha256, published=True, run=None),
    ]
    suite = known_suite()
    entries, notes = entries_of(files, suite, published=digests)
    return replace(build(entries, suite, notes=notes), about=about(sources))


def with_cells(board: Leaderboard, change: Callable[[Made], Made]) -> Leaderboard:
    """The same board, whose run says other things of its models."""
    assert board.about is not None
    mine, *others = board.about.sources
    assert mine.run is not None
    run = replace(mine.run, cells=tuple(map(change, mine.run.cells)))
    sources = (replace(mine, run=run), *others)
    return replace(board, about=replace(board.about, sources=sources))


def _cells(table: dict[str, dict[str, int]], track: str) -> list[Repeats]:
    """Two seeds a cell, a point to both sides of each."""
    return [
        Repeats(
            tuple(
                Score(name, dataset, track, "Accuracy", seed, (points + by) / 100)
                for seed, by in ((1, -1), (2, 1))
            )
        )
        for name, cells in table.items()
        for dataset, points in cells.items()
    ]
