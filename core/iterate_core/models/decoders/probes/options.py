"""Options of the probes: decoders that ask what a frozen backbone's features hold.

Imports no torch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iterate_core.models.decoders.options import Dropout, Normalise
from iterate_core.registry.options import Component

Positive = Annotated[int, Field(gt=0)]


class KnnOptions(Component):
    """The classes of the nearest training samples.

    Attributes:
        k: How many of them.
        distance: ``cosine`` (1 − cosine of the angle) or ``euclidean``.
        weights: ``uniform`` gives each neighbour one vote, ``distance`` one over its distance;
            neighbours at distance 0, if there are any, then vote alone.
    """

    k: Positive = 5
    distance: Literal["cosine", "euclidean"] = "cosine"
    weights: Literal["uniform", "distance"] = "uniform"


class LogisticOptions(Component):
    """Logistic regression with an L2 penalty, fitted to its optimum by L-BFGS.

    Attributes:
        C: Inverse strength of the penalty, as in scikit-learn: Σ loss + ‖W‖² / (2 C) is least,
            with the intercepts free.
        standardise: Bring each feature to mean 0 and standard deviation 1 over the training split
            first, so that the penalty meets all features alike.
        max_iterations: Of L-BFGS.
        tolerance: L-BFGS stops where no component of the mean loss's gradient exceeds it.
        merge_val: Once validated, fit again to the training and validation splits together; that
            is what is tested.
    """

    C: Annotated[float, Field(gt=0)] = 1.0
    standardise: bool = True
    max_iterations: Positive = 1000
    tolerance: Annotated[float, Field(gt=0)] = 1e-4
    merge_val: bool = False


class AttentivePoolOptions(Component):
    """Attention over the cells of one feature map, then one linear layer.

    Attributes:
        queries: How many learned queries pool the map, each in its own way.
        dropout: Share of pooled features dropped in training.
        normalise: How the map is standardised first; as for ``linear``.
        level: The stride of the map; None takes the deepest.
    """

    queries: Positive = 1
    dropout: Dropout = 0.0
    normalise: Normalise = "batch"
    level: Positive | None = None


class AttentiveMapsOptions(Component):
    """Attention over the depths of the feature maps beneath each cell, then one linear layer.

    Attributes:
        width: Channels in which the maps are brought together.
        dropout: Share of channels dropped in training before the linear layer.
        normalise: How each map is standardised first; as for ``linear``.
        level: The stride of the predictions, and of the finest map that takes part; None takes 4
            or the next that there is.
    """

    width: Positive = 128
    dropout: Dropout = 0.0
    normalise: Normalise = "batch"
    level: Positive | None = None
