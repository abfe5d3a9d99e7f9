"""The scores of a whole split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.dataset import Split
from iterate_core.engine.resolved import Prepared
from iterate_core.engine.setup import Setup
from iterate_core.errors import Problem, RequestError
from iterate_core.models.decoders.probes.fitted import Fitted
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.sample_sums import SampleSums

_SAID: dict[Split, str] = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class SplitScores:
    """Everything that is told of a model on a split.

    Attributes:
        scores: By name, without the split's name before them.
        by_class: The same, class by class; None of a task without classes.
        sums: What each sample adds to them; None where no metric is a function of sums, or where
            they were not wanted.
    """

    scores: dict[str, float]
    by_class: ByClass | None
    sums: SampleSums | None


def check_scored(prepared: Prepared, *splits: Split) -> None:
    """Refuse splits that can teach nothing or have no score, before a model is trained or tested.

    As a rule the first sample settles it. Of the training split, what is trained on counts.

    Raises:
        RequestError: No sample of a split holds what learning and scores need; see `Target.lacks`.
    """
    pack, problems = prepared.pack, []
    for split in splits:
        if split == "train" and pack.target.empty_teaches:
            continue
        targets = pack.targets(split)
        samples = prepared.training if split == "train" else np.arange(len(targets))
        each = (targets[samples[place : place + 1]][0] for place in range(len(samples)))
        if (lacking := pack.target.lacks(each)) is not None:
            so = "it teaches nothing" if split == "train" else "it has no score"
            what = f"the {_SAID[split]} split holds no {lacking}, so {so}."
            problems.append(Problem(prepared.info.name, what))
    if problems:
        raise RequestError(problems)


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

    def everything(self, split: Split, *, by_sample: bool) -> SplitScores:
        """A split's scores, as a whole, class by class and if wanted sample by sample."""
        task = self._task
        kept: list[Tensor] = []
        task.scores.kept = kept if by_sample else None
        self._take(split)
        task.scores.kept = None
        name = self._setup.prepared.info.task
        sums = SampleSums(name, torch.cat(kept).numpy()) if kept else None
        by_class = task.by_class()
        return SplitScores(task.reported(task.scores), by_class, sums)

    def _take(self, split: Split) -> None:
        setup, decoder = self._setup, self._task.model.decoder
        setup.task.eval()
        if isinstance(decoder, Fitted):
            decoder.validating = split != "test"
        with torch.no_grad():
            for number, batch in enumerate(setup.supplies.evaluated(split)):
                setup.step(setup.task.validation_step, batch, number)
