"""A backbone of your own: copy this file, change it, and name it in a recipe (in one line).

    iterate fit search_spaces/recipe.yaml model.backbone.weights=none
        model.backbone.name=docs/examples/own_backbone.py:Pyramid

A backbone is told what it is built for (`inputs`: bands, size, dates) and declares what it
delivers (`shape`). Everything else (decoders, freezing, feature caching, search) then works.
"""

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from iterate_core.models.backbones.base import Backbone, Context
from iterate_core.models.backbones.options import BackboneOptions
from iterate_core.models.inputs import Inputs
from iterate_core.models.shapes import Maps, Pooled


class PyramidOptions(BackboneOptions):
    """What the YAML may say; each field can be searched, as `model.backbone.width`."""

    width: Annotated[int, Field(gt=0)] = 32


class Pyramid(Backbone):
    """Four convolutions, each at half the resolution of the one before."""

    options = PyramidOptions
    # card = Card(...)  declares bands, units and normalisation: see docs/backbones.md

    def __init__(self, options: PyramidOptions, inputs: Inputs) -> None:
        widths = [options.width * 2**level for level in range(4)]
        strides = (4, 8, 16, 32)
        shape = Maps(tuple(widths), strides) if inputs.dense else Pooled(widths[-1])
        # Sides of the image are padded to multiples of the deepest stride.
        super().__init__(shape, multiple=strides[-1])
        channels = [len(inputs.bands), *widths]
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels[level], channels[level + 1], 3, 2 if level else 4, 1),
                nn.BatchNorm2d(channels[level + 1]),
                nn.ReLU(),
            )
            for level in range(4)
        )

    def forward(self, images: Tensor, context: Context | None = None) -> Any:
        """Feature maps from shallow to deep, or one vector an image."""
        maps = []
        images = self.pad(images)
        for level in self.levels:
            images = level(images)
            maps.append(images)
        return images.mean((-2, -1)) if isinstance(self.shape, Pooled) else maps
