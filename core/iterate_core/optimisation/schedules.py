"""Learning-rate schedules: what each is, and the one that listens to the objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from iterate_core.objective import Objective
from iterate_core.optimisation.options import PlateauOptions, ScheduleOptions


class Schedule(Protocol):
    """The learning rate as a share of its top, step by step."""

    def factor(self, step: int) -> float:
        """The share at an optimiser step, counted from 0."""

    def epoch_ended(self, value: float) -> None:
        """Hear the objective's value after an epoch."""

    def state(self) -> dict[str, Any]:
        """Whatever must survive an interruption, as plain numbers."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""


class ClosedForm:
    """A schedule that depends on the step alone.

    Args:
        factor: Step → share.
    """

    def __init__(self, factor: Callable[[int], float]) -> None:
        self.factor = factor

    def epoch_ended(self, value: float) -> None:
        """Changes nothing."""

    def state(self) -> dict[str, Any]:
        """Nothing to remember."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


def warmup(step: int, steps: int) -> float:
    """Linear rise that reaches 1 at the last of `steps` steps: (step + 1) / steps."""
    return min(1.0, (step + 1) / steps) if steps else 1.0


def warmup_steps(options: ScheduleOptions, steps_per_epoch: int) -> int:
    """How many optimiser steps the warm-up takes."""
    return round(options.warmup_epochs * steps_per_epoch)


class Plateau:
    """Warm-up, then a share that falls whenever the objective has not improved for a while.

    Args:
        options: Its settings.
        objective: Says what is better.
        rising: Steps of the warm-up.
    """

    def __init__(self, options: PlateauOptions, objective: Objective, rising: int) -> None:
        self._options = options
        self._objective = objective
        self._rising = rising
        self._share = 1.0
        self._best: float | None = None
        self._waited = 0

    def factor(self, step: int) -> float:
        """See `Schedule.factor`."""
        return warmup(step, self._rising) * self._share

    def epoch_ended(self, value: float) -> None:
        """Lower the share if `patience` epochs have passed without a better value."""
        if self._objective.better(value, self._best):
            self._best, self._waited = value, 0
            return
        self._waited += 1
        if self._waited > self._options.patience:
            self._share = max(self._options.floor, self._share * self._options.factor)
            self._waited = 0

    def state(self) -> dict[str, Any]:
        """See `Schedule.state`."""
        return {"share": self._share, "best": self._best, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Schedule.restore`."""
        self._share, self._best, self._waited = state["share"], state["best"], state["waited"]


def build_plateau(
    options: PlateauOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """See `Plateau`."""
    del epochs
    return Plateau(options, objective, warmup_steps(options, steps_per_epoch))


class StepRates(LRScheduler):
    """A schedule as PyTorch's own schedulers are driven: a step after each of the optimiser's.

    Args:
        optimiser: Its groups carry ``top``, the rate of which shares are taken.
        schedule: Hears the objective's value.
        factor: The shares of `top`, step by step.
    """

    def __init__(
        self, optimiser: Optimizer, schedule: Schedule, factor: Callable[[int], float]
    ) -> None:
        self._schedule = schedule
        self._factor = factor
        super().__init__(optimiser)

    def get_lr(self) -> list[float | Tensor]:
        """Each group's rate at the next step."""
        share = self._factor(self.last_epoch)
        return [group["top"] * share for group in self.optimizer.param_groups]

    def epoch_ended(self, value: float) -> None:
        """Hear the objective's value, which may change the next step's rates."""
        self._schedule.epoch_ended(value)
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """How far it has come."""
        return {"step": self.last_epoch, "schedule": self._schedule.state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.last_epoch = state_dict["step"]
        self._schedule.restore(state_dict["schedule"])
