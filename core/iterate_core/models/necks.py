"""From a plain vision transformer's maps of one resolution to a pyramid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.shapes import Maps

STRIDES = (4, 8, 16, 32)
MAX_WIDTH = 256


def pyramid_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes of maps at strides 2, 4, 8, 16 and 32, each exactly twice the next."""
    height, width = (-(-side // 32) for side in size)
    return [(height * scale, width * scale) for scale in (16, 8, 4, 2, 1)]


class PyramidNeck(nn.Module):
    """Projects each map by a 1×1 convolution, normalises it and resizes it bilinearly.

    The maps of four depths become the strides 4, 8, 16 and 32, the shallowest the finest: a
    simple feature pyramid (Li et al., "Exploring Plain Vision Transformer Backbones for Object
    Detection", 2022) on several depths.

    Args:
        shape: The maps that come in.
    """

    def __init__(self, shape: Maps) -> None:
        super().__init__()
        count = len(shape.channels)
        self.sources = [index * count // len(STRIDES) for index in range(len(STRIDES))]
        width = min(MAX_WIDTH, 32 * max(1, max(shape.channels) // 32))
        self.projections = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(shape.channels[source], width, 1), nn.GroupNorm(32, width), nn.GELU()
            )
            for source in self.sources
        )
        self.shape = Maps((width,) * len(STRIDES), STRIDES)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """A pyramid for an image of the padded `size`."""
        targets = pyramid_sizes(size)[1:]
        return [
            functional.interpolate(
                project(maps[source]), size=target, mode="bilinear", align_corners=False
            )
            for project, source, target in zip(self.projections, self.sources, targets, strict=True)
        ]


class Hierarchical(nn.Module):
    """Gives maps at strides 2, 4, 8, 16 and 32, those that a backbone lacks without channels.

    Args:
        shape: The maps that come in; a plain transformer's go through a `PyramidNeck`.
    """

    def __init__(self, shape: Maps) -> None:
        super().__init__()
        self.neck = PyramidNeck(shape) if shape.plain else None
        inner = self.neck.shape if self.neck is not None else shape
        by_stride = dict(zip(inner.strides, inner.channels, strict=True))
        self.strides = inner.strides
        self.channels = tuple(by_stride.get(stride, 0) for stride in (2, *STRIDES))

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """Maps at the five strides for an image of the padded `size`."""
        inner = self.neck(maps, size) if self.neck is not None else maps
        by_stride = dict(zip(self.strides, inner, strict=True))
        model = inner[0]
        return [
            by_stride[stride]
            if stride in by_stride
            else torch.zeros(len(model), 0, *target, device=model.device, dtype=model.dtype)
            for stride, target in zip((2, *STRIDES), pyramid_sizes(size), strict=True)
        ]
