"""Scores of a whole split from one confusion matrix, never averaged over batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from iterate_core.tasks.supervised import Scores


class ConfusionScores(Scores):
    """Accumulates a confusion matrix and the loss; nothing waits for the device until `compute`.

    Args:
        classes: Number of classes.
        ignore_index: The target that is not counted.
    """

    counts: Tensor
    loss: Tensor

    def __init__(self, classes: int, ignore_index: int) -> None:
        super().__init__()
        self.classes = classes
        self.ignore_index = ignore_index
        # The last cell takes what is ignored.
        cells = torch.zeros(classes * classes + 1, dtype=torch.int64)
        self.add_state("counts", cells, dist_reduce_fx="sum")
        self.add_state("loss", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Count one batch.

        Args:
            outputs: Logits (n, classes) or (n, classes, height, width).
            targets: (n,) or (n, height, width).
            loss: The batch's summed loss.
        """
        cell = targets * self.classes + outputs.argmax(dim=1)
        spare = self.classes * self.classes
        cell = torch.where(targets == self.ignore_index, spare, cell).flatten()
        if cell.device.type == "cpu":
            self.counts += torch.bincount(cell, minlength=spare + 1)
        else:  # bincount waits for the device to learn its length
            self.counts.scatter_add_(0, cell, torch.ones_like(cell))
        self.loss += loss.detach().double()

    def compute(self) -> dict[str, float]:
        """`scores` of the matrix, and ``loss``, averaged over all that is counted."""
        found = scores(self.matrix(), self.ignore_index)
        counted = int(self.counts[:-1].sum())
        found["loss"] = float(self.loss) / counted if counted else float("nan")
        return found

    def matrix(self) -> npt.NDArray[np.int64]:
        """(true class, predicted class) counts."""
        square: npt.NDArray[np.int64] = self.counts[:-1].cpu().numpy()
        return square.reshape(self.classes, self.classes)


def scores(confusion: npt.NDArray[np.int64], ignore_index: int = -1) -> dict[str, float]:
    """Every score that the tasks choose theirs from; see `iterate_core.tasks.declarations`.

    A class that occurs neither among targets nor predictions is left out of macro means, as
    torchmetrics does; one that is only predicted counts, as 0. With nothing counted all are NaN.
    """
    hits = np.diag(confusion).astype(np.float64)
    actual = confusion.sum(axis=1).astype(np.float64)
    union = actual + confusion.sum(axis=0) - hits
    counted = union > 0
    if 0 <= ignore_index < len(confusion):
        counted[ignore_index] = False
    total = actual.sum()
    if not total:
        return dict.fromkeys(_NAMES, float("nan"))
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=actual > 0)
    values: dict[str, Any] = {
        "accuracy": hits.sum() / total,
        "pixel_accuracy": hits.sum() / total,
        "accuracy_macro": recall[counted].mean(),
        "f1_macro": (2 * hits[counted] / (union + hits)[counted]).mean(),
        "miou": (hits[counted] / union[counted]).mean(),
        "iou_micro": hits.sum() / union.sum(),
    }
    return {name: float(value) for name, value in values.items()}


_NAMES = ("accuracy", "pixel_accuracy", "accuracy_macro", "f1_macro", "miou", "iou_micro")
