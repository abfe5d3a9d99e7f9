"""What a run of a benchmark found: its rows in the published format, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from iterate.bench.leaderboard.about import Made
from iterate.bench.leaderboard.submission import SubmissionRow
from iterate.bench.runs.made import made
from iterate.bench.runs.plan import Cell, Gap, Request, engine_metric
from iterate.bench.runs.sample_intervals import over_samples
from iterate.hpo.execute import OUTCOMES_FILE
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe
from iterate_core.recipe import Recipe
from iterate_core.registry import registries

NOTE = "bench"
"""The note under which a study keeps its part of the table."""


@dataclass(frozen=True)
class Entered:
    """What a study enters into the table.

    Attributes:
        dataset: Of the suite.
        backbone: Its name in the table.
        rows: One a repeat that was tested.
        failed: What became of the others.
        samples: The 95 % interval of the mean score over test samples, the trained models taken
            as they are; None where it is not known.
        made: What the models were made with; None where that is not known.
        unlike: How the dataset is not the published one; None where it is.
    """

    dataset: str
    backbone: str
    rows: tuple[SubmissionRow, ...]
    failed: tuple[str, ...] = ()
    samples: tuple[float, float] | None = None
    made: Made | None = None
    unlike: str | None = None

    def to_text(self) -> str:
        """As JSON, to be kept."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> Entered:
        """From what `to_text` gave."""
        kept = json.loads(text)
        rows = tuple(SubmissionRow(**row) for row in kept["rows"])
        samples = kept.get("samples")
        return cls(
            dataset=kept["dataset"],
            backbone=kept["backbone"],
            rows=rows,
            failed=tuple(kept["failed"]),
            samples=None if samples is None else (samples[0], samples[1]),
            made=_made(kept.get("made")),
            unlike=kept.get("unlike"),
        )


def _made(kept: dict[str, Any] | None) -> Made | None:
    try:
        return None if kept is None else Made(**kept)
    except TypeError:
        return None  # another version kept other things


def note(ledger: Ledger, cell: Cell, request: Request, run: str, unlike: str | None) -> None:
    """Keep what a finished study enters, with the study.

    Args:
        ledger: The study's.
        cell: What it fills.
        request: What the run was asked for.
        run: The run's name.
        unlike: How the dataset is not the published one; None where it is.
    """
    text = ledger.recall(NOTE)
    before = None if text is None else Entered.from_text(text)
    found = replace(entered(ledger, cell, request, run), unlike=unlike)
    # What the same rows were made with is not what is installed today, and drawing samples anew
    # would give the same interval.
    same = before if before is not None and before.rows == found.rows else None
    samples = None if same is None else same.samples
    found = replace(
        found,
        samples=_samples(ledger, cell, request) if samples is None else samples,
        made=made(ledger, cell) if same is None or same.made is None else same.made,
    )
    if found != before:
        ledger.remember(NOTE, found.to_text())


def _samples(ledger: Ledger, cell: Cell, request: Request) -> tuple[float, float] | None:
    best = ledger.best()
    declared = request.suite.datasets[cell.dataset]
    metric = request.suite.metrics[declared.metric]
    if best is None:
        return None
    tested = [one for one in ledger.repeats_of(best) if "test" in one.user_attrs]
    files = [ledger.job_folder("repeat", one) / OUTCOMES_FILE for one in tested]
    estimate = over_samples(files, engine_metric(request.suite, declared))
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    low, high = sorted((metric.score(estimate.low), metric.score(estimate.high)))
    return low, high


def entered(ledger: Ledger, cell: Cell, request: Request, run: str) -> Entered:
    """What a finished study enters, but its interval over samples.

    Args:
        ledger: The study's.
        cell: What it fills.
        request: What the run was asked for.
        run: The run's name.
    """
    best, recipe = ledger.best(), best_recipe(ledger)
    rows: list[SubmissionRow] = []
    failed: list[str] = []
    if best is not None and recipe is not None:
        declared = request.suite.datasets[cell.dataset]
        metric, name = (
            request.suite.metrics[declared.metric],
            engine_metric(request.suite, declared),
        )
        for repeat in ledger.repeats_of(best):
            value = repeat.user_attrs.get("test", {}).get(f"test/{name}")
            seed = int(repeat.user_attrs["seed"])
            if value is None:
                why = repeat.user_attrs.get("failure", f"it was not tested for {name}")
                failed.append(f"seed {seed}: {why}")
                continue
            rows.append(_row(ledger, cell, request, recipe, run, seed, metric.score(value)))
    return Entered(cell.dataset, cell.contestant.name, tuple(rows), tuple(failed))


def _row(
    ledger: Ledger,
    cell: Cell,
    request: Request,
    recipe: Recipe,
    run: str,
    seed: int,
    score: float,
) -> SubmissionRow:
    searched = {parameter.key for _, parameter in ledger.study.space.all()}
    track = request.protocol.config.bench.track
    # A decoder that is fitted at once has no use for an optimiser.
    fitted = bool(registries.decoders.get(recipe.model.decoder.name).facts.get("fitted"))
    return SubmissionRow(
        dataset=cell.dataset,
        metric=request.suite.datasets[cell.dataset].metric,
        score=score,
        backbone=cell.contestant.name,
        decoder=recipe.model.decoder.name,
        seed=seed,
        track=track or ("frozen" if recipe.model.freeze else "full_ft"),
        experiment=run,
        batch_size=recipe.data.batch_size,
        batch_size_selection="HPO" if "data.batch_size" in searched else "Fixed",
        lr=0.0 if fitted else float(getattr(recipe.optimiser, "lr", 0.0)),
        weight_decay=0.0 if fitted else float(getattr(recipe.optimiser, "weight_decay", 0.0)),
        trials=len(ledger.history("trial")),
        patience=recipe.trainer.patience,
        data_percentages=request.percent,
    )


def ordered(kept: Iterable[Entered], request: Request) -> list[Entered]:
    """By the suite's order of datasets, then the order in which backbones were asked for."""
    places = {name: place for place, name in enumerate(request.suite.datasets)}
    asked = {one.name: place for place, one in enumerate(request.contestants)}
    known = [one for one in kept if one.dataset in places]
    return sorted(
        known,
        key=lambda one: (places[one.dataset], asked.get(one.backbone, len(asked)), one.backbone),
    )


def all_gaps(kept: Sequence[Entered], gaps: Sequence[Gap], failures: Sequence[Gap]) -> list[Gap]:
    """What was not possible, what failed, and single repeats that did."""
    filled = {(one.dataset, one.backbone) for one in kept if one.rows}
    told = [replace(gap, kept=(gap.dataset, gap.backbone) in filled) for gap in (*gaps, *failures)]
    crashed = [
        Gap(one.dataset, one.backbone, f"{len(one.failed)} repeats failed: {'; '.join(one.failed)}")
        for one in kept
        if one.failed
    ]
    return [*told, *crashed]
