"""What all tasks share: a model, a loss, and the scores of a split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from lightning.pytorch import LightningModule
from torch import Tensor

from iterate_core.data.loading.batch import Batch
from iterate_core.models.assembly import Model
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.scores import Scores


class SupervisedTask(LightningModule, ABC):
    """A model that is trained on targets.

    A task's entry in the registry names a callable ``build(model, pack)`` that returns one: `pack`
    is the `iterate_core.data.store.pack.Pack` of its dataset.

    Args:
        model: The assembled model.
        scores: Makes what takes its scores.

    Attributes:
        train_scores: Takes the scores of training batches.
        scores: Takes those of evaluated ones.
    """

    def __init__(self, model: Model, scores: Callable[[], Scores]) -> None:
        super().__init__()
        self.model = model
        self.train_scores: Any = scores()
        self.scores: Any = scores()

    def forward(self, batch: Batch) -> Tensor:
        """The model's outputs (n, classes) or (n, classes, height, width), float32.

        The model computes in the recipe's arithmetic; losses and scores do not.
        """
        if batch.encoded:
            return self.model.decode(batch.inputs, batch.size).float()
        outputs: Tensor = self.model(batch.inputs, batch.context)
        return outputs.float()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """The batch's mean loss; its scores are taken in `train_scores`."""
        outputs = self.forward(batch)
        total, counted = self.losses(outputs, batch.targets)
        self.train_scores.update(outputs.detach(), batch.targets, total.detach(), counted)
        return total / counted.clamp(min=1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Take the batch's scores in `scores`."""
        outputs = self.forward(batch)
        total, counted = self.losses(outputs, batch.targets)
        self.scores.update(outputs, batch.targets, total, counted)

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed loss, and how many targets count."""

    def by_class(self) -> ByClass | None:
        """What `scores` took, class by class; None of a task without classes."""
        return None

    def reported(self, taken: Scores) -> dict[str, float]:
        """The metrics of what was taken, which is then forgotten."""
        values = taken.compute()
        taken.reset()
        return values
