"""Class targets of both kinds, exclusive or not, in one form."""

from __future__ import annotations

import torch
from torch import Tensor

from iterate_core.losses.base import rows
from iterate_core.losses.training import TrainingTargets


class Indicators:
    """Says of each class whether it is there.

    Args:
        training: Of these targets.

    Attributes:
        exclusive: Whether they are of one class each.
    """

    def __init__(self, training: TrainingTargets) -> None:
        self.exclusive = training.exclusive
        self._ignored = training.ignore_index

    def of(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A batch's samples, or all its pixels, as rows.

        Args:
            outputs: Logits (n, classes, …).
            targets: Class indices (n, …); or of labels (n, classes) of 0 and 1.

        Returns:
            (rows, classes) logits; (rows, classes) of 0 and 1, float32, all 0 where a row does not
            count; and (rows,) whether it does.
        """
        logits = rows(outputs)
        if not self.exclusive:
            return logits, targets.float(), targets.new_ones(len(targets), dtype=torch.bool)
        flat = targets.flatten()
        counted = flat != self._ignored
        classes = torch.arange(logits.shape[1], device=flat.device)
        truth = (flat[:, None] == classes) & counted[:, None]
        return logits, truth.float(), counted
