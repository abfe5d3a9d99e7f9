"""Options of adapters. Imports neither torch nor peft."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from iterate_core.models.tuning.options import TuningOptions

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
