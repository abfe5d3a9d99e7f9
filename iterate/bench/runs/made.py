"""What a finished study's models were made with, read from its ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from iterate.bench.leaderboard.about import Made, stamp, versions
from iterate.bench.runs.plan import Cell
from iterate.hpo.ledger import Ledger
from iterate.hpo.results import best_recipe
from iterate_core.engine.resolved import prepare, weights_of
from iterate_core.errors import RequestError
from iterate_core.models.backbones.catalogue import card_of
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.recipe import Recipe

if TYPE_CHECKING:
    from iterate_core.engine.cost import Parameters


def made(ledger: Ledger, cell: Cell, root: Path) -> Made | None:
    """What the repeats of a study's best point were made with; None while there is none.

    Args:
        ledger: The study's.
        cell: What it fills.
        root: The run's folder.
    """
    best, recipe = ledger.best(), best_recipe(ledger)
    if best is None or recipe is None:
        return None
    repeats = ledger.repeats_of(best)
    ends = [repeat.ended for repeat in repeats if repeat.ended is not None]
    counts = best.parameters or _counted(recipe)
    done = [repeat for repeat in repeats if repeat.state == "COMPLETE"]
    return Made(
        dataset=cell.dataset,
        backbone=cell.contestant.name,
        weights=weights_text(recipe),
        parameters=None if counts is None else counts[1],
        trials=len(ledger.history("trial")),
        repeats=len(repeats),
        epochs=recipe.trainer.epochs,
        settings=dict(ledger.point(best)),
        versions=versions(),
        finished=stamp(max(ends).replace(tzinfo=_here())) if ends else None,
        licence=_licence(recipe),
        trained_parameters=None if counts is None else counts[0],
        flops=next((one.flops for one in done if one.flops is not None), None),
        repeat_seconds=_mean([one.train_seconds for one in done]),
        devices=tuple(sorted({one.device for one in done if one.device is not None})),
        folder=ledger.folder.relative_to(root).as_posix(),
    )


def weights_text(recipe: Recipe) -> str:
    """The backbone's weights for people: where they come from, and what fixes their content."""
    options = recipe.model.backbone
    if not isinstance(options, BackboneOptions):
        return "the backbone's own"
    if options.weights == "none":
        return "random"
    try:
        content = weights_of(recipe)
    except RequestError:
        content = "no longer readable"  # a file that was moved since
    if options.file is not None:
        return f"{Path(options.weights).name} (sha256 {content})"
    return "hub" if content == "hub" else f"hub: {content}"


def _licence(recipe: Recipe) -> str | None:
    """Of published weights; that of a file is its owner's to know."""
    options = recipe.model.backbone
    card = card_of(options.name)
    hub = isinstance(options, BackboneOptions) and options.weights == "hub"
    return card.licence if hub and card is not None else None


def _mean(seconds: Sequence[float]) -> float | None:
    """None of none, and of curves that another program has told without their times."""
    return sum(seconds) / len(seconds) if any(seconds) else None


def _counted(recipe: Recipe) -> Parameters | None:
    """Of a trial that did not note them, as those of early versions."""
    from iterate_core.engine.cost import parameters  # imports torch

    try:
        return parameters(prepare(recipe))
    except RequestError:
        return None  # its data are gone


def _here() -> dt.tzinfo | None:
    """The zone of the storage's times."""
    return dt.datetime.now().astimezone().tzinfo
