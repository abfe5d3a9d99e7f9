"""A backbone, a neck, a decoder, and a way to fine-tune."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from counting import Gains, Gated, Patches
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.inputs import Inputs
from iterate_core.models.necks.base import Neck
from iterate_core.models.shapes import Maps
from iterate_core.models.tuning.base import Tuning


class PatchesBackbone(Backbone):
    """The answers of each filter in an image, at one stride."""

    def __init__(self, options: Patches, inputs: Inputs) -> None:
        super().__init__(Maps((options.width,), (4,)), 4)
        self.filters = nn.Conv2d(len(inputs.bands), options.width, 4, 4)
        self.norm = nn.BatchNorm2d(options.width)

    def forward(self, images: Tensor, context: Context | None = None) -> list[Tensor]:
        del context
        return [self.norm(self.filters(self.pad(images)))]


build_patches = PatchesBackbone.build


class GainsNeck(Neck):
    """Learns how much each channel counts."""

    def __init__(self, options: Gains, shape: Maps) -> None:
        super().__init__(shape)
        self.gains = nn.Parameter(torch.full((shape.channels[0], 1, 1), options.first))

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        del size
        return [each * self.gains for each in maps]


class GatedDecoder(nn.Module):
    """One map (n, width, rows, columns) → (n, outputs)."""

    def __init__(self, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, 2 * hidden), nn.GLU())
        self.last = nn.Linear(hidden, outputs)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        del size
        outputs: Tensor = self.last(self.gate(maps[0].amax((-2, -1))))
        return outputs


def build_gated(options: Gated, shape: Maps, classes: int) -> nn.Module:
    return GatedDecoder(shape.channels[0], options.hidden, classes)


class NormsTuning(Tuning):
    """Batch normalisation trains; filters stay."""

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        return [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
