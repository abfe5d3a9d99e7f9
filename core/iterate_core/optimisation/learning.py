"""What makes a model learn by gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch.optim import Optimizer

from iterate_core.objective import Objective
from iterate_core.optimisation.schedules import Schedule


@dataclass(frozen=True)
class Learning:
    """An optimiser over a model's parameters, and all that decides its steps.

    Attributes:
        optimiser: Its groups carry ``top``; see `optimisers.parameter_groups`.
        schedule: The learning rate, step by step.
        objective: What the schedule hears of each epoch.
        seed: The recipe's, which what is random in an epoch follows from.
        steps_per_epoch: Optimiser steps in an epoch.
        epochs: The recipe's, over which the schedule runs.
        pace: See `iterate_core.models.tuning.base.Tuning.pace`.
    """

    optimiser: Optimizer
    schedule: Schedule
    objective: Objective
    seed: int
    steps_per_epoch: int
    epochs: int
    pace: Callable[[int, int], float]

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.steps_per_epoch * self.epochs

    def factor(self, step: int) -> float:
        """The learning rates as a share of their top, at an optimiser step counted from 0."""
        epoch = step // max(1, self.steps_per_epoch) + 1
        return self.schedule.factor(step) * self.pace(epoch, self.epochs)
