"""What a run of a benchmark found: its rows in the published format, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from iterate.bench.plan import Cell, Gap, Request
from iterate.bench.sampled import over_samples
from iterate.bench.submission import SubmissionRow
from iterate.core import components
from iterate.core.recipe import Recipe
from iterate.search.ledger import Ledger
from iterate.search.results import best_recipe
from iterate.search.training import OUTCOMES_FILE

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
    """

    dataset: str
    backbone: str
    rows: tuple[SubmissionRow, ...]
    failed: tuple[str, ...] = ()
    samples: tuple[float, float] | None = None

    def to_text(self) -> str:
        """As JSON, to be kept."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_text(cls, text: str) -> Entered:
        """From what `to_text` gave."""
        kept = json.loads(text)
        rows = tuple(SubmissionRow(**row) for row in kept["rows"])
        samples = kept.get("samples")
        interval = None if samples is None else (samples[0], samples[1])
        return cls(kept["dataset"], kept["backbone"], rows, tuple(kept["failed"]), interval)


def note(ledger: Ledger, cell: Cell, request: Request, run: str) -> None:
    """Keep what a finished study enters, with the study."""
    before = ledger.recall(NOTE)
    found = entered(ledger, cell, request, run)
    kept = None if before is None else Entered.from_text(before)
    if kept is not None and kept.samples is not None and kept.rows == found.rows:
        return  # drawing samples anew would give the same interval
    ledger.remember(NOTE, replace(found, samples=_samples(ledger, cell, request)).to_text())


def _samples(ledger: Ledger, cell: Cell, request: Request) -> tuple[float, float] | None:
    best = ledger.best()
    metric = request.suite.metrics[request.suite.datasets[cell.dataset].metric]
    if best is None:
        return None
    tested = [one for one in ledger.repeats_of(best) if "test" in one.user_attrs]
    files = [ledger.job_folder("repeat", one) / OUTCOMES_FILE for one in tested]
    estimate = over_samples(files, metric.of)
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
        metric = request.suite.metrics[declared.metric]
        for repeat in ledger.repeats_of(best):
            value = repeat.user_attrs.get("test", {}).get(f"test/{metric.of}")
            seed = int(repeat.user_attrs["seed"])
            if value is None:
                why = repeat.user_attrs.get("failure", f"it was not tested for {metric.of}")
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
    fitted = bool(components.decoders.get(recipe.model.decoder.name).facts.get("fitted"))
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
