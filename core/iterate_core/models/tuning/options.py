"""Options of the ways to fine-tune. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from iterate_core.registry.options import Component


class TuningOptions(Component):
    """What every way to fine-tune declares.

    Attributes:
        constant: Whether the backbone stays as it was loaded, so that an image has the same
            features in every epoch and trial: they are computed once and kept, trials share the
            backbone, and decoders can be fitted to them.
        whole: Whether all of it trains, by the recipe's own learning rate.
        additive: Whether its parameters stay as they were loaded, and what trains is put between
            its modules: trials then share the parameters, each with modules of its own.
        library: What must be importable beside iterate, and the extra of iterate that brings it;
            None where nothing must.
    """

    constant: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    additive: ClassVar[bool] = False
    library: ClassVar[tuple[str, str] | None] = None


class FullOptions(TuningOptions):
    """All of the backbone trains."""

    whole: ClassVar[bool] = True


class FrozenOptions(TuningOptions):
    """The decoder alone trains; the backbone stays as it is."""

    constant: ClassVar[bool] = True


class LastKOptions(TuningOptions):
    """The last blocks of the backbone train, and the decoder.

    Attributes:
        k: How many of them: of a vision transformer's blocks, or of a convolutional network's
            residual ones. What follows the last, such as a norm, trains too.
    """

    k: Annotated[int, Field(gt=0)] = 2


class LayerwiseOptions(TuningOptions):
    """All of the backbone trains, each block at a lower rate than the one behind it.

    Attributes:
        decay: A block's learning rate as a share of the next one's; the last has the backbone's
            usual rate, and what comes before the first counts as one more block.
    """

    decay: Annotated[float, Field(gt=0, le=1)] = 0.75


class GradualOptions(TuningOptions):
    """The decoder trains alone at first, then all of the model at a lower rate.

    Attributes:
        share: Of `trainer.epochs`, during which the backbone is frozen; one epoch at least, and
            never the last.
        rate: Afterwards, the learning rate of the whole model as a share of the schedule's.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    rate: Annotated[float, Field(gt=0, le=1)] = 0.1


class BitFitOptions(TuningOptions):
    """The biases of the backbone train, and the decoder."""


class VisualPromptOptions(TuningOptions):
    """Further tokens of a plain vision transformer train, and the decoder.

    Attributes:
        prompts: How many tokens.
        deep: New ones before each block, not the same through all.
        dropout: Share of their numbers that is dropped in training.
    """

    additive: ClassVar[bool] = True

    prompts: Annotated[int, Field(gt=0)] = 10
    deep: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
