"""What every way of learning does."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor

from iterate_core.errors import WorkError


class Learner(Protocol):
    """Learns from a recipe's training split, an epoch at a time."""

    def learn(self, epoch: int) -> dict[str, float]:
        """One pass over the training split.

        Returns:
            ``train/…``, and what else is worth reporting.

        Raises:
            WorkError: The loss is not finite.
        """

    def epoch_ended(self, value: float) -> None:
        """Hear the objective's value after an epoch's validation."""

    def weights(self) -> dict[str, Tensor]:
        """What training has come to, by its name in the model: it is scored, and kept."""

    def scored(self) -> AbstractContextManager[None]:
        """The model holds `weights`; after it, what training goes on from."""

    def state(self) -> dict[str, Any]:
        """Everything that decides the next epoch, beside the recipe."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


def training_scores(scores: dict[str, float], epoch: int) -> dict[str, float]:
    """Scores of the training split under their full names, if its loss is finite."""
    finite(scores["loss"], "training", epoch)
    return {f"train/{name}": value for name, value in scores.items()}


def finite(loss: float, split: str, epoch: int) -> None:
    """Refuse a loss that is not finite.

    Raises:
        WorkError: It is not.
    """
    if not math.isfinite(loss):
        raise WorkError(
            f"the {split} loss of epoch {epoch} is {loss}: either training diverged (lower "
            "optimiser.lr, or set trainer.gradient_clip), or no target of the split counts"
        )
