"""Training one recipe, and testing what came of it.

`epochs` is a generator: whoever drives it consumes epochs and may stop between any two. What it
leaves in its folder lets the same call continue there, with the same results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterate_core.data.dataset import Split
from iterate_core.engine.checkpoints import load_best, load_progress
from iterate_core.engine.evaluator import Evaluator, SplitScores, check_scored
from iterate_core.engine.learning.micro_batches import fitting, halved
from iterate_core.engine.reports import EpochReport
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.run import Run
from iterate_core.engine.setup import Setup
from iterate_core.engine.trainer import Trainer
from iterate_core.errors import DeviceMemoryError, Problem, RequestError
from iterate_core.tasks.metrics import as_json
from iterate_core.tasks.per_class import ByClass


@dataclass(frozen=True)
class FitResult:
    """What a fit came to.

    Attributes:
        value: The objective's best value.
        epoch: The epoch that reached it, whose weights are in ``best.safetensors``.
        reports: Of every epoch, those before an interruption included.
        seconds: Wall time of all epochs.
    """

    value: float
    epoch: int
    reports: tuple[EpochReport, ...]
    seconds: float


def epochs(prepared: Prepared, folder: Path, *, replay: bool = False) -> Iterator[EpochReport]:
    """Train a recipe, an epoch at a time, continuing where `folder` says it was left.

    The model is built and the data are opened at once; nothing is trained until it is asked for.
    On a CPU an interrupted run gives the same numbers as one that was not. A run that is complete
    trains nothing and yields its last report.

    Args:
        prepared: What to train.
        folder: Where ``last.ckpt`` and ``best.safetensors`` are kept, and ``channels.json``: which
            band went to which channel of the backbone, and ``model.json``
            (`iterate_core.engine.description`).
        replay: Yield the reports of epochs finished earlier first.

    Raises:
        RequestError: The recipe cannot be trained as it stands, or the folder is another's.
        WorkError: Training failed: the objective is not finite, or memory ran out.
    """
    progress = load_progress(folder, prepared.identity)
    if progress.done:
        return iter(progress.reports if replay else progress.reports[-1:])
    return _rest(Run(Trainer(prepared, progress.at_once), progress, folder), replay)


def _rest(run: Run, replay: bool) -> Iterator[EpochReport]:
    """The epochs that a run lacks, after those it has if they are to be replayed."""
    if replay:
        yield from tuple(run.progress.reports)
    yield from going_on(run)


def going_on(run: Run) -> Iterator[EpochReport]:
    """Train to the end, an epoch at a time, each of which is kept before it is told."""
    recipe = run.prepared.recipe
    while not run.progress.done:
        start = time.perf_counter()
        try:
            metrics, value = run.trainer.epoch(run.epoch)
        except DeviceMemoryError:
            fewer = halved(recipe, run.progress.at_once, recipe.data.batch_size)
            if fewer is None:
                raise
        else:
            report = run.take(metrics, value, time.perf_counter() - start)
            run.keep()
            yield report
            continue
        # Here, where the error no longer holds on to what filled the memory.
        run.again(fewer)


def fit(
    prepared: Prepared, folder: Path, on_epoch: Callable[[EpochReport], None] | None = None
) -> FitResult:
    """Train a recipe to its end, continuing where `folder` says it was left.

    Args:
        prepared: What to train.
        folder: See `epochs`.
        on_epoch: Told of each epoch, those finished earlier first.

    Raises:
        RequestError: See `epochs`.
        WorkError: See `epochs`.
    """
    reports = []
    for report in epochs(prepared, folder, replay=True):
        reports.append(report)
        if on_epoch is not None:
            on_epoch(report)
    best = reports[-1].best
    reached = next(report.epoch for report in reports if report.value == best)
    seconds = sum(report.seconds for report in reports)
    return FitResult(best, reached, tuple(reports), seconds)


@dataclass(frozen=True)
class Evaluation:
    """How a checkpoint did on a split.

    Attributes:
        metrics: ``"test/accuracy"`` and the task's other metrics; NaN where the split defines none.
        by_class: The same, class by class; None of a task without classes.
    """

    metrics: dict[str, float]
    by_class: ByClass | None

    def to_mapping(self) -> dict[str, Any]:
        """As plain JSON types: metrics, None where not defined; with classes, `ByClass`'s too."""
        return as_json(self.metrics) | ({} if self.by_class is None else self.by_class.to_mapping())


def evaluate(
    prepared: Prepared, folder: Path, split: Split = "test", keep: Path | None = None
) -> Evaluation:
    """Score the best checkpoint of a fit, as a whole and class by class.

    Args:
        prepared: The recipe that was fitted.
        folder: Where it was.
        split: What to score it on.
        keep: A file for what each sample adds to the scores
            (`iterate_core.tasks.sample_sums.SampleSums`); a task that has no such sums writes none.

    Raises:
        RequestError: The folder holds no checkpoint of this recipe, or the split can have no score.
        WorkError: The objective's metric is not finite, or memory ran out.
    """
    tensors, _ = load_best(folder, prepared.identity)
    check_scored(prepared, split)

    def score(at_once: int | None) -> SplitScores:
        setup = Setup(prepared, at_once)
        setup.take(tensors)
        with setup.undisturbed("evaluation"):
            return Evaluator(setup).everything(split, by_sample=keep is not None)

    data = prepared.recipe.data
    found = fitting(prepared.recipe, data.eval_batch_size or data.batch_size, score)
    metrics = {f"{split}/{name}": value for name, value in found.scores.items()}
    prepared.recipe.objective.read(metrics, split)
    if keep is not None and found.sums is not None:
        found.sums.write(keep)
    return Evaluation(metrics, found.by_class)


def test(  # a command's name, not a test of ours
    prepared: Prepared,
    folder: Path,
    split: Split = "test",  # noqa: PT028
    keep: Path | None = None,  # noqa: PT028
) -> dict[str, float]:
    """The metrics of `evaluate`: ``"test/accuracy"`` and the task's others.

    Raises:
        RequestError: See `evaluate`.
        WorkError: See `evaluate`.
    """
    return evaluate(prepared, folder, split, keep).metrics


def confusion(prepared: Prepared, folder: Path, split: Split = "test") -> list[list[int]]:
    """The best checkpoint's confusion matrix: rows are true classes, columns predicted ones.

    Raises:
        RequestError: The folder holds no checkpoint of this recipe, or its task is not one of
            classes that exclude each other.
        WorkError: Memory ran out.
    """
    found = evaluate(prepared, folder, split).by_class
    if found is None or found.confusion is None or found.confusion.ndim != 2:
        what = "its task has no confusion matrix: no classes that exclude each other."
        raise RequestError(Problem(prepared.recipe.data.name, what))
    counts: list[list[int]] = found.confusion.tolist()
    return counts
