"""Tasks whose classes exclude each other: one class a sample, or one a pixel."""

from __future__ import annotations

from iterate_core.data.dataset import DatasetInfo
from iterate_core.models.assembly import Model
from iterate_core.tasks.class_counts import ClassCounts
from iterate_core.tasks.confusion import ConfusionScores
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.per_class import ByClass, class_scores
from iterate_core.tasks.supervised import SupervisedTask


class ExclusiveTask(SupervisedTask):
    """Classes, scored by a confusion matrix.

    Args:
        model: The assembled model.
        info: The dataset: its classes and what to ignore.
        declaration: What is reported.
    """

    def __init__(self, model: Model, info: DatasetInfo, declaration: TaskDeclaration) -> None:
        count, ignored, metrics = len(info.classes), info.ignore_index, declaration.metrics
        super().__init__(model, lambda: ConfusionScores(metrics, count, ignored))
        self.classes = info.classes

    def by_class(self) -> ByClass | None:
        """See `SupervisedTask.by_class`."""
        names = [self.classes[index] for index in self.scores.scored]
        counts = ClassCounts.of(self.scores.sums())
        return ByClass(class_scores(counts, names, absent=False), self.scores.matrix())
