"""Options of optimisers and learning-rate schedules. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.registry.marks import PerHead
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

    lr: Annotated[Positive, PerHead] = 1e-3
    weight_decay: Annotated[NonNegative, PerHead] = 0.01
    backbone_lr_scale: NonNegative = 1.0


class AdamWOptions(OptimiserOptions):
    """AdamW (Loshchilov & Hutter 2019): weight decay apart from the gradient.

    Attributes:
        beta1: Decay of the gradient's running mean.
        beta2: Decay of the gradient's running square.
    """

    beta1: Share = 0.9
    beta2: Share = 0.999


class AdamOptions(OptimiserOptions):
    """Adam (Kingma & Ba 2015): weight decay is part of the gradient, as in `torch.optim.Adam`.

    Attributes:
        beta1: Decay of the gradient's running mean.
        beta2: Decay of the gradient's running square.
    """

    weight_decay: Annotated[NonNegative, PerHead] = 0.0
    beta1: Share = 0.9
    beta2: Share = 0.999


class LionOptions(OptimiserOptions):
    """Lion (Chen et al. 2023): steps of one size, along the sign of the running gradient.

    Its learning rate is some ten times lower than AdamW's, its weight decay as much higher.

    Attributes:
        beta1: How much of the running gradient is in a step, beside the newest.
        beta2: Decay of the running gradient.
    """

    lr: Annotated[Positive, PerHead] = 1e-4
    weight_decay: Annotated[NonNegative, PerHead] = 0.1
    beta1: Share = 0.9
    beta2: Share = 0.99


class LambOptions(OptimiserOptions):
    """LAMB (You et al. 2020): Adam whose step in each parameter is as long as that is, times `lr`.

    For batches of thousands. Gradients are clipped by `trainer.gradient_clip` alone; parameters
    that are not decayed take Adam's steps.

    Attributes:
        beta1: Decay of the gradient's running mean.
        beta2: Decay of the gradient's running square.
    """

    beta1: Share = 0.9
    beta2: Share = 0.999


class MuonOptions(OptimiserOptions):
    """Muon (Jordan et al. 2024): momentum, made orthogonal, for matrices and filters.

    Biases, normalisation parameters and what is no proper matrix take AdamW's steps at the same
    rate: Muon's are scaled to AdamW's size (Liu et al. 2025), so that one learning rate suits both.

    Attributes:
        momentum: Decay of the running gradient.
        nesterov: Look ahead along the momentum.
        beta1: AdamW's decay of the gradient's running mean.
        beta2: AdamW's decay of the gradient's running square.
    """

    momentum: Share = 0.95
    nesterov: bool = True
    beta1: Share = 0.9
    beta2: Share = 0.95


class SgdOptions(OptimiserOptions):
    """Stochastic gradient descent.

    Attributes:
        momentum: Decay of the running gradient; 0 keeps none.
        nesterov: Look ahead along the momentum; has no effect without momentum.
    """

    lr: Annotated[Positive, PerHead] = 1e-2
    weight_decay: Annotated[NonNegative, PerHead] = 1e-4
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


class PolynomialOptions(ScheduleOptions):
    """A power of what remains of training, from the top to its end.

    Attributes:
        power: 1 falls in a straight line, above 1 early, below 1 late.
        floor: The learning rate at the end, as a share of its top.
    """

    power: Positive = 1.0
    floor: Share = 0.0


class CosineRestartsOptions(ScheduleOptions):
    """Half a cosine again and again (SGDR, Loshchilov & Hutter 2017).

    Attributes:
        period: Epochs (or parts of one) of the first half cosine.
        growth: How many times as long as the last one each further one is.
        decay: How many times as high.
        floor: The learning rate at the end of each, as a share of the first top.
    """

    period: Positive = 5.0
    growth: Annotated[float, Field(ge=1)] = 1.0
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    floor: Share = 0.0


class OneCycleOptions(Component):
    """One rise to the top and one fall to nearly nothing (Smith & Topin 2018).

    Attributes:
        rise: Share of all steps at whose end the top is reached.
        start: The first learning rate, as a share of its top.
        floor: The last one, as a share of its top.
        shape: Of the rise and the fall: half a cosine, or a straight line.
    """

    rise: Share = 0.3
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    floor: Share = 4e-6
    shape: Literal["cosine", "linear"] = "cosine"


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
