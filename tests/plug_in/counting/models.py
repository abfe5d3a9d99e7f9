"""A decoder, and a way to fine-tune."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from counting import Gated
from iterate_core.models.backbones.base import Backbone
from iterate_core.models.shapes import Pooled
from iterate_core.models.tuning.base import Tuning


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
