"""Schedules that depend on the step alone."""

from __future__ import annotations

import math

from iterate_core.objective import Objective
from iterate_core.optimisation.options import (
    ConstantOptions,
    CosineOptions,
    CosineRestartsOptions,
    OneCycleOptions,
    PolynomialOptions,
)
from iterate_core.optimisation.schedules import ClosedForm, Schedule, warmup, warmup_steps


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


def build_polynomial(
    options: PolynomialOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Warm-up over w steps, then floor + (1 − floor) (1 − (step − w) / (total − w)) ** power.

    Without warm-up and floor it is `torch.optim.lr_scheduler.PolynomialLR`.
    """
    del objective
    rising = warmup_steps(options, steps_per_epoch)
    falling = max(1, steps_per_epoch * epochs - rising)

    def factor(step: int) -> float:
        if step < rising:
            return warmup(step, rising)
        remaining = 1.0 - min(1.0, (step - rising) / falling)
        return float(options.floor + (1 - options.floor) * remaining**options.power)

    return ClosedForm(factor)


def build_cosine_restarts(
    options: CosineRestartsOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Warm-up, then half cosines from ``decay**i`` down to the floor, each ``growth`` times longer.

    Without warm-up and decay it is `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`, with
    them `timm.scheduler.CosineLRScheduler`.
    """
    del objective, epochs
    rising = warmup_steps(options, steps_per_epoch)
    period = max(1, round(options.period * steps_per_epoch))

    def factor(step: int) -> float:
        if step < rising:
            return warmup(step, rising)
        passed, length, top = float(step - rising), float(period), 1.0
        while passed >= length:
            passed, length, top = passed - length, length * options.growth, top * options.decay
        height = max(0.0, top - options.floor)
        return options.floor + height * (1 + math.cos(math.pi * passed / length)) / 2

    return ClosedForm(factor)


def build_one_cycle(
    options: OneCycleOptions, objective: Objective, steps_per_epoch: int, epochs: int
) -> Schedule:
    """From ``start`` to 1 and on to the floor, as `torch.optim.lr_scheduler.OneCycleLR`.

    Momentum stays as it is (``cycle_momentum=False``).
    """
    del objective
    last = steps_per_epoch * epochs - 1
    peak = options.rise * (last + 1) - 1

    def factor(step: int) -> float:
        if step <= peak:
            return _between(options.start, 1.0, step / peak if peak else 1.0, options.shape)
        share = min(1.0, (step - peak) / (last - peak))
        return _between(1.0, options.floor, share, options.shape)

    return ClosedForm(factor)


def _between(first: float, last: float, share: float, shape: str) -> float:
    """A value on the way from one to another, in a straight line or along half a cosine."""
    if shape == "linear":
        return first + (last - first) * share
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
