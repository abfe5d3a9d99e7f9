"""ResNets of TorchGeo as backbones."""

from __future__ import annotations

from functools import partial
from typing import Any

import torchgeo.models
from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import Blocks, timm_blocks
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import PyramidOptions
from iterate_core.models.backbones.transformer.backbone import ready
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled


class ResNetBackbone(Backbone):
    """A timm ResNet: maps of strides 2 to 32, or the mean of the last.

    Args:
        model: Without classifier.
        dense: Whether maps are wanted.
        stages: How many of its stages, the stem included.
    """

    def __init__(self, model: nn.Module, dense: bool, stages: int = 5) -> None:
        table: Any = model.feature_info
        found = table[:stages]
        strides = tuple(entry["reduction"] for entry in found)
        channels = tuple(entry["num_chs"] for entry in found)
        shape = Maps(channels, strides) if dense else Pooled(channels[-1])
        super().__init__(shape, strides[-1] if dense else 1)
        self.model = model
        self.stages = list(range(stages))

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return timm_blocks(self.model)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:  # noqa: ARG002
        """See `Backbone.forward`."""
        if isinstance(self.shape, Pooled):
            pooled: Tensor = self.model(images)
            return pooled
        gives: Any = self.model.forward_intermediates
        maps: list[Tensor] = gives(
            self.pad(images), indices=self.stages, stop_early=True, intermediates_only=True
        )
        return maps


def build(options: PyramidOptions, inputs: Inputs, meta: bool) -> ResNetBackbone:
    """Build a ResNet as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    published = PUBLISHED[options.name]
    channels = len(inputs.bands)
    build_one = getattr(torchgeo.models, published.architecture.builder)
    make = partial(build_one, in_chans=channels, num_classes=0, drop_path_rate=options.drop_path)
    fill = partial(
        load,
        first="conv1.weight",
        added=channels - len(published.modalities[0].bands),
        left_over=("fc.",),
    )
    return ResNetBackbone(ready(make, fill, options, published.card, meta=meta), inputs.dense)
