"""Satlas's Swin v2 as a backbone."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torchgeo.models
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.blocks import LAST, Blocks, Place, blocks_of
from iterate_core.models.backbones.torchgeo.cards import PUBLISHED
from iterate_core.models.backbones.torchgeo.loading import load
from iterate_core.models.backbones.torchgeo.options import PyramidOptions
from iterate_core.models.backbones.transformer.backbone import ready
from iterate_core.models.backbones.transformer.tokens import drop_rates
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled

_STAGES = 4
_FIRST_STRIDE = 4
_LAYER = re.compile(r"features\.(\d+)\.(?:(\d+)\.)?")


class SwinBackbone(Backbone):
    """torchvision's Swin v2: the maps of its four stages, or the normed mean of the last.

    Args:
        model: Without classifier.
        dense: Whether maps are wanted.
    """

    def __init__(self, model: nn.Module, dense: bool) -> None:
        stages: Any = model.features
        width: int = stages[0][0].out_channels
        channels = tuple(width * 2**stage for stage in range(_STAGES))
        strides = tuple(_FIRST_STRIDE * 2**stage for stage in range(_STAGES))
        super().__init__(Maps(channels, strides) if dense else Pooled(channels[-1]), strides[-1])
        self.model = model

    def blocks(self) -> Blocks:
        """See `Backbone.blocks`."""
        return blocks_of(self.model, _place)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor | list[Tensor]:  # noqa: ARG002
        """See `Backbone.forward`."""
        padded = self.pad(images)
        if isinstance(self.shape, Pooled):
            pooled: Tensor = self.model(padded)
            return pooled
        maps: list[Tensor] = []
        stages: Any = self.model.features
        for index, stage in enumerate(stages):
            padded = stage(padded)
            if index % 2:  # the even ones embed or merge patches
                maps.append(padded.permute(0, 3, 1, 2))
        return maps


def build(options: PyramidOptions, inputs: Inputs, meta: bool) -> SwinBackbone:
    """Build a Swin v2 as a backbone; see `Backbone`.

    Raises:
        RequestError: Weights or options do not fit the model.
    """
    published = PUBLISHED[options.name]
    channels = len(inputs.bands)
    fill = partial(
        load,
        first="features.0.0.weight",
        added=channels - len(published.modalities[0].bands),
        left_over=("head.",),
    )
    make = partial(_make, published.architecture.builder, channels, options.drop_path)
    model = ready(make, fill, options, published.card, meta=meta)
    if inputs.dense:
        model.set_submodule("norm", nn.Identity())  # norms the pooled vector alone
    return SwinBackbone(model, inputs.dense)


def _make(builder: str, channels: int, drop_path: float) -> nn.Module:
    model: nn.Module = getattr(torchgeo.models, builder)()
    first: Any = model.get_submodule("features.0.0")
    patches = nn.Conv2d(
        channels, first.out_channels, kernel_size=first.kernel_size, stride=first.stride
    )
    model.set_submodule("features.0.0", patches)
    model.set_submodule("head", nn.Identity())
    # torchvision builds them with the rates of ImageNet training, up to 0.5.
    drops = [module for module in model.modules() if isinstance(module, StochasticDepth)]
    for module, rate in zip(drops, drop_rates(drop_path, len(drops)), strict=True):
        module.p = rate
    return model


def _place(name: str) -> Place | None:
    """Of a block; patches are merged as a part of the block that follows."""
    if name.startswith("norm."):
        return LAST
    found = _LAYER.match(name)
    if found is None or found[1] == "0":
        return None
    stage = int(found[1])
    return (stage, int(found[2])) if stage % 2 else (stage + 1, 0)
