"""Where the numbers of a leaderboard come from: its results files, and the runs that wrote them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from iterate import __version__
from iterate.bench.leaderboard.results_csv import ResultsFile
from iterate.bench.leaderboard.submission import INFO_FILE

BOARD_FILE = "leaderboard.json"


@dataclass(frozen=True)
class Made:
    """What the models behind one cell were made with.

    Attributes:
        dataset: Of the suite.
        backbone: Its name in the table.
        weights: What the backbone began with: ``random``, or a file or the hub's with its digest.
        parameters: How many the whole model has; None where not known.
        trials: How many points were tried.
        repeats: How often the best was trained again.
        epochs: Of each training, at most.
        settings: The best point that was found, by override keys.
        versions: Of iterate and torch.
        finished: When the last repeat ended, in UTC; None where not known.
        licence: Of the weights; None where there are none, or it is not known.
        trained_parameters: How many of the parameters train; None where not known.
        flops: Floating-point operations of predicting one image; None where not known.
        repeat_seconds: Wall time of training one repeat, the mean over repeats; None where not
            known.
        devices: What the repeats trained on.
        folder: Where the study lies below the run's folder, ``.`` where it is that; None where not
            known.
    """

    dataset: str
    backbone: str
    weights: str
    parameters: int | None
    trials: int
    repeats: int
    epochs: int
    settings: dict[str, Any]
    versions: dict[str, str]
    finished: str | None
    licence: str | None = None
    trained_parameters: int | None = None
    flops: float | None = None
    repeat_seconds: float | None = None
    devices: tuple[str, ...] = ()
    folder: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """How the results of one file were made.

    Attributes:
        suite: Name of the suite.
        protocol: Name of the protocol.
        warning: What its numbers are not good for; None where there is nothing to warn of.
        percent: Per cent of the training samples.
        words: Of the command line, for every study.
        unlike: Dataset → how the one on disk is not the published one.
        cells: What each was made with, as far as it is known.
        shots: Training samples of each class, drawn anew for each repeat; None: as `percent` says.
        splits: How they were drawn; None: they are the published ones.
    """

    suite: str
    protocol: str
    warning: str | None
    percent: float
    words: tuple[str, ...]
    unlike: dict[str, str]
    cells: tuple[Made, ...]
    shots: int | None = None
    splits: str | None = None


@dataclass(frozen=True)
class SubmittedFile:
    """A results file.

    Attributes:
        label: What the leaderboard calls it.
        sha256: Of its content.
        published: Whether it is a published baseline.
        run: How its results were made; None where nothing says so.
        licence: Of the results; None where nothing beside them says it.
    """

    label: str
    sha256: str
    published: bool
    run: RunRecord | None
    licence: str | None = None


@dataclass(frozen=True)
class About:
    """All that is known of a leaderboard besides its numbers.

    Attributes:
        written: When, in UTC.
        versions: Of iterate and torch, when it was written.
        sources: Its results files.
    """

    written: str
    versions: dict[str, str]
    sources: tuple[SubmittedFile, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its numbers are not good for, each warning once."""
        told = (one.run.warning for one in self.sources if one.run is not None)
        return tuple(dict.fromkeys(text for text in told if text))


def about(sources: Sequence[SubmittedFile]) -> About:
    """What is to be said of a leaderboard that is written now."""
    return About(stamp(dt.datetime.now(dt.UTC)), versions(), tuple(sources))


def stamp(moment: dt.datetime) -> str:
    """A moment in UTC, to the minute."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def versions() -> dict[str, str]:
    """The versions at work that decide a result most; torch need not be imported for it."""
    found = {"iterate": __version__}
    try:
        return {**found, "torch": version("torch")}
    except PackageNotFoundError:
        return found


def source_of(file: ResultsFile, published: bool) -> SubmittedFile:
    """A results file, with what is known of the run that made it."""
    run = run_beside(file.path, file.sha256)
    return SubmittedFile(file.label, file.sha256, published, run, licence_beside(file.path))


def run_beside(path: Path, sha256: str) -> RunRecord | None:
    """How results were made, if the leaderboard beside them is about the same content."""
    try:
        text = (path.parent / BOARD_FILE).read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse)
        known = TypeAdapter(About).validate_python(content["about"])
        return next((one.run for one in known.sources if one.sha256 == sha256), None)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, ValidationError):
        return None  # results of another origin: nothing says how they were made


def licence_beside(path: Path) -> str | None:
    """The licence that the description beside a results file names."""
    try:
        content = json.loads((path.parent / INFO_FILE).read_text(encoding="utf-8"))
        licence = content["License"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return licence.strip() or None if isinstance(licence, str) else None


def unknown_origin(sources: Sequence[SubmittedFile]) -> list[str]:
    """What to tell of results on the suite's scale of which nothing says on which data they are."""
    names = [one.label for one in sources if one.run is None and not one.published]
    if not names:
        return []
    named = ", ".join(names)
    return [f"The origin of the data of {named} is not known; the published scale is assumed."]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def without(file: ResultsFile, datasets: Container[str]) -> ResultsFile:
    """A results file less what it says of some datasets."""
    return replace(file, cells=tuple(one for one in file.cells if one.dataset not in datasets))


def comparable(
    files: Sequence[ResultsFile],
    sources: Sequence[SubmittedFile],
    across_splits: bool = False,
) -> tuple[list[ResultsFile], dict[str, str], list[str]]:
    """Leave out results on other data than the published ones, where a file is about those.

    Args:
        files: As read.
        sources: What is known of each.
        across_splits: Keep results that differ from the published dataset's in their splits alone:
            where ranks are compared, and no scores.

    Returns:
        The files; the datasets that are the published ones in none of them, with the reason; and
        what to tell people.
    """
    strange = [_unlike(file, one.run) for file, one in zip(files, sources, strict=True)]
    pairs = list(zip(files, strange, strict=True))
    known = {
        one.dataset for file, unlike in pairs for one in file.cells if one.dataset not in unlike
    }
    if across_splits:
        known -= {name for one in sources if one.run for name in _divided_anew(one.run)}
    notes = [
        f"{name} of {file.label} is left out: it does not count as the published dataset ({why})."
        for file, unlike in pairs
        for name, why in unlike.items()
        if name in known
    ]
    raw = {name: why for unlike in strange for name, why in unlike.items() if name not in known}
    return [without(file, known & set(unlike)) for file, unlike in pairs], raw, notes


def _divided_anew(run: RunRecord) -> Iterator[str]:
    """The datasets that differ from the published ones in their splits alone."""
    return (name for name, why in run.unlike.items() if why == run.splits)


def _unlike(file: ResultsFile, run: RunRecord | None) -> dict[str, str]:
    """The datasets of a file that are not the published ones, with the reason."""
    measured = {cell.dataset for cell in file.cells}
    told = {} if run is None else run.unlike
    return {name: why for name, why in told.items() if name in measured}
