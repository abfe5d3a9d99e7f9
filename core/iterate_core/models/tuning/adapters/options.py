"""Options of adapters. Imports neither torch nor peft."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from iterate_core.models.tuning.options import TuningOptions
from iterate_core.registry.options import FieldError

Rank = Annotated[int, Field(gt=0)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class AdapterOptions(TuningOptions):
    """What is added to the linear layers of the backbone's blocks trains, and the decoder.

    Attributes:
        targets: Which of them: those of the ``attention``, of the ``mlp``, or ``all``.
    """

    additive: ClassVar[bool] = True
    library: ClassVar[tuple[str, str] | None] = ("peft", "adapters")

    targets: Literal["all", "attention", "mlp"] = "all"


class LoraOptions(AdapterOptions):
    """A product of two thin matrices is added to each weight.

    Attributes:
        rank: Width of the thin matrices.
        alpha: What is added is multiplied by alpha / rank.
        dropout: Share of what enters the thin matrices that is dropped in training.
    """

    rank: Rank = 8
    alpha: Annotated[float, Field(gt=0)] = 16.0
    dropout: Dropout = 0.0


class DoraOptions(LoraOptions):
    """As ``lora``, for a weight's direction; its lengths, one of each output, train too."""


class AdaLoraOptions(AdapterOptions):
    """As ``lora``, with ranks that training takes from where they matter least.

    Attributes:
        init_rank: Of each weight at first.
        target_rank: Of a weight in the end, the mean over all; each comes to one of its own.
        init_share: Of the training's steps, the first ones, in which no rank is taken.
        final_share: Of the steps, the last ones, in which no more are.
        interval: From one time of taking to the next, as a share of the steps; one at least.
        alpha: What is added is multiplied by alpha / init_rank.
        dropout: Share of what enters the thin matrices that is dropped in training.
        beta1: Decay of the running average of importances, step by step.
        beta2: The same of how much these vary.
        orth_reg_weight: How much it adds to the loss that singular vectors are not orthonormal.
    """

    init_rank: Rank = 12
    target_rank: Rank = 8
    init_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    final_share: Annotated[float, Field(ge=0, lt=1)] = 0.3
    interval: Annotated[float, Field(ge=0, lt=1)] = 0.01
    alpha: Annotated[float, Field(gt=0)] = 16.0
    dropout: Dropout = 0.0
    beta1: Annotated[float, Field(gt=0, lt=1)] = 0.85
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.85
    orth_reg_weight: Annotated[float, Field(ge=0)] = 0.5

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.target_rank >= self.init_rank:
            raise FieldError("target_rank", f"is not below init_rank, {self.init_rank}")
        if self.init_share + self.final_share >= 1:
            raise FieldError("final_share", "leaves no steps after those of init_share")
        return self


class Ia3Options(AdapterOptions):
    """Factors of keys, values and hidden units train, one each.

    ``attention`` scales what queries, keys and values are made into (of layers that make keys or
    values alone: these), ``mlp`` the hidden units.
    """


class VeraOptions(AdapterOptions):
    """As ``lora``, with random thin matrices that all layers share; factors of these train.

    Attributes:
        rank: Width of the thin matrices.
        dropout: Share of what enters them that is dropped in training.
    """

    rank: Rank = 256
    dropout: Dropout = 0.0
