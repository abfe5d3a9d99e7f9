"""Tasks whose classes exclude each other: one class a sample, or one a pixel."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from iterate_core.data.dataset import DatasetInfo
from iterate_core.models.assembly import Model
from iterate_core.tasks.class_counts import ClassCounts
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.per_class import ByClass, class_scores
from iterate_core.tasks.supervised import SupervisedTask


class ExclusiveTask(SupervisedTask):
    """Cross-entropy over classes, scored by a confusion matrix.

    Args:
        model: The assembled model.
        info: The dataset: its classes and what to ignore.
        declaration: What is reported.
    """

    def __init__(self, model: Model, info: DatasetInfo, declaration: TaskDeclaration) -> None:
        count, ignored, metrics = len(info.classes), info.ignore_index, declaration.metrics
        super().__init__(model, lambda: ConfusionScores(metrics, count, ignored))
        self.classes = info.classes
        self.ignore_index = ignored

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

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        names = [self.classes[index] for index in self.scores.scored]
        counts = ClassCounts.of(self.scores.sums())
        return ByClass(class_scores(counts, names, absent=False), self.scores.matrix())
