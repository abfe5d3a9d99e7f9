"""From a suite, a protocol and backbones to studies, and to gaps with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from iterate.bench.runs.backbones import Contestant
from iterate.bench.runs.labels import ALL, Labels
from iterate.bench.runs.protocol import Protocol, Word, placed
from iterate.bench.suites.folders import VARIABLE, dataset_folder
from iterate.bench.suites.suite import Suite, SuiteDataset
from iterate.config.load import LoadedStudy, load_study
from iterate.hpo.space.text import value_text
from iterate.hpo.study import Study
from iterate_core.data.block_options import PlaceSplits
from iterate_core.data.options import DataSection
from iterate_core.errors import Problem, RequestError, near_miss, nearest
from iterate_core.recipe import Recipe
from iterate_core.registry import registries

if TYPE_CHECKING:
    from iterate.run.session import RunSettings  # imports Ray, which a mistake need not wait for

_SHOWN = 3  # of the reasons of one gap


@dataclass(frozen=True)
class Request:
    """What a run is asked for.

    Attributes:
        suite: The benchmark.
        protocol: How everything is trained.
        contestants: The backbones.
        datasets: Of the suite.
        root: Where the datasets lie.
        labels: What of the training samples is trained on, in which splits.
        overrides: The command line's words, for every study.
    """

    suite: Suite
    protocol: Protocol
    contestants: tuple[Contestant, ...]
    datasets: tuple[str, ...]
    root: Path
    labels: Labels = ALL
    overrides: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """Per cent of the training samples; 100 where there are so many of each class."""
        found = round(100 * self.labels.portion.share, 7)
        return int(found) if found == int(found) else found


@dataclass(frozen=True)
class Gap:
    """A cell of the table that a run could not fill, and why.

    Attributes:
        kept: Whether results of an earlier run fill it.
    """

    dataset: str
    backbone: str
    reason: str
    kept: bool = False


@dataclass(frozen=True)
class Cell:
    """A backbone on a dataset, composed and typed.

    Attributes:
        contestant: The backbone.
        dataset: Of the suite.
        loaded: The study as configured, its data not opened yet.
    """

    contestant: Contestant
    dataset: str
    loaded: LoadedStudy

    @property
    def name(self) -> str:
        """Of its study, and of its folder."""
        return f"{self.dataset}/{self.contestant.folder}"

    def gap(self, reason: str) -> Gap:
        """This cell, empty."""
        return Gap(self.dataset, self.contestant.name, reason)


@dataclass
class Plan:
    """What a run will do.

    Attributes:
        cells: Study → the cell it fills.
        studies: Each checked.
        gaps: What will not be done.
        unlike: Dataset → how the one on this machine is not the published one.
    """

    cells: dict[str, Cell] = field(default_factory=dict)
    studies: list[Study] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unlike: dict[str, str] = field(default_factory=dict)


def chosen_datasets(suite: Suite, asked: Sequence[str]) -> tuple[str, ...]:
    """The datasets asked for, in the suite's order; all of them where none is named.

    Raises:
        RequestError: The suite has no such dataset.
    """
    names = [part.strip() for value in asked for part in value.split(",") if part.strip()]
    strange = [name for name in names if name not in suite.datasets]
    if strange:
        what = "{} has no dataset {!r}.".format
        raise RequestError(
            [
                Problem("--datasets", what(suite.name, name), nearest(name, suite.datasets))
                for name in strange
            ]
        )
    return tuple(name for name in suite.datasets if not names or name in names)


def cells_of(request: Request) -> tuple[list[Cell], list[Gap]]:
    """Every cell, composed and typed, and those that need no look at the data to be gaps.

    Raises:
        RequestError: Whatever is wrong with the protocol, the backbones or the words: all of it.
    """
    cells: list[Cell] = []
    gaps: list[Gap] = []
    problems: dict[tuple[str, str], Problem] = {}
    for name in request.datasets:
        folder, reason = _place(request, name)
        for contestant in request.contestants:
            if folder is None:
                gaps.append(Gap(name, contestant.name, reason))
                continue
            try:
                cells.append(_cell(request, contestant, name, folder))
            except RequestError as error:
                for found in error.problems:
                    problems.setdefault((found.where, found.what), found)
    if problems:
        raise RequestError(list(problems.values()))
    return cells, gaps


def check_cells(
    request: Request,
    cells: Sequence[Cell],
    plan: Plan,
    settings: RunSettings,
    check: Callable[[LoadedStudy, str], Study],
    tell: Callable[[Cell], None] | None = None,
) -> None:
    """Open the data of each cell and check its study; what does not fit is a gap.

    Args:
        request: What is asked for.
        cells: From `cells_of`.
        plan: Is added to.
        settings: Of the run.
        check: Makes a study of a cell; raises `RequestError` with what does not fit.
        tell: Called before each.
    """
    for cell in cells:
        if tell is not None:
            tell(cell)
        declared = request.suite.datasets[cell.dataset]
        try:
            study = check(cell.loaded, study_name(cell, settings))
        except RequestError as error:
            plan.gaps.append(gap_of(cell, error))
            continue
        if study.task != declared.task:
            what = f"the files on disk are of {study.task}, not of {declared.task}."
            plan.gaps.append(cell.gap(what))
            continue
        plan.cells[study.name] = cell
        plan.studies.append(study)


def study_name(cell: Cell, settings: RunSettings) -> str:
    """``dataset/backbone``; below the run's own name where the storage is shared with others."""
    return cell.name if settings.storage is None else f"{settings.name}/{cell.name}"


