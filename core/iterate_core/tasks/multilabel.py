"""Any number of classes an image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from iterate_core.data.store.pack import Pack
from iterate_core.models.assembly import Model
from iterate_core.tasks.class_counts import ClassCounts
from iterate_core.tasks.declarations import MULTILABEL
from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.per_class import ByClass, class_scores
from iterate_core.tasks.scores import SummedScores
from iterate_core.tasks.supervised import SupervisedTask


class MultilabelTask(SupervisedTask):
    """Each class by itself; see `MULTILABEL` for the scores."""

    def __init__(self, model: Model, pack: Pack) -> None:
        count = len(pack.info.classes)
        super().__init__(model, lambda: MultilabelScores(MULTILABEL.metrics, count))
        self.classes = pack.info.classes

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        sums = self.scores.sums()
        rows = class_scores(ClassCounts.of(sums), self.classes, absent=True)
        return ByClass(rows, sums.reshape(-1, 2, 2))


class MultilabelScores(SummedScores):
    """Sums as in `iterate_core.tasks.class_counts`, and all a split's logits and targets.

    Those average precision needs to be exact.

    Args:
        metrics: What is reported.
        classes: Number of classes.
    """

    logits: list[Tensor]
    targets: list[Tensor]

    def __init__(self, metrics: Sequence[Metric], classes: int) -> None:
        super().__init__(metrics, 4 * classes)
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("targets", [], dist_reduce_fx="cat")

    def take(self, outputs: Tensor, targets: Tensor) -> None:
        """Take one batch.

        Args:
            outputs: Logits (n, classes).
            targets: (n, classes) of 0 and 1.
        """
        super().take(outputs, targets)
        self.logits.append(outputs.float())
        self.targets.append(targets.bool())

    def of_samples(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Scores.of_samples`. A class is predicted whose probability exceeds one half."""
        predicted, positive = outputs > 0, targets.bool()
        parts = (
            ~predicted & ~positive,
            predicted & ~positive,
            ~predicted & positive,
            predicted & positive,
        )
        return torch.stack(parts, dim=-1).flatten(1).to(torch.uint8)

    def others(self) -> dict[str, float]:
        """The average precisions."""
        logits, positive = (
            torch.cat(self.logits).cpu().numpy(),
            torch.cat(self.targets).cpu().numpy(),
        )
        precisions = [average_precision(*pair) for pair in zip(logits.T, positive.T, strict=True)]
        return {
            "map_micro": average_precision(logits.ravel(), positive.ravel()),
            "map_macro": float(np.mean(precisions)),
        }


def average_precision(scores: npt.NDArray[np.floating], positive: npt.NDArray[np.bool_]) -> float:
    """Average precision of (n,) scores: 0 without positives, NaN where a score is not finite."""
    if not np.isfinite(scores).all():
        return math.nan
    return float(average_precision_score(positive, scores)) if positive.any() else 0.0
