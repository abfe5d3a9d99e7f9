"""Ways to fine-tune, and the smallest backbone that one can be tried on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from iterate_core.models.assembly import Model
from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.shapes import Pooled
from iterate_core.models.tuning.base import Tuning
from iterate_core.registry import registries
from iterate_core.registry.parsing import parse

FROZEN = {"name": "frozen"}


def tuned(name: str, **options: Any) -> Tuning:
    """A way to fine-tune by its name."""
    entry = registries.tunings.get(name)
    made: Tuning = entry.load()(parse(entry.load_options(), {"name": name, **options}))
    return made


class Small(Backbone):
    """A linear layer, then a normalisation."""

    def __init__(self) -> None:
        super().__init__(Pooled(2), 1)
        self.linear = nn.Linear(2, 2)
        self.norm = nn.BatchNorm1d(2)

    def forward(self, images: Tensor, context: Context | None = None) -> Tensor:
        normalised: Tensor = self.norm(self.linear(images))
        return normalised


def small(name: str, **options: Any) -> Model:
    """A small backbone, tuned so, with a linear layer as its decoder."""
    torch.manual_seed(0)
    backbone, decoder = Small(), nn.Linear(2, 2)
    return Model(backbone, decoder, 1, tuned(name, **options))
