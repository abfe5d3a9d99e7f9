"""The scores of a whole split."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from iterate_core.data.dataset import Split
from iterate_core.engine.setup import Setup
from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.sample_sums import Outcomes


@dataclass(frozen=True)
class SplitScores:
    """Everything that is told of a model on a split.

    Attributes:
        scores: By name, without the split's name before them.
        by_class: The same, class by class; None of a task without classes.
        outcomes: What each sample adds to them; None of a task that has no such sums.
    """

    scores: dict[str, float]
    by_class: ByClass | None
    outcomes: Outcomes | None


class Evaluator:
    """Scores the model of a set-up recipe.

    Args:
        setup: The recipe on its device.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._task = setup.module

    def scores(self, split: Split) -> dict[str, float]:
        """A split's scores, without the split's name before them."""
        self._take(split)
        return self._task.reported(self._task.scores)

    def everything(self, split: Split) -> SplitScores:
        """A split's scores, as a whole, class by class and sample by sample."""
        task = self._task
        task.kept = None if task.outcomes is None else []
        self._take(split)
        by_class, outcomes = task.by_class(), None
        if task.outcomes is not None and task.kept:
            outcomes = Outcomes(task.outcomes, torch.cat(task.kept).numpy(), task.ignored)
        task.kept = None
        return SplitScores(task.reported(task.scores), by_class, outcomes)

    def _take(self, split: Split) -> None:
        setup, decoder = self._setup, self._task.model.decoder
        setup.task.eval()
        if isinstance(decoder, Fitted):
            decoder.validating = split != "test"
        # Not inference mode: what a model keeps from one forward to the next must be trainable.
        with torch.no_grad():
            for number, batch in enumerate(setup.supplies.evaluated(split)):
                setup.step(setup.task.validation_step, batch, number)
