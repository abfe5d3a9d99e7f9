"""What makes a model learn by gradients."""

from __future__ import annotations

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
    """

    optimiser: Optimizer
    schedule: Schedule
    objective: Objective
    seed: int
