"""What all tasks share: a model, a loss, and the scores of a split."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics import Metric

from iterate_core.data.loading.batch import Batch
from iterate_core.models.assembly import Model
from iterate_core.tasks.declarations import TaskDeclaration
from iterate_core.tasks.per_class import ByClass


class Scores(Metric, ABC):
    """Takes what `compute` needs of each batch; nothing waits for the device until then."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__(sync_on_compute=False)

    @abstractmethod
    def update(self, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
        """Take one batch and its summed loss."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """All scores of what was taken; the loss is NaN where nothing counts."""


class SupervisedTask(LightningModule, ABC):
    """A model that is trained on targets.

    A task's entry in the registry names a callable ``build(model, pack)`` that returns one: `pack`
    is the `iterate_core.data.store.pack.Pack` of its dataset.

    Args:
        model: The assembled model.
        declaration: Which scores are reported.
        scores: Makes what takes them.

    Attributes:
        outcomes: What `sums` gives, as `iterate_core.tasks.sample_sums.Outcomes` calls it; None
            where a task has none.
        ignored: The class that no score counts, if it is one of the model's.
        kept: The sums of evaluated batches, where they are wanted; None where not.
    """

    outcomes: ClassVar[str | None] = None
    ignored: int | None = None

    def __init__(
        self, model: Model, declaration: TaskDeclaration, scores: Callable[[], Scores]
    ) -> None:
        super().__init__()
        self.model = model
        self.names = [metric.name for metric in declaration.metrics]
        self.train_scores: Any = scores()
        self.scores: Any = scores()
        self.kept: list[Tensor] | None = None

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
        self.train_scores.update(outputs.detach(), batch.targets, total.detach())
        return total / counted.clamp(min=1)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Take the batch's scores in `scores`."""
        outputs = self.forward(batch)
        total, _ = self.losses(outputs, batch.targets)
        self.scores.update(outputs, batch.targets, total)
        if self.kept is not None:
            self.kept.append(self.sums(outputs, batch.targets).cpu())

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Summed loss, and how many targets count."""

    def sums(self, outputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002 - of tasks
        """(n, terms), what each sample adds to the sums that scores are functions of."""
        raise TypeError(f"{type(self).__name__} scores no sample alone")

    def by_class(self) -> ByClass | None:
        """What `scores` took, class by class; None of a task without classes."""
        return None

    def reported(self, taken: Scores) -> dict[str, float]:
        """The declared scores of what was taken, which is then forgotten."""
        values = taken.compute()
        taken.reset()
        return {name: values[name] for name in self.names}
