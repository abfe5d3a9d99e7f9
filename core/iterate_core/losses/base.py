"""The seam that every loss implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from iterate_core.losses.options import LossOptions
from iterate_core.losses.training import TrainingTargets
from iterate_core.registry import registries


class Loss(nn.Module, ABC):
    """What training makes small.

    A loss's entry in the registry names a callable ``build(options, training)`` that returns one,
    and the forms of the targets that it serves. What it knows of the data it is given there, and
    keeps in buffers that are not persistent: checkpoints hold models, not losses.
    """

    @abstractmethod
    def forward(self, outputs: Tensor, targets: Any) -> tuple[Tensor, Tensor]:
        """A batch's summed loss, and the weight of all that is summed: their ratio is the mean.

        An epoch's loss is the ratio of both sums over its batches. A loss that is no sum over
        targets gives each batch the weight 1: an epoch's is then the mean over batches, which
        depends on the batch size. Where no target counts, both are 0.

        Args:
            outputs: Of the model, float32: logits (n, classes, …), or a quantity (n, quantities,
                …).
            targets: As `iterate_core.data.target.Target.prepared` gives them: class indices
                (n, …), of which `ignore_index` does not count; indicators (n, classes); or
                quantities (n, …), of which NaN does not count.
        """

    def of_several(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives of each of m batches, at once.

        Args:
            outputs: (m, n, …).
            targets: (m, n, …), tensors.

        Returns:
            (m,) sums and (m,) weights. A loss has a form of its own where `torch.func.vmap` is
            slow.

        Raises:
            RuntimeError: `vmap` does not take this loss, which may branch on its numbers.
        """
        pair: tuple[Tensor, Tensor] = vmap(self)(outputs, targets)
        return pair


def loss_of(options: LossOptions, training: TrainingTargets) -> Loss | None:
    """The loss that options describe; None where the task has one of its own."""
    made: Loss | None = registries.losses.get(options.name).load()(options, training)
    return made


def of_the_task(options: LossOptions, training: TrainingTargets) -> None:
    """No loss: that of a task which none of the registry serves is part of it."""
    del options, training


def mean_of(total: Tensor, weight: Tensor) -> Tensor:
    """``total / weight``, and 0 where nothing counts."""
    return total / torch.where(weight > 0, weight, 1)


def rows(outputs: Tensor) -> Tensor:
    """Outputs (n, classes, …) as (n · …, classes)."""
    if outputs.ndim > 2:
        outputs = outputs.movedim(1, -1).reshape(-1, outputs.shape[1])
    return outputs
