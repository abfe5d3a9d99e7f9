"""Decoders of one vector an image, or of each cell of a map alike."""

from __future__ import annotations

from torch import nn

from iterate_core.models.decoders.options import LinearOptions, MlpOptions, Normalise
from iterate_core.models.decoders.single import LinearMaps, build_mlp_maps
from iterate_core.models.shapes import Maps, Shape


def build_linear(options: LinearOptions, shape: Shape, classes: int) -> nn.Module:
    """A linear classifier of vectors, or of each cell of a feature map."""
    if isinstance(shape, Maps):
        return LinearMaps(options, shape, classes)
    return nn.Sequential(
        standardise(options.normalise, shape.width),
        nn.Dropout(options.dropout),
        _output(shape.width, classes),
    )


def build_mlp(options: MlpOptions, shape: Shape, classes: int) -> nn.Module:
    """A multi-layer perceptron on vectors, or on each cell of a feature map."""
    if isinstance(shape, Maps):
        return build_mlp_maps(options, shape, classes)
    width = shape.width
    layers: list[nn.Module] = [standardise(options.normalise, width)]
    for _ in range(options.layers):
        layers += [nn.Linear(width, options.hidden), nn.GELU(), nn.Dropout(options.dropout)]
        width = options.hidden
    return nn.Sequential(*layers, _output(width, classes))


def standardise(how: Normalise, width: int) -> nn.Module:
    """Features of mean 0 and variance 1, without parameters of its own."""
    if how == "batch":
        return nn.BatchNorm1d(width, affine=False)
    if how == "layer":
        return nn.LayerNorm(width, elementwise_affine=False)
    return nn.Identity()


def _output(width: int, classes: int) -> nn.Linear:
    """Starts by predicting every class alike, whatever the features' number."""
    layer = nn.Linear(width, classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
