"""Optimisers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from iterate_core.objective import Objective
from iterate_core.optimisation.options import (
    AdamWOptions,
    ConstantOptions,
    CosineOptions,
    OptimiserOptions,
    PlateauOptions,
    ScheduleOptions,
    SgdOptions,
)

Groups = list[dict[str, Any]]


def parameter_groups(model: nn.Module, options: OptimiserOptions) -> Groups:
    """Trainable parameters by learning rate and weight decay; the decoder's come first.

    Parameters of fewer than two dimensions (biases, the scales and shifts of normalisation) are
    not decayed. Each group carries ``top``, its learning rate at the top of the schedule.
    """
    groups: Groups = []
    named = [pair for pair in model.named_parameters() if pair[1].requires_grad]
    for part, scale in (("decoder", 1.0), ("backbone", options.backbone_lr_scale)):
        own = [
            value for name, value in named if name.startswith("backbone.") == (part != "decoder")
        ]
        top = options.lr * scale
        for decayed in (True, False):
            chosen = [value for value in own if (value.ndim > 1) == decayed]
            decay = options.weight_decay if decayed else 0.0
            if chosen:
                groups.append({"params": chosen, "lr": top, "top": top, "weight_decay": decay})
    return groups


def build_adamw(options: AdamWOptions, groups: Groups, fused: bool) -> Optimizer:
    """AdamW over parameter groups."""
    betas = (options.beta1, options.beta2)
    return AdamW(groups, lr=options.lr, betas=betas, fused=fused)


def build_sgd(options: SgdOptions, groups: Groups, fused: bool) -> Optimizer:
    """SGD over parameter groups."""
    nesterov = options.nesterov and options.momentum > 0
    return SGD(groups, lr=options.lr, momentum=options.momentum, nesterov=nesterov, fused=fused)


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


def build_constant(
    options: ConstantOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Warm-up, then 1."""
    del objective, epochs
    rising = warmup_steps(options, steps_per_epoch)
    return ClosedForm(lambda step: warmup(step, rising))


def build_cosine(
    options: CosineOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Warm-up over w steps, then floor + (1 − floor) (1 + cos(π (step − w) / (total − w))) / 2."""
    del objective
    rising = warmup_steps(options, steps_per_epoch)
    falling = max(1, steps_per_epoch * epochs - rising)

    def factor(step: int) -> float:
        if step < rising:
            return warmup(step, rising)
        half = (1 + math.cos(math.pi * min(1.0, (step - rising) / falling))) / 2
        return options.floor + (1 - options.floor) * half

    return ClosedForm(factor)


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


def set_learning_rate(groups: Iterable[dict[str, Any]], factor: float) -> None:
    """Give each group its top learning rate times `factor`."""
    for group in groups:
        rate = group["top"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