def _place(request: Request, name: str) -> tuple[Path | None, str]:
    """A dataset's folder, or why it cannot be used."""
    dataset = request.suite.datasets[name]
    if dataset.task not in (tasks := registries.tasks.names()):
        told = (f"this version has no engine for {dataset.task}.", near_miss(dataset.task, tasks))
        return None, " ".join(filter(None, told))
    if dataset.reader is None:
        return None, "the suite names no reader for it."
    if dataset.reader not in registries.datasets.names():
        return None, f"this version has no reader {dataset.reader!r}."
    folder, places = dataset_folder(dataset, name, request.root)
    hint = f"say where with --data or ${VARIABLE}"
    return folder, f"it is not on this machine: there is no folder {places} ({hint})."


def _cell(request: Request, contestant: Contestant, name: str, folder: Path) -> Cell:
    words: list[Word] = []
    try:
        words += _words(request, contestant, name, folder)
        loaded = load_study(request.protocol.file, [word.text for word in words])
    except RequestError as error:
        raise RequestError([placed(problem, words) for problem in error.problems]) from None
    _check_labels(request, loaded.config.data)
    tracks = request.suite.tracks
    for track in sorted({track_of(request, recipe) for _, recipe in loaded.branches()}):
        if track not in tracks:
            what = f"{request.suite.name} has no track {track!r} for what is trained here."
            hint = f"It has {', '.join(tracks)}: a protocol's bench.track says where it belongs."
            raise RequestError(Problem("tuning", what, hint))
    return Cell(contestant, name, loaded)


def drawn_shares(request: Request) -> list[str]:
    """Tell of datasets whose files define no such share of their samples as is asked for."""
    portion = request.labels.portion
    if portion.shots is not None or portion.share == 1:
        return []
    names = []
    for name in request.datasets:
        folder, _ = _place(request, name)
        reader = request.suite.datasets[name].reader
        if folder is None or reader is None:
            continue
        if not request.labels.shipped(registries.datasets.get(reader).load_options(), folder):
            names.append(name)
    return [f"{', '.join(names)}: {_DRAWN.format(portion.told)}"] if names else []


_DRAWN = (
    "the files define no {}; one was drawn, balanced over classes and the same for every backbone "
    "and seed."
)


def _check_labels(request: Request, data: DataSection) -> None:
    """Refuse labels and splits that the table would not tell."""
    portion, problems = request.labels.portion, []
    drawn = data.share is not None and data.share != portion.share
    if drawn or data.shots != portion.shots:
        what = "the labels of a run are those of all its studies, and stand in its table."
        hint = "Say --partition or --shots, or bench.partition or bench.shots."
        problems.append(Problem("data.share and data.shots", what, hint))
    said = {} if portion.blocks is None else {
        "block_metres": portion.blocks.side, "distance_metres": portion.blocks.apart
    }  # fmt: skip
    split = getattr(data, "split", None)
    if isinstance(split, PlaceSplits) and split != PlaceSplits(**said):
        what = "the splits of a run are those of all its studies, and stand in its table."
        hint = "Say --block-metres and --distance-metres, or bench.block_metres and so on."
        problems.append(Problem("data.split", what, hint))
    if problems:
        raise RequestError(problems)


def _words(request: Request, contestant: Contestant, name: str, folder: Path) -> Iterator[Word]:
    """All that this cell says differently from the protocol; a later word wins."""
    dataset = request.suite.datasets[name]
    origin = f"suite {request.suite.name}: {name}"
    yield Word(f"data.name={dataset.reader}", origin)
    yield Word(f"data.root={value_text(str(folder))}", origin)
    options = registries.datasets.get(str(dataset.reader)).load_options()
    if "dataset" in options.model_fields:
        yield Word(f"data.dataset={value_text(name)}", origin)
    metric = engine_metric(request.suite, dataset)
    if request.protocol.config.objective.metric is None:
        yield Word(f"objective.metric={metric}", origin)
    yield from request.protocol.words(dataset.task, name)
    yield from request.labels.words(request.protocol, options, folder)
    yield from contestant.words
    yield from map(Word, request.overrides)


def engine_metric(suite: Suite, dataset: SuiteDataset) -> str:
    """What the engine calls the metric that a dataset is ranked by.

    Raises:
        RequestError: The suite does not say.
    """
    known = suite.metrics.get(dataset.metric)
    if known is None or known.of is None:
        hint = f"Write `metrics: {{{dataset.metric}: {{of: accuracy}}}}`."
        what = f"does not say which metric of the engine is {dataset.metric}."
        raise RequestError(Problem(f"suite {suite.name}: metrics", what, hint))
    return known.of


def track_of(request: Request, recipe: Recipe) -> str:
    """The track that a recipe's results belong to: of a way between the two, its own."""
    told, tuning = request.protocol.config.bench.track, recipe.tuning
    if told is not None:
        return told
    return "frozen" if tuning.constant else "full_ft" if tuning.whole else tuning.name


def gap_of(cell: Cell, error: RequestError) -> Gap:
    """The gap that an error leaves."""
    told = [str(problem) for problem in error.problems[:_SHOWN]]
    left = len(error.problems) - len(told)
    return cell.gap(" ".join([*told, *([f"And {left} more."] if left else [])]))
