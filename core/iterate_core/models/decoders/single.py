"""Decoders of one of a backbone's feature maps."""

from __future__ import annotations

from itertools import pairwise
from math import log2

from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from iterate_core.errors import Problem, RequestError
from iterate_core.models.decoders.levels import level_of, standardise_maps
from iterate_core.models.decoders.options import (
    BilinearConvOptions,
    FcnOptions,
    IdentityOptions,
    LinearOptions,
    MlpOptions,
)
from iterate_core.models.shapes import Maps, Shape

_FINEST = 4
"""Stride at which a map is no longer enlarged."""


class LinearMaps(nn.Module):
    """A 1×1 convolution on one feature map: a linear classifier of each cell.

    Args:
        options: Its options.
        shape: The maps that come in.
        classes: Number of classes.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """

    def __init__(self, options: LinearOptions, shape: Maps, classes: int) -> None:
        super().__init__()
        self.level = level_of(options.level, shape)
        width = shape.channels[self.level]
        self.standardise = standardise_maps(options.normalise, width)
        self.dropout = nn.Dropout2d(options.dropout)
        self.output = nn.Conv2d(width, classes, 1)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits at the map's resolution."""
        del size
        logits: Tensor = self.output(self.dropout(self.standardise(maps[self.level])))
        return logits


class OneMap(nn.Module):
    """Layers over one map, which turn it into logits at some resolution.

    Args:
        level: Index of the map.
        layers: From its channels to the classes.
    """

    def __init__(self, level: int, layers: nn.Module) -> None:
        super().__init__()
        self.level = level
        self.layers = layers

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Logits at the resolution that the layers give."""
        del size
        logits: Tensor = self.layers(maps[self.level])
        return logits


def build_mlp_maps(options: MlpOptions, shape: Maps, classes: int) -> OneMap:
    """The same perceptron on each cell of a map, as 1×1 convolutions.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """
    level = level_of(options.level, shape)
    width = shape.channels[level]
    layers: list[nn.Module] = [standardise_maps(options.normalise, width)]
    for _ in range(options.layers):
        layers += [nn.Conv2d(width, options.hidden, 1), nn.GELU(), nn.Dropout(options.dropout)]
        width = options.hidden
    return OneMap(level, nn.Sequential(*layers, nn.Conv2d(width, classes, 1)))


def build_fcn(options: FcnOptions, shape: Maps, classes: int) -> OneMap:
    """3×3 convolutions and a classifier of each cell: torchvision's head where there is one.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """
    level = level_of(options.level, shape)
    widths = [shape.channels[level], *[options.channels] * options.layers]
    convolutions = [Conv2dNormActivation(given, wanted) for given, wanted in pairwise(widths)]
    output = nn.Conv2d(options.channels, classes, 1)
    return OneMap(level, nn.Sequential(*convolutions, nn.Dropout(options.dropout), output))


def build_bilinear_conv(options: BilinearConvOptions, shape: Maps, classes: int) -> OneMap:
    """A map enlarged twofold and convolved in turns, as long as its stride stays 4 or more.

    Raises:
        RequestError: The backbone has no map of the stride asked for.
    """
    level = level_of(options.level, shape)
    layers: list[nn.Module] = [Conv2dNormActivation(shape.channels[level], options.channels)]
    for _ in range(int(log2(max(shape.strides[level] / _FINEST, 1)))):
        layers += [
            nn.Upsample(scale_factor=2, mode="bilinear"),
            Conv2dNormActivation(options.channels, options.channels),
        ]
    layers += [nn.Dropout2d(options.dropout), nn.Conv2d(options.channels, classes, 1)]
    return OneMap(level, nn.Sequential(*layers))


def build_identity(options: IdentityOptions, shape: Shape, classes: int) -> nn.Module:
    """The backbone's own vector or map, which must have a channel for each class.

    Raises:
        RequestError: It has not, or the backbone has no map of the stride asked for.
    """
    if isinstance(shape, Maps):
        level = level_of(options.level, shape)
        _refuse_others(options.name, shape.channels[level], classes)
        return OneMap(level, nn.Identity())
    _refuse_others(options.name, shape.width, classes)
    return nn.Identity()


def _refuse_others(name: str, width: int, classes: int) -> None:
    """Refuse features that cannot be predictions."""
    if width != classes:
        what = f"{name} adds nothing to a backbone that predicts by itself: {classes} channels are"
        hint = "Choose linear."
        raise RequestError(
            Problem("model.decoder.name", f"{what} needed, and this one gives {width}.", hint)
        )
