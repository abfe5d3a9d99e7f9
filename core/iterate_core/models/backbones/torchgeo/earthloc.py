"""EarthLoc as a backbone: ResNet-50 without its last stage, and a descriptor of the image."""

from __future__ import annotations

from functools import partial
from typing import Any

import torchgeo.models
from torch import Tensor, nn

from iterate_core.errors import Problem, RequestError
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import EarthLocOptions
from iterate_core.models.backbones.torchgeo.resnet import ResNetBackbone
from iterate_core.models.backbones.transformer.backbone import ready
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Pooled

_STAGES = 4
"""Its stem and three of ResNet's four stages."""


class EarthLocBackbone(Backbone):
    """EarthLoc's descriptor of an image, of length 1.

    Args:
        model: Made for the size of the images.
    """

    def __init__(self, model: nn.Module) -> None:
        width: Any = model.desc_dim
        super().__init__(Pooled(width), 1)
        self.model = model

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor:  # noqa: ARG002
        """See `Backbone.forward`."""
        descriptor: Tensor = self.model(images)
        return descriptor


def build(options: EarthLocOptions, inputs: Inputs, meta: bool) -> Backbone:
    """Build EarthLoc as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model, or its vector is wanted of images of
            another size than its weights were trained with.
    """
    published = PUBLISHED[options.name]
    native = published.architecture.size
    height, width = inputs.size
    if not inputs.dense and (height != width or (options.pretrained and height != native)):
        what = f"EarthLoc's vector is made for images of {native}×{native} pixels, not "
        what = f"{what}{height}×{width}."
        raise RequestError(Problem("data.image_size", what, f"Set it to {native}."))
    channels = len(inputs.bands)
    make = partial(
        torchgeo.models.EarthLoc,
        in_channels=channels,
        image_size=native if inputs.dense else height,
        pretrained=False,
    )
    added = channels - len(published.modalities[0].bands)
    fill = partial(load, first="backbone.conv1.weight", added=added)
    model = ready(make, fill, options, published.card, meta=meta)
    if inputs.dense:
        return ResNetBackbone(model.backbone, dense=True, stages=_STAGES)
    return EarthLocBackbone(model)
