"""Reading results files: one CSV row a (backbone, dataset, seed), in the two published formats."""

from __future__ import annotations

import codecs
import csv
import difflib
import hashlib
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iterate.bench.suites.suite import Suite, SuiteDataset
from iterate.statistics.intervals import Range
from iterate.statistics.scores import LARGEST
from iterate_core.errors import DataError, Problem, nearest

RESULTS_FILE = "results_and_parameters.csv"
# More would not help anyone to mend a file.
_SHOWN = 25
_OTHER_MARKS = {";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Result:
    """One score of one trained model.

    Attributes:
        track: Such as ``"full_ft"``.
        backbone: Its key.
        dataset: A dataset of the suite.
        seed: Of the training.
        score: As stored, in the dataset's metric.
        fraction: The share of the training data that was used, 0 to 1.
    """

    track: str
    backbone: str
    dataset: str
    seed: int
    score: float
    fraction: float = 1.0


@dataclass(frozen=True)
class ResultsFile:
    """The rows of one file, in its order.

    Attributes:
        label: What tells it from the other files: its folder's or its own name.
        path: Where it lies.
        sha256: Of its content.
        results: Its rows, of those that are the same in every cell the first.
        copies: How many rows were left out as copies of another.
    """

    label: str
    path: Path
    sha256: str
    results: tuple[Result, ...]
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
    fraction: str = "partition name"

    def required(self) -> list[str]:
        names = [self.dataset, self.score, self.fraction, self.backbone, self.seed]
        return names + [name for name in (self.track, self.metric) if name is not None]


_GEOBENCH_2 = _Layout("backbone", "Seed", "frozen_or_full_ft", "Metric")
_GEOBENCH_1 = _Layout("model", "seed", None, None)


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
            files.append(_read(path / RESULTS_FILE if path.is_dir() else path, suite))
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return _labelled(files)


def table(path: Path) -> tuple[list[str], list[dict[str, str]], str]:
    """The header, the rows as text, and the content's sha256 of a CSV.

    Raises:
        DataError: It is unreadable, has no header, or a row is longer or shorter than the header.
    """
    try:
        content = path.read_bytes()
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(Problem(str(path), "is UTF-16 text.", "Save it as CSV in UTF-8."))
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(Problem(str(path), f"cannot be read as CSV: {error}.")) from None
    if not lines:
        raise DataError(Problem(str(path), "is empty.", "It must open with the columns' names."))
    header = [name.strip() for name in lines[0]]
    for mark, named in _OTHER_MARKS.items():
        if len(header) == 1 and mark in header[0]:
            what = f"has {named} between its cells instead of commas."
            raise DataError(Problem(str(path), what, "Save it with commas, and points in numbers."))
    doubled = sorted({name for name in header if header.count(name) > 1})
    problems = [Problem(str(path), f"has the column {name!r} more than once.") for name in doubled]
    problems += [
        Problem(_place(path, number), f"has {len(line)} cells, but the header has {len(header)}.")
        for number, line in enumerate(lines[1:], start=2)
        if line and len(line) != len(header)
    ]
    if problems:
        raise DataError(_few(path, problems))
    rows = [dict(zip(header, line, strict=True)) if line else {} for line in lines[1:]]
    return header, rows, hashlib.sha256(content).hexdigest()


def nearest_column(name: str, header: Sequence[str]) -> str | None:
    """A hint where a column of the file looks like the one that is missing."""
    near = difflib.get_close_matches(name, header, n=1)
    return f"Is it {near[0]!r}?" if near else None


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
    results = [
        result
        for number, row in once
        for result in _result(row, layout, suite, _Place(path, number, problems))
    ]
    if problems:
        raise DataError(_few(path, problems))
    if not results:
        raise DataError(Problem(str(path), "holds no results, only a header."))
    copies = sum(map(bool, rows)) - len(once)
    return ResultsFile(path.stem, path, digest, tuple(results), copies)


def _distinct(rows: Sequence[dict[str, str]]) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty with their numbers; of equal ones the first."""
    found: dict[tuple[str, ...], tuple[int, dict[str, str]]] = {}
    for number, row in enumerate(rows, start=2):
        if row:
            found.setdefault(tuple(row.values()), (number, row))
    return list(found.values())


@dataclass(frozen=True)
class _Place:
    """A row, and where its mistakes are collected."""

    path: Path
    number: int
    problems: list[Problem]

    def wrong(self, column: str, what: str, hint: str | None = None) -> None:
        self.problems.append(Problem(_place(self.path, self.number, column), what, hint))


def _place(path: Path, number: int, column: str | None = None) -> str:
    return f"{path}, row {number}" + ("" if column is None else f", column {column!r}")


def _result(
    row: Mapping[str, str], layout: _Layout, suite: Suite, place: _Place
) -> Iterator[Result]:
    before = len(place.problems)
    dataset = suite.datasets.get(row[layout.dataset])
    if dataset is None:
        what = f"{row[layout.dataset]!r} is no dataset of {suite.name}."
        place.wrong(layout.dataset, what, nearest(row[layout.dataset], suite.datasets))
    score = _number(row[layout.score])
    if score is None:
        place.wrong(layout.score, f"must be a finite number, but is {row[layout.score]!r}.")
    elif dataset is not None:
        _check_range(score, suite.limits(row[layout.dataset]), layout, place)
    seed = whole(row[layout.seed])
    if seed is None:
        place.wrong(layout.seed, f"must be a whole number, but is {row[layout.seed]!r}.")
    fraction = _fraction(row[layout.fraction])
    if fraction is None:
        what = f"must be a share such as 100% or 1.00x, but is {row[layout.fraction]!r}."
        place.wrong(layout.fraction, what)
    if not row[layout.backbone].strip():
        place.wrong(layout.backbone, "must name a backbone, but is empty.")
    track = _track(row, layout, suite, place)
    _check_metric(row, layout, dataset, place)
    if len(place.problems) > before or score is None or seed is None or fraction is None:
        return
    yield Result(track, row[layout.backbone].strip(), row[layout.dataset], seed, score, fraction)


def _track(row: Mapping[str, str], layout: _Layout, suite: Suite, place: _Place) -> str:
    if layout.track is None:
        return next(iter(suite.tracks))
    track = row[layout.track]
    if track not in suite.tracks:
        place.wrong(layout.track, f"{track!r} is no track.", f"Legal: {', '.join(suite.tracks)}.")
    return track


def _check_metric(
    row: Mapping[str, str], layout: _Layout, dataset: SuiteDataset | None, place: _Place
) -> None:
    if dataset is None or layout.metric is None or row[layout.metric] == dataset.metric:
        return
    what = f"is {row[layout.metric]!r}, but {row[layout.dataset]} is ranked by {dataset.metric!r}."
    place.wrong(layout.metric, what)


def _check_range(score: float, limits: Range, layout: _Layout, place: _Place) -> None:
    """A score that its metric cannot have; of any metric, one that sums and squares cannot take."""
    low, high = limits
    if low <= score <= high:
        if abs(score) > LARGEST:
            place.wrong(layout.score, f"is too large to reckon with: {score:g}.")
        return
    share = limits == (0.0, 1.0) and 1 < score <= 100
    hint = "Is it in per cent? Write 0.893 for 89.3 %." if share else None
    if math.isinf(low):
        must = f"be at most {high:g}"
    else:
        must = f"be at least {low:g}" if math.isinf(high) else f"lie in {low:g} to {high:g}"
    place.wrong(layout.score, f"must {must}, but is {score:g}.", hint)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """A whole number, also as written by tables that hold gaps (``10.0``); else None."""
    value = _number(text)
    return int(value) if value is not None and value == int(value) else None


def _fraction(text: str) -> float | None:
    """``100%``, ``1.00x train`` and ``default`` alike as 1.0."""
    if text.strip() == "default":
        return 1.0
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|x(?: train)?)", text.strip())
    if found is None:
        return None
    share = float(found[1]) / (100 if found[2] == "%" else 1)
    return share if 0 < share <= 1 else None


def _few(path: Path, problems: list[Problem]) -> list[Problem]:
    left = len(problems) - _SHOWN
    if left <= 0:
        return problems
    return [*problems[:_SHOWN], Problem(str(path), f"has {left} more mistakes.")]


def _labelled(files: list[ResultsFile]) -> list[ResultsFile]:
    """Each file named by its folder where it has the format's common name, and no two alike."""
    labels: list[str] = []
    for file in files:
        own = file.path.resolve()
        label = own.parent.name if own.name == RESULTS_FILE else own.stem
        count = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(label if count == 0 else f"{label} #{count + 1}")
    return [replace(file, label=label) for label, file in zip(labels, files, strict=True)]
