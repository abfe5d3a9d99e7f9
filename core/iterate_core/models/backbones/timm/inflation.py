"""The first convolution of an RGB backbone, refitted to other bands by what they measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from iterate_core.data.dataset import Band
from iterate_core.errors import Problem, RequestError

RGB = ("red", "green", "blue")


def inflate(model: nn.Module, layers: Iterable[str], bands: Sequence[Band]) -> None:
    """Replace the weights of the named input convolutions, made for RGB, by ones for `bands`.

    Raises:
        RequestError: A layer is not a two-dimensional convolution of three channels.
    """
    for layer in layers:
        convolution = model.get_submodule(layer)
        if not isinstance(convolution, nn.Conv2d) or convolution.in_channels != len(RGB):
            what = f"its input layer {layer!r} cannot be refitted to {len(bands)} bands."
            hint = "Give it red, green and blue, or choose weights: none."
            raise RequestError(Problem("model.backbone.name", what, hint))
        weight = inflated(convolution.weight.detach(), bands)
        convolution.weight = nn.Parameter(weight)
        convolution.in_channels = len(bands)


def inflated(weight: Tensor, bands: Sequence[Band]) -> Tensor:
    """Filters (out, 3, h, w) for red, green, blue as filters (out, bands, h, w).

    A red, green or blue band takes that filter, any other the mean of the three; all are scaled
    by 3 / bands, which keeps the size of the response.
    """
    mean = weight.mean(dim=1)
    filters = [weight[:, RGB.index(band.common)] if band.common in RGB else mean for band in bands]
    return torch.stack(filters, dim=1) * (len(RGB) / len(bands))
