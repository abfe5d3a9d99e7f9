"""A backbone, a decoder, and a way to fine-tune."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from counting import Gated, Patches
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Pooled
from iterate_core.models.tuning.base import Tuning


class PatchesBackbone(Backbone):
    """The largest answer of each filter in an image."""

    def __init__(self, options: Patches, inputs: Inputs) -> None:
        super().__init__(Pooled(options.width), 4)
        self.filters = nn.Conv2d(len(inputs.bands), options.width, 4, 4)
        self.norm = nn.BatchNorm2d(options.width)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor:
        del context
        return self.norm(self.filters(self.pad(images))).amax((-2, -1))


build_patches = PatchesBackbone.build


class GatedDecoder(nn.Module):
    """(n, width) → (n, outputs)."""

    def __init__(self, width: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, 2 * hidden), nn.GLU())
        self.last = nn.Linear(hidden, outputs)

    def forward(self, features: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.gate(features))
        return outputs


def build_gated(options: Gated, shape: Pooled, classes: int) -> nn.Module:
    return GatedDecoder(shape.width, options.hidden, classes)


class NormsTuning(Tuning):
    """Batch normalisation trains; filters stay."""

    def parts(self, backbone: Backbone) -> Sequence[nn.Module]:
        return [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
