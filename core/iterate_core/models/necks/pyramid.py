"""From a backbone's maps to the pyramid that a decoder reads."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from iterate_core.models.shapes import PYRAMID, Maps

MAX_WIDTH = 256
_FINEST, NECK_STRIDES = PYRAMID[0], PYRAMID[1:]


def pyramid_sizes(size: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """Size of the map at each stride of the pyramid, exactly twice that of the next stride."""
    height, width = (-(-side // PYRAMID[-1]) for side in size)
    scales = {stride: PYRAMID[-1] // stride for stride in PYRAMID}
    return {stride: (height * scale, width * scale) for stride, scale in scales.items()}


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps of another size in cells, bilinearly."""
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def sources(shape: Maps, strides: tuple[int, ...]) -> list[int]:
    """Which of a plain transformer's maps becomes each stride: the shallowest the finest."""
    count = len(shape.channels)
    return [NECK_STRIDES.index(stride) * count // len(NECK_STRIDES) for stride in strides]


def nearest_stride(stride: int) -> int:
    """That of a pyramid which is nearest, in octaves."""
    return min(NECK_STRIDES, key=lambda one: max(one, stride) / min(one, stride))


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
        self.sources = sources(shape, strides)
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


@dataclass(frozen=True)
class Deepest:
    """The size at which a decoder is given the map of stride 32.

    Attributes:
        stride: Below 32 where the map stands for that of the dilated backbone of which a decoder
            was thought.
        cells: The least along each side.
    """

    stride: int = PYRAMID[-1]
    cells: int = 1

    def size(self, sizes: dict[int, tuple[int, int]]) -> tuple[int, int]:
        """In cells, of the map of an image whose pyramid has these sizes."""
        height, width = sizes[self.stride]
        return max(height, self.cells), max(width, self.cells)


class Hierarchical(nn.Module):
    """Gives maps at strides 2, 4, 8, 16 and 32, those not read or lacking without channels.

    Args:
        shape: The maps that come in; a plain transformer's go through a `PyramidNeck`.
        strides: Those of the five that are read.
        deepest: How the map of stride 32 is given.
        multiple: Of which the channels are made a multiple, with zeros behind the others.
    """

    def __init__(
        self, shape: Maps, strides: tuple[int, ...], deepest: Deepest, multiple: int
    ) -> None:
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
        sizes[PYRAMID[-1]] = self.deepest.size(sizes)
        if self.neck is not None:
            maps = self.neck(maps, [sizes[stride] for stride in self.given])
        by_stride = dict(zip(self.given, maps, strict=True))
        if self.neck is None and self.deepest != Deepest():
            by_stride[PYRAMID[-1]] = resized(by_stride[PYRAMID[-1]], sizes[PYRAMID[-1]])
        return [
            _widened(by_stride[stride], channels)
            if channels
            else maps[0].new_zeros(maps[0].shape[0], 0, *sizes[stride])
            for stride, channels in zip(PYRAMID, self.channels, strict=True)
        ]


def _widened(maps: Tensor, channels: int) -> Tensor:
    """With channels of zeros behind its own."""
    added = channels - maps.shape[1]
    return functional.pad(maps, (0, 0, 0, 0, 0, added)) if added else maps
