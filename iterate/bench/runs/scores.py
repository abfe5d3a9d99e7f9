"""What a run of a benchmark found: the scores of its studies, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.score import Repeats, Score, Training, misfit
from iterate.bench.runs.made import made
from iterate.bench.runs.plan import Cell, Gap, Request, engine_metric, track_of
from iterate.hpo.execute import OUTCOMES_FILE
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe
from iterate.hpo.trials.view import TrialView
from iterate.run.sample_intervals import over_samples
from iterate.run.session import RunSettings
from iterate_core.errors import Problem, RequestError
from iterate_core.plurals import counted
from iterate_core.recipe import Recipe
from iterate_core.registry import registries

NOTE = "bench"
"""The note under which a study keeps its part of the table."""


@dataclass(frozen=True)
class CellResult:
    """What a study found for its cell of the table.

    Attributes:
        dataset: Of the suite.
        backbone: Its name in the table.
        scores: One a repeat that was tested.
        failed: What became of the others.
        samples: See `Repeats`.
        made: What the models were made with; None where that is not known.
        unlike: How the dataset is not the published one; None where it is.
    """

    dataset: str
    backbone: str
    scores: tuple[Score, ...]
    failed: tuple[str, ...] = ()
    samples: tuple[float, float] | None = None
    made: Made | None = None
    unlike: str | None = None

    def to_text(self) -> str:
        """As JSON, to be kept."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> CellResult:
        """From what `to_text` gave.

        Raises:
            RequestError: Another version of iterate wrote it.
        """
        try:
            return _FORM.validate_python(json.loads(text))
        except ValidationError:
            what = "keeps scores in the form of another version."
            hint = "Run it with --fresh as a new run; nothing is deleted."
            raise RequestError(Problem("the run's storage", what, hint)) from None


_FORM = TypeAdapter(CellResult)


def repeats(results: Iterable[CellResult]) -> tuple[Repeats, ...]:
    """The scores of the cells that have some."""
    return tuple(Repeats(one.scores, one.samples) for one in results if one.scores)


def note(
    ledger: Ledger, cell: Cell, request: Request, run: RunSettings, unlike: str | None
) -> None:
    """Keep what a finished study found, with the study.

    Args:
        ledger: The study's.
        cell: What it fills.
        request: What the run was asked for.
        run: Its name and folder.
        unlike: How the dataset is not the published one; None where it is.
    """
    text = ledger.notes.recall(NOTE)
    before = None if text is None else CellResult.from_text(text)
    found = replace(result_of(ledger, cell, request, run.name), unlike=unlike)
    # What the same scores were made with is not what is installed today, and drawing samples anew
    # would give the same interval.
    same = before if before is not None and before.scores == found.scores else None
    samples = None if same is None else same.samples
    found = replace(
        found,
        samples=_samples(ledger, cell, request) if samples is None else samples,
        made=made(ledger, cell, run.folder) if same is None or same.made is None else same.made,
    )
    if found != before:
        ledger.notes.remember(NOTE, found.to_text())


def _samples(ledger: Ledger, cell: Cell, request: Request) -> tuple[float, float] | None:
    declared = request.suite.datasets[cell.dataset]
    metric = request.suite.metrics[declared.metric]
    scored = _repeats(ledger, cell, request).scored
    files = [ledger.job_folder(one.repeat) / OUTCOMES_FILE for one in scored]
    estimate = over_samples(files, engine_metric(request.suite, declared))
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    low, high = sorted((metric.score(estimate.low), metric.score(estimate.high)))
    return low, high


def result_of(ledger: Ledger, cell: Cell, request: Request, run: str) -> CellResult:
    """What a finished study found, but its interval over samples.

    Args:
        ledger: The study's.
        cell: What it fills.
        request: What the run was asked for.
        run: The run's name.
    """
    recipe = best_recipe(ledger)
    if recipe is None:
        return CellResult(cell.dataset, cell.contestant.name, ())
    found = _repeats(ledger, cell, request)
    track, training = track_of(request, recipe), _training(ledger, recipe, run)
    scores = tuple(
        Score(
            backbone=cell.contestant.name,
            dataset=cell.dataset,
            track=track,
            metric=request.suite.datasets[cell.dataset].metric,
            seed=one.seed,
            value=one.value,
            fraction=request.percent / 100,
            training=training,
            shots=request.labels.portion.shots,
            blocks=request.labels.portion.blocks,
        )
        for one in found.scored
    )
    return CellResult(cell.dataset, cell.contestant.name, scores, tuple(found.failed))


class _Scored(NamedTuple):
    """A repeat of the best point that has a score."""

    repeat: TrialView
    seed: int
    value: float


class _Found(NamedTuple):
    """The repeats that count, and what became of the others."""

    scored: list[_Scored]
    failed: list[str]


def _repeats(ledger: Ledger, cell: Cell, request: Request) -> _Found:
    """Which repeats of the best point have a score that its metric can have."""
    found, best = _Found([], []), ledger.best()
    if best is None:
        return found
    declared, limits = request.suite.datasets[cell.dataset], request.suite.limits(cell.dataset)
    metric = request.suite.metrics[declared.metric]
    name = engine_metric(request.suite, declared)
    for repeat in ledger.repeats_of(best):
        seed, tested = repeat.seed, repeat.test.get(f"test/{name}")
        if tested is None or seed is None:
            why = repeat.failure or f"it was not tested for {name}"
            found.failed.append(f"seed {seed}: {why}")
            continue
        value = metric.score(tested)
        if (wrong := misfit(value, limits)) is not None:
            found.failed.append(f"seed {seed}: its {declared.metric} {wrong}")
        else:
            found.scored.append(_Scored(repeat, seed, value))
    return found


def _training(ledger: Ledger, recipe: Recipe, run: str) -> Training:
    searched = {parameter.key for _, parameter in ledger.study.space.all()}
    # A decoder that is fitted at once has no use for an optimiser.
    fitted = bool(registries.decoders.get(recipe.model.decoder.name).facts.get("fitted"))
    return Training(
        experiment=run,
        decoder=recipe.model.decoder.name,
        batch_size=recipe.data.batch_size,
        batch_size_searched="data.batch_size" in searched,
        lr=0.0 if fitted else float(getattr(recipe.optimiser, "lr", 0.0)),
        weight_decay=0.0 if fitted else float(getattr(recipe.optimiser, "weight_decay", 0.0)),
        trials=len(ledger.history("trial")),
        patience=recipe.trainer.patience,
    )


def ordered(kept: Iterable[CellResult], request: Request) -> list[CellResult]:
    """By the suite's order of datasets, then the order in which backbones were asked for."""
    places = {name: place for place, name in enumerate(request.suite.datasets)}
    asked = {one.name: place for place, one in enumerate(request.contestants)}
    known = [one for one in kept if one.dataset in places]
    return sorted(
        known,
        key=lambda one: (places[one.dataset], asked.get(one.backbone, len(asked)), one.backbone),
    )


def all_gaps(kept: Sequence[CellResult], gaps: Sequence[Gap], failures: Sequence[Gap]) -> list[Gap]:
    """What was not possible, what failed, and single repeats that did."""
    filled = {(one.dataset, one.backbone) for one in kept if one.scores}
    told = [replace(gap, kept=(gap.dataset, gap.backbone) in filled) for gap in (*gaps, *failures)]
    crashed = [
        Gap(one.dataset, one.backbone, f"{counted(len(one.failed), 'repeat')} failed: {why}")
        for one in kept
        if (why := "; ".join(one.failed))
    ]
    return [*told, *crashed]
