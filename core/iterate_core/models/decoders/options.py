"""Options of decoders without a library. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.registry.marks import PerHead
from iterate_core.registry.options import Component

Dropout = Annotated[float, Field(ge=0, lt=1)]
Normalise = Literal["batch", "layer", "none"]
Level = Annotated[int, Field(gt=0)] | None
"""The stride of the map that is read, where maps are; None takes the deepest."""


class LinearOptions(Component):
    """One linear layer: on the pooled vector, or on every cell of a feature map.

    Attributes:
        dropout: Share of features dropped in training.
        normalise: How features are standardised first: ``batch`` (each feature over the batch in
            training, over the training split in evaluation, without parameters), ``layer`` (each
            sample over its features) or ``none``. Without it one learning rate does not suit
            features of different scale.
        level: Segmentation: the stride of the feature map; None takes the deepest. Smaller
            strides are sharper and see less context.
    """

    dropout: Annotated[Dropout, PerHead] = 0.0
    normalise: Normalise = "batch"
    level: Level = None


class MlpOptions(Component):
    """Hidden layers with GELU, then one linear layer: on the vector, or on every cell of a map.

    Attributes:
        hidden: Width of each hidden layer.
        layers: Number of hidden layers.
        dropout: Share of units dropped after each hidden layer in training.
        normalise: As for ``linear``.
        level: As for ``linear``.
    """

    hidden: Annotated[int, Field(gt=0)] = 256
    layers: Annotated[int, Field(gt=0, le=8)] = 1
    dropout: Annotated[Dropout, PerHead] = 0.1
    normalise: Normalise = "batch"
    level: Level = None


class IdentityOptions(Component):
    """Nothing: the backbone's own vector or map are the predictions.

    Attributes:
        level: As for ``linear``.
    """

    level: Level = None


class FcnOptions(Component):
    """3×3 convolutions on one map, then a linear classifier of each cell (Long et al. 2015).

    Attributes:
        channels: Width of the convolutions.
        layers: Number of convolutions.
        dropout: Share of values dropped before the classifier in training.
        level: As for ``linear``.
    """

    channels: Annotated[int, Field(gt=0)] = 256
    layers: Annotated[int, Field(gt=0, le=8)] = 2
    dropout: Dropout = 0.1
    level: Level = None


class BilinearConvOptions(Component):
    """One map, enlarged bilinearly and convolved in turns up to stride 4 (Zheng et al. 2021).

    Attributes:
        channels: Width of the convolutions.
        dropout: Share of channels dropped before the classifier in training.
        level: As for ``linear``: the map that it starts from.
    """

    channels: Annotated[int, Field(gt=0)] = 256
    dropout: Dropout = 0.1
    level: Level = None
