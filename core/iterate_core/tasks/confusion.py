"""Scores of classes that exclude each other, from one confusion matrix of a whole split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.tasks.metrics import Metric
from iterate_core.tasks.scores import Scores


class ConfusionScores(Scores):
    """Accumulates a confusion matrix; its sums are those of `iterate_core.tasks.class_counts`.

    Args:
        metrics: What is reported.
        classes: Number of classes.
        ignore_index: The target that is not counted.

    Attributes:
        scored: The classes that have scores: all but the one that is ignored, if it is one.
    """

    cells: Tensor

    def __init__(self, metrics: Sequence[Metric], classes: int, ignore_index: int) -> None:
        super().__init__(metrics)
        self.classes = classes
        self.ignore_index = ignore_index
        self.scored = [index for index in range(classes) if index != ignore_index]
        # The last cell takes what is ignored.
        cells = torch.zeros(classes * classes + 1, dtype=torch.int64)
        self.add_state("cells", cells, dist_reduce_fx="sum")

    def take(self, outputs: Tensor, targets: Tensor) -> None:
        """Count one batch.

        Args:
            outputs: Logits (n, classes) or (n, classes, height, width).
            targets: (n,) or (n, height, width).
        """
        cell = targets * self.classes + outputs.argmax(dim=1)
        spare = self.classes * self.classes
        cell = torch.where(targets == self.ignore_index, spare, cell).flatten()
        if cell.device.type == "cpu":
            self.cells += torch.bincount(cell, minlength=spare + 1)
        else:  # bincount waits for the device to learn its length
            self.cells.scatter_add_(0, cell, torch.ones_like(cell))

    def of_samples(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Scores.of_samples`."""
        predicted, counted = outputs.argmax(dim=1), targets != self.ignore_index
        there = self._by_class(targets, counted)
        told = self._by_class(predicted, counted)
        tp = self._by_class(targets, counted & (targets == predicted))
        tn = there.sum(dim=1, keepdim=True) - there - told + tp
        sums = torch.stack((tn, told - tp, there - tp, tp), dim=-1)
        return sums[:, self.scored].flatten(1).to(torch.int32)

    def _by_class(self, indices: Tensor, counted: Tensor) -> Tensor:
        """(n, classes), how often each sample has each index where it is counted."""
        indices = torch.where(counted, indices, self.classes).reshape(len(indices), -1)
        counts = indices.new_zeros((len(indices), self.classes + 1))
        return counts.scatter_add_(1, indices, torch.ones_like(indices))[:, :-1]

    def sums(self) -> npt.NDArray[Any]:
        """See `Scores.sums`."""
        confusion = self.matrix()
        tp = np.diag(confusion)
        told, there = confusion.sum(axis=0), confusion.sum(axis=1)
        tn = there.sum() - there - told + tp
        return np.stack((tn, told - tp, there - tp, tp), axis=-1)[self.scored].ravel()

    def matrix(self) -> npt.NDArray[np.int64]:
        """(true class, predicted class) counts."""
        square: npt.NDArray[np.int64] = self.cells[:-1].cpu().numpy()
        return square.reshape(self.classes, self.classes)
