"""Results files: scores from CSV and to CSV, one row each, in the two published formats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iterate.bench.leaderboard.csv_table import (
    few,
    finite,
    nearest_column,
    place,
    table,
    table_text,
    whole,
)
from iterate.bench.leaderboard.portion import Portion, read_portion
from iterate.bench.leaderboard.score import Repeats, Score, misfit
from iterate.bench.suites.suite import Suite, SuiteDataset
from iterate.statistics.intervals import Range
from iterate_core.errors import DataError, Problem, nearest
from iterate_core.storage.files import replacing

RESULTS_FILE = "results_and_parameters.csv"

# The columns of a submission, in its order: what is text, a whole number, a real number.
TEXT = (
    "dataset",
    "Metric",
    "experiment_name",
    "partition name",
    "backbone",
    "decoder",
    "batch_size_selection",
    "frozen_or_full_ft",
)
WHOLE = ("early_stop_patience", "n_trials", "Seed", "data_percentages", "batch_size")
REAL = ("weight_decay", "lr", "test metric")


@dataclass(frozen=True)
class ResultsFile:
    """The scores of one file.

    Attributes:
        label: What tells it from the other files: its folder's or its own name.
        path: Where it lies.
        sha256: Of its content.
        cells: Its scores, of rows that are the same in every cell the first.
        copies: How many rows were left out as copies of another.
    """

    label: str
    path: Path
    sha256: str
    cells: tuple[Repeats, ...]
    copies: int = 0


@dataclass(frozen=True)
class _Layout:
    """The columns of a format."""

    backbone: str
    seed: str
    track: str | None
    metric: str | None
    dataset: str = "dataset"
    score: str = "test metric"
    portion: str = "partition name"

    def required(self) -> list[str]:
        names = [self.dataset, self.score, self.portion, self.backbone, self.seed]
        return names + [name for name in (self.track, self.metric) if name is not None]


_GEOBENCH_2 = _Layout("backbone", "Seed", "frozen_or_full_ft", "Metric")
_GEOBENCH_1 = _Layout("model", "seed", None, None)


def write_results(path: Path, cells: Sequence[Repeats]) -> ResultsFile:
    """Write scores in the format of GEO-Bench-2, whatever they are.

    Returns:
        The file, with the scores as they were given.
    """
    text = results_text([columns(score) for cell in cells for score in cell.scores])
    content = text.encode()
    with replacing(path) as part:
        part.write_bytes(content)
    return ResultsFile(_label(path), path, hashlib.sha256(content).hexdigest(), tuple(cells))


def results_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """A results file of rows by the format's columns, of which it has those that any row has."""
    present = [name for name in (*TEXT, *WHOLE, *REAL) if any(name in row for row in rows)]
    return table_text(present or list(TEXT + WHOLE + REAL), rows)


def columns(score: Score) -> dict[str, Any]:
    """A score by the columns of GEO-Bench-2; those of its training where that is known."""
    told = {
        "dataset": score.dataset,
        "Metric": score.metric,
        "partition name": score.portion.name,
        "backbone": score.backbone,
        "frozen_or_full_ft": score.track,
        "Seed": score.seed,
        # Of so many samples a class nobody asks for a share.
        "data_percentages": round(100 * score.fraction) if score.shots is None else "",
        "test metric": score.value,
    }
    training = score.training
    if training is None:
        return told
    return told | {
        "experiment_name": training.experiment,
        "decoder": training.decoder,
        "batch_size_selection": "HPO" if training.batch_size_searched else "Fixed",
        "early_stop_patience": "" if training.patience is None else training.patience,
        "n_trials": training.trials,
        "batch_size": training.batch_size,
        "weight_decay": training.weight_decay,
        "lr": training.lr,
    }


def read_results(paths: Sequence[Path], suite: Suite) -> list[ResultsFile]:
    """Read results files, or the folders that hold a ``results_and_parameters.csv``.

    Raises:
        DataError: With every mistake of every file: the file, its row (the header is row 1) and
            its column.
    """
    problems: list[Problem] = []
    files: list[ResultsFile] = []
    for path in paths:
        try:
            files.append(_read(results_path(path), suite))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return labelled(files)


def results_path(path: Path) -> Path:
    """A results file, by its own path or that of the folder that holds it."""
    return path / RESULTS_FILE if path.is_dir() else path


