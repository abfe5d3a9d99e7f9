"""Tasks whose classes exclude each other: one class a sample, or one a pixel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.dataset import DatasetInfo
from iterate_core.models.assembly import Model
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.per_class import ByClass, by_class
from iterate_core.tasks.supervised import SupervisedTask


class ExclusiveTask(SupervisedTask):
    """Cross-entropy over classes, scored by a confusion matrix.

    Args:
        model: The assembled model.
        info: The dataset: its classes and what to ignore.
        declaration: Which scores are reported.
    """

    def __init__(self, model: Model, info: DatasetInfo, declaration: TaskDeclaration) -> None:
        count, ignored = len(info.classes), info.ignore_index
        super().__init__(model, declaration, lambda: ConfusionScores(count, ignored))
        self.classes = info.classes
        self.ignore_index = ignored
        self.ignored = ignored if ignored < count else None

    outcomes = "confusion"

    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy of logits, and how many targets count.

        Pixels are laid out as rows first: the two-dimensional loss has no deterministic form on
        CUDA, this has.
        """
        if outputs.ndim > 2:
            outputs = outputs.movedim(1, -1).reshape(-1, outputs.shape[1])
        flat = targets.flatten()
        total = functional.cross_entropy(
            outputs.float(), flat, ignore_index=self.ignore_index, reduction="sum"
        )
        return total, (flat != self.ignore_index).sum()

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Each sample's own confusion matrix, flattened (rows: truth)."""
        classes = outputs.shape[1]
        cells = targets * classes + outputs.argmax(dim=1)
        cells = torch.where(targets == self.ignore_index, classes**2, cells)
        cells = cells.reshape(len(cells), -1)
        counts = torch.zeros((len(cells), classes**2 + 1), dtype=torch.int32, device=cells.device)
        ones = torch.ones((), dtype=torch.int32, device=cells.device).expand_as(cells)
        return counts.scatter_add_(1, cells, ones)[:, :-1]

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        return by_class(self.scores.matrix(), self.classes, self.ignored)
