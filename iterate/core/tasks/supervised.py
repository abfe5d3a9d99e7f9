"""What classification and segmentation share: logits, cross-entropy, scores of a split."""

from __future__ import annotations

from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional

from iterate.core.batch import Batch
from iterate.core.data.dataset import DatasetInfo
from iterate.core.models.assembly import Model
from iterate.core.tasks.confusion import ConfusionScores
from iterate.core.tasks.declarations import TaskDeclaration


class SupervisedTask(LightningModule):
    """A model that predicts one class for each sample or pixel.

    Args:
        model: The assembled model.
        info: The dataset: its classes and what to ignore.
        declaration: Which scores are reported.
    """

    def __init__(self, model: Model, info: DatasetInfo, declaration: TaskDeclaration) -> None:
        super().__init__()
        self.model = model
        self.ignore_index = info.ignore_index
        self.names = [metric.name for metric in declaration.metrics]
        self.train_scores = ConfusionScores(len(info.classes), info.ignore_index)
        self.scores = ConfusionScores(len(info.classes), info.ignore_index)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (n, classes) or (n, classes, height, width)."""
        if batch.encoded:
            return self.model.decode(batch.inputs, batch.size)
        logits: Tensor = self.model(batch.inputs)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """The batch's mean loss; its scores are taken in `train_scores`."""
        logits = self.forward(batch)
        total, counted = self.losses(logits, batch.targets)
        self.train_scores.update(logits.detach(), batch.targets, total)
        return total / counted.clamp(min=1)

    def validation_step(self, batch: Batch) -> None:
        """Take the batch's scores in `scores`."""
        logits = self.forward(batch)
        total, _ = self.losses(logits, batch.targets)
        self.scores.update(logits, batch.targets, total)

    def losses(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed cross-entropy, and how many targets count.

        Pixels are laid out as rows first: the two-dimensional loss has no deterministic form on
        CUDA, this has.
        """
        if logits.ndim > 2:
            logits = logits.movedim(1, -1).reshape(-1, logits.shape[1])
        flat = targets.flatten()
        total = functional.cross_entropy(
            logits.float(), flat, ignore_index=self.ignore_index, reduction="sum"
        )
        return total, (flat != self.ignore_index).sum()

    def reported(self, taken: ConfusionScores) -> dict[str, float]:
        """The declared scores of what was taken, which is then forgotten."""
        values = taken.compute()
        taken.reset()
        return {name: values[name] for name in self.names}
