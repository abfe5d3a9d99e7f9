"""Options of optimisers and learning-rate schedules. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iterate_core.registry.options import Component

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class OptimiserOptions(Component):
    """What every optimiser takes.

    Attributes:
        lr: Learning rate at the top of the schedule.
        weight_decay: Not applied to biases and normalisation parameters, as is usual.
        backbone_lr_scale: The backbone's learning rate as a multiple of `lr`; below 1 it keeps
            more of what it learnt before, 0 leaves only its normalisation statistics moving.
    """

    lr: Positive = 1e-3
    weight_decay: NonNegative = 0.01
    backbone_lr_scale: NonNegative = 1.0


class AdamWOptions(OptimiserOptions):
    """AdamW (Loshchilov & Hutter 2019): weight decay apart from the gradient.

    Attributes:
        beta1: Decay of the gradient's running mean.
        beta2: Decay of the gradient's running square.
    """

    beta1: Share = 0.9
    beta2: Share = 0.999


class SgdOptions(OptimiserOptions):
    """Stochastic gradient descent.

    Attributes:
        momentum: Decay of the running gradient; 0 keeps none.
        nesterov: Look ahead along the momentum; has no effect without momentum.
    """

    lr: Positive = 1e-2
    weight_decay: NonNegative = 1e-4
    momentum: Share = 0.9
    nesterov: bool = True


class ScheduleOptions(Component):
    """What every schedule takes.

    Attributes:
        warmup_epochs: Epochs (or parts of one) over which the learning rate rises linearly, step
            by step, from nearly 0 to its top.
    """

    warmup_epochs: NonNegative = 1.0


class ConstantOptions(ScheduleOptions):
    """The learning rate stays at its top."""


class CosineOptions(ScheduleOptions):
    """Half a cosine from the top to the end of training (Loshchilov & Hutter 2017).

    Attributes:
        floor: The learning rate at the end, as a share of its top.
    """

    floor: Share = 0.0


class PlateauOptions(ScheduleOptions):
    """Lower the learning rate whenever the objective stops improving.

    Attributes:
        factor: What it is multiplied by.
        patience: Epochs without a better objective that are waited for.
        floor: The lowest it may become, as a share of its top.
    """

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 3
    floor: Share = 0.001
