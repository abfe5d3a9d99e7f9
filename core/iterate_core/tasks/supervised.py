"""What all tasks share: a model, a loss, and the scores of a split.

A task is trained by our own loop (`iterate_core.engine.learning`) or by a `lightning.Trainer`
(`iterate_core.lightning`): the steps are the same, and the hooks below, which our loop does not
call, do there what it does around them.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from iterate_core.data.augmentation.mixing import Mixed
from iterate_core.data.loading.batch import Batch
from iterate_core.device import seed_all
from iterate_core.fingerprint import state_seed
from iterate_core.losses.base import Loss, mean_of
from iterate_core.models.assembly import Model
from iterate_core.optimisation.learning import Learning
from iterate_core.optimisation.schedules import StepRates
from iterate_core.tasks.per_class import ByClass
from iterate_core.tasks.scores import Scores

_TUNING = "tuning"  # in a Lightning Trainer's checkpoints


class SupervisedTask(LightningModule, ABC):
    """A model that is trained on targets.

    A task's entry in the registry names a callable ``build(model, pack)`` that returns one: `pack`
    is the `iterate_core.data.store.pack.Pack` of its dataset.

    Args:
        model: The assembled model.
        scores: Makes what takes its scores.
        training: Makes what takes those of training batches, where these are others.

    Attributes:
        train_scores: Takes the scores of training batches.
        scores: Takes those of evaluated ones.
        loss: What trains it, of those that serve its targets: whoever builds a task of a recipe
            gives it. None where the task has a loss of its own, as `losses`.
        learning_for: Makes its optimiser and schedule for a Lightning Trainer, told whether the
            optimiser may take its fused step; None where it is not to be trained by one.
    """

    def __init__(
        self,
        model: Model,
        scores: Callable[[], Scores],
        training: Callable[[], Scores] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.train_scores: Any = (training or scores)()
        self.scores: Any = scores()
        self.loss: Loss | None = None
        self.learning_for: Callable[[bool], Learning] | None = None
        self._learning: Learning | None = None
        self._validated: dict[str, float] = {}

    def forward(self, batch: Batch) -> Any:
        """The model's outputs, float32: see `iterate_core.models.assembly.Model`.

        The model computes in the recipe's arithmetic; losses and scores do not.
        """
        if batch.encoded:
            return self.model.decode(batch.inputs, batch.size).float()
        return self.model(batch.inputs, batch.context).float()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:  # noqa: ARG002
        """The batch's mean ``loss``, and the ``weight`` of all that it is the mean of.

        Its scores are taken in `train_scores`: of samples that are mixed, by the larger share's
        targets. What the model's tuning adds to the loss is in none of them.
        """
        outputs, targets = self.forward(batch), batch.targets
        if isinstance(targets, Mixed):
            total, counted = self._mixed_losses(outputs, targets)
            targets = targets.larger
        else:
            total, counted = self.losses(outputs, targets)
        self.train_scores.update(outputs.detach(), targets, total.detach(), counted)
        loss, penalty = mean_of(total, counted), self.model.penalty()
        return {"loss": loss if penalty is None else loss + penalty, "weight": counted}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Take the batch's scores in `scores`.

        Not in inference mode, which Lightning turns on: what a model keeps from one forward to the
        next must be trainable.
        """
        with torch.inference_mode(mode=False), torch.no_grad():
            outputs = self.forward(batch)
            total, counted = self.losses(outputs, batch.targets)
            self.scores.update(self.predictions(outputs), batch.targets, total, counted)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """See `validation_step`."""
        self.validation_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        """The optimiser, and its schedule for every step, as Lightning takes them."""
        if self.learning_for is None:
            return None
        # Lightning clips no gradients in mixed precision where the optimiser's step is fused.
        learning = self._learning = self.learning_for(not self.trainer.precision.endswith("mixed"))
        rates = StepRates(learning.optimiser, learning.schedule, learning.factor)
        return {
            "optimizer": learning.optimiser,
            "lr_scheduler": {"scheduler": rates, "interval": "step"},
        }

    def on_train_epoch_start(self) -> None:
        """Begin the epoch as our loop does, from random state of its own."""
        epoch, learning = self.current_epoch + 1, self._learning
        # A subclass of one's own may have made its optimiser otherwise.
        epochs = (self.trainer.max_epochs or epoch) if learning is None else learning.epochs
        self.model.begin_epoch(epoch, epochs)
        self.model.train()
        if learning is not None:
            seed_all(state_seed(learning.seed, epoch))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take a step, and tell the model of it as our loop does."""
        super().optimizer_step(*args, **kwargs)
        step, learning = self.trainer.global_step + 1, self._learning
        expected = self.trainer.estimated_stepping_batches if learning is None else learning.steps
        self.model.step_ended(step, step if math.isinf(expected) else int(expected))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the model's tuning goes by, beside its weights."""
        if progress := self.model.tuning.progress():
            checkpoint[_TUNING] = progress

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up what was kept."""
        if _TUNING in checkpoint:
            self.model.tuning.restore(checkpoint[_TUNING])

    def on_validation_epoch_end(self) -> None:
        """Log ``val/…``."""
        metrics = self._logged("val", self.scores)
        self._validated = {} if self.trainer.sanity_checking else metrics

    def on_train_epoch_end(self) -> None:
        """Log ``train/…``, and let the schedule hear the objective's value if there is one."""
        metrics = self._logged("train", self.train_scores) | self._validated
        if self._learning is not None and self._learning.objective.key in metrics:
            rates: Any = self.lr_schedulers()
            rates.epoch_ended(self._learning.objective.read(metrics))
        self._validated = {}

    def on_test_epoch_end(self) -> None:
        """Log ``test/…``."""
        self._logged("test", self.scores)

    def _logged(self, split: str, taken: Scores) -> dict[str, float]:
        metrics = {f"{split}/{name}": value for name, value in self.reported(taken).items()}
        self.log_dict(metrics)
        return metrics

    def losses(self, outputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
        """Summed loss, and the weight of all that it sums; see `Loss.forward`.

        A task overrides it whose declaration names no loss.
        """
        assert self.loss is not None  # noqa: S101 - or this is overridden
        pair: tuple[Tensor, Tensor] = self.loss(outputs, targets)
        return pair

    def _mixed_losses(self, outputs: Any, targets: Mixed) -> tuple[Tensor, Tensor]:
        """Losses of both targets by their shares, as cross-entropy of the mixture itself is."""
        first, second = self.losses(outputs, targets.one), self.losses(outputs, targets.other)
        total, counted = (
            targets.share * one + (1 - targets.share) * other
            for one, other in zip(first, second, strict=True)
        )
        return total, counted

    def predictions(self, outputs: Any) -> Any:
        """What `scores` take of the outputs: these, unless predictions must be made of them."""
        return outputs

    def by_class(self) -> ByClass | None:
        """What `scores` took, class by class; None of a task without classes."""
        return None

    def reported(self, taken: Scores) -> dict[str, float]:
        """The metrics of what was taken, which is then forgotten."""
        values = taken.compute()
        # Sums that begin at 0 in inference mode could not be added to outside of it.
        with torch.inference_mode(mode=False):
            taken.reset()
        return values
