"""From a backbone's maps to the pyramid that a decoder reads."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.shapes import PYRAMID, Maps

MAX_WIDTH = 256
_FINEST, *NECK_STRIDES = PYRAMID


def pyramid_sizes(size: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """Size of the map at each stride of the pyramid, exactly twice that of the next stride."""
    height, width = (-(-side // PYRAMID[-1]) for side in size)
    scales = {stride: PYRAMID[-1] // stride for stride in PYRAMID}
    return {stride: (height * scale, width * scale) for stride, scale in scales.items()}


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps of another size in cells, bilinearly."""
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


class PyramidNeck(nn.Module):
    """Projects each map by a 1×1 convolution, normalises it and resizes it bilinearly.

    The maps of four depths become the strides 4, 8, 16 and 32, the shallowest the finest: a
    simple feature pyramid (Li et al., "Exploring Plain Vision Transformer Backbones for Object
    Detection", 2022) on several depths.

    Args:
        shape: The maps that come in.
        strides: Those of the four that are wanted.
    """

    def __init__(self, shape: Maps, strides: tuple[int, ...]) -> None:
        super().__init__()
        count = len(shape.channels)
        self.sources = [
            NECK_STRIDES.index(stride) * count // len(NECK_STRIDES) for stride in strides
        ]
        width = min(MAX_WIDTH, 32 * max(1, max(shape.channels) // 32))
        self.projections = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(shape.channels[source], width, 1), nn.GroupNorm(32, width), nn.GELU()
            )
            for source in self.sources
        )
        self.shape = Maps((width,) * len(strides), strides)

    def forward(self, maps: list[Tensor], sizes: list[tuple[int, int]]) -> list[Tensor]:
        """The wanted maps, each of its size in cells."""
        return [
            resized(project(maps[source]), size)
            for project, source, size in zip(self.projections, self.sources, sizes, strict=True)
        ]


class Hierarchical(nn.Module):
    """Gives maps at strides 2, 4, 8, 16 and 32, those not read or lacking without channels.

    Args:
        shape: The maps that come in; a plain transformer's go through a `PyramidNeck`.
        strides: Those of the five that are read.
        deepest: The stride at which the map of stride 32 is given: smaller ones stand for the
            dilated backbone of which a decoder was thought.
        multiple: Of which the channels are made a multiple, with zeros behind the others.
    """

    def __init__(self, shape: Maps, strides: tuple[int, ...], deepest: int, multiple: int) -> None:
        super().__init__()
        wanted = tuple(stride for stride in strides if stride != _FINEST)
        self.neck = PyramidNeck(shape, wanted) if shape.plain else None
        inner = self.neck.shape if self.neck is not None else shape
        self.given = inner.strides
        by_stride = dict(zip(inner.strides, inner.channels, strict=True))
        read = [by_stride.get(stride, 0) if stride in strides else 0 for stride in PYRAMID]
        self.channels = tuple(-(-count // multiple) * multiple for count in read)
        self.deepest = deepest

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """Maps at the five strides for an image of the padded `size`."""
        sizes = pyramid_sizes(size)
        sizes[PYRAMID[-1]] = sizes[self.deepest]
        if self.neck is not None:
            maps = self.neck(maps, [sizes[stride] for stride in self.given])
        by_stride = dict(zip(self.given, maps, strict=True))
        if self.neck is None and self.deepest != PYRAMID[-1]:
            by_stride[PYRAMID[-1]] = resized(by_stride[PYRAMID[-1]], sizes[PYRAMID[-1]])
        return [
            _widened(by_stride[stride], channels)
            if channels
            else maps[0].new_zeros(len(maps[0]), 0, *sizes[stride])
            for stride, channels in zip(PYRAMID, self.channels, strict=True)
        ]


def _widened(maps: Tensor, channels: int) -> Tensor:
    """With channels of zeros behind its own."""
    added = channels - maps.shape[1]
    return functional.pad(maps, (0, 0, 0, 0, 0, added)) if added else maps