def _read(path: Path, suite: Suite) -> ResultsFile:
    header, rows, digest = table(path)
    layout = _GEOBENCH_1 if "model" in header and "backbone" not in header else _GEOBENCH_2
    missing = [name for name in layout.required() if name not in header]
    if missing:
        raise DataError(
            [
                Problem(str(path), f"has no column {name!r}.", nearest_column(name, header))
                for name in missing
            ]
        )
    problems: list[Problem] = []
    once = _distinct(rows)
    scores = [
        score
        for number, row in once
        for score in _score(row, layout, suite, _Row(path, number, problems))
    ]
    if problems:
        raise DataError(few(path, problems))
    if not scores:
        raise DataError(Problem(str(path), "holds no results, only a header."))
    copies = sum(map(bool, rows)) - len(once)
    return ResultsFile(_label(path), path, digest, _cells(scores), copies)


def _cells(scores: Iterable[Score]) -> tuple[Repeats, ...]:
    """Those of one backbone, dataset, track and portion of the training data together."""
    found: dict[tuple[str, str, str, Portion], list[Score]] = {}
    for score in scores:
        key = (score.backbone, score.dataset, score.track, score.portion)
        found.setdefault(key, []).append(score)
    return tuple(Repeats(tuple(own)) for own in found.values())


def _distinct(rows: Sequence[dict[str, str]]) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty with their numbers; of equal ones the first."""
    found: dict[tuple[str, ...], tuple[int, dict[str, str]]] = {}
    for number, row in enumerate(rows, start=2):
        if row:
            found.setdefault(tuple(row.values()), (number, row))
    return list(found.values())


@dataclass(frozen=True)
class _Row:
    """Where a row's mistakes are collected."""

    path: Path
    number: int
    problems: list[Problem]

    def wrong(self, column: str, what: str, hint: str | None = None) -> None:
        self.problems.append(Problem(place(self.path, self.number, column), what, hint))


def _score(row: Mapping[str, str], layout: _Layout, suite: Suite, told: _Row) -> Iterator[Score]:
    """The score of a row, unless something is wrong with it."""
    before = len(told.problems)
    dataset = suite.datasets.get(row[layout.dataset])
    if dataset is None:
        what = f"{row[layout.dataset]!r} is no dataset of {suite.name}."
        told.wrong(layout.dataset, what, nearest(row[layout.dataset], suite.datasets))
    value = finite(row[layout.score])
    if value is None:
        told.wrong(layout.score, f"must be a finite number, but is {row[layout.score]!r}.")
    elif dataset is not None:
        _check_range(value, suite.limits(row[layout.dataset]), layout, told)
    seed = whole(row[layout.seed])
    if seed is None:
        told.wrong(layout.seed, f"must be a whole number, but is {row[layout.seed]!r}.")
    portion = read_portion(row[layout.portion])
    if portion is None:
        what = f"must be a share such as 100% or 1.00x, or 5-shot, but is {row[layout.portion]!r}."
        told.wrong(layout.portion, what)
    backbone = row[layout.backbone].strip()
    if not backbone:
        told.wrong(layout.backbone, "must name a backbone, but is empty.")
    track = _track(row, layout, suite, told)
    _check_metric(row, layout, dataset, told)
    if dataset is None or value is None or seed is None or portion is None:
        return
    if len(told.problems) == before:
        of = (backbone, row[layout.dataset], track, dataset.metric)
        share, shots, blocks = portion.share, portion.shots, portion.blocks
        yield Score(*of, seed, value, share, shots=shots, blocks=blocks)


def _track(row: Mapping[str, str], layout: _Layout, suite: Suite, told: _Row) -> str:
    if layout.track is None:
        return next(iter(suite.tracks))
    track = row[layout.track]
    if track not in suite.tracks:
        told.wrong(layout.track, f"{track!r} is no track.", f"Legal: {', '.join(suite.tracks)}.")
    return track


def _check_metric(
    row: Mapping[str, str], layout: _Layout, dataset: SuiteDataset | None, told: _Row
) -> None:
    if dataset is None or layout.metric is None or row[layout.metric] == dataset.metric:
        return
    what = f"is {row[layout.metric]!r}, but {row[layout.dataset]} is ranked by {dataset.metric!r}."
    told.wrong(layout.metric, what)


def _check_range(value: float, limits: Range, layout: _Layout, told: _Row) -> None:
    what = misfit(value, limits)
    if what is not None:
        share = limits == (0.0, 1.0) and 1 < value <= 100
        hint = "Is it in per cent? Write 0.893 for 89.3 %." if share else None
        told.wrong(layout.score, what, hint)


def labelled(files: Sequence[ResultsFile]) -> list[ResultsFile]:
    """The files in their order, no two under one label."""
    labels: list[str] = []
    for file in files:
        label = _label(file.path)
        count = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(label if count == 0 else f"{label} #{count + 1}")
    return [replace(file, label=label) for label, file in zip(labels, files, strict=True)]


def _label(path: Path) -> str:
    """A file's own name; its folder's where it has the name that the format's files share."""
    own = path.resolve()
    return own.parent.name if own.name == RESULTS_FILE else own.stem
