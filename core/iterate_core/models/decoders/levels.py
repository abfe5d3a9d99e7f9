"""Choosing one of a backbone's feature maps, and bringing it to a common scale."""

from __future__ import annotations

from torch import nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.decoders.options import Normalise
from iterate_core.models.shapes import Maps


def level_of(stride: int | None, shape: Maps) -> int:
    """Index of the deepest map of a stride; None takes the deepest of all.

    Raises:
        RequestError: The backbone has no map of that stride.
    """
    if stride is None:
        return len(shape.strides) - 1
    if stride not in shape.strides:
        legal = ", ".join(str(found) for found in sorted(set(shape.strides)))
        what = f"the backbone has no feature map of stride {stride}."
        raise RequestError(Problem("model.decoder.level", what, f"Strides: {legal}."))
    return len(shape.strides) - 1 - shape.strides[::-1].index(stride)


def standardise_maps(how: Normalise, width: int) -> nn.Module:
    """Channels of mean 0 and variance 1, without parameters of its own."""
    if how == "batch":
        return nn.BatchNorm2d(width, affine=False)
    if how == "layer":
        return nn.GroupNorm(1, width, affine=False)
    return nn.Identity()
