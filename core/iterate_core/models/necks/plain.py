"""Necks that make a pyramid of a plain transformer's maps, whose cells lie exactly on its strides.

Where an image's sides are no multiples of the largest stride, the pyramid covers a larger one: the
maps go on below and to the right of the image as they end. So each map has exactly twice as many
cells as the next, none is stretched, and what is seen in a cell lies where its stride says.
"""

from __future__ import annotations

from abc import abstractmethod
from math import log2

from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional

from iterate_core.errors import Problem, RequestError
from iterate_core.models.necks.base import Neck
from iterate_core.models.necks.options import LearnedOptions
from iterate_core.models.necks.pyramid import (
    NECK_STRIDES,
    PyramidNeck,
    nearest_stride,
    pyramid_sizes,
    sources,
)
from iterate_core.models.shapes import PYRAMID, Maps


class PlainPyramid(Neck):
    """Maps at strides 4, 8, 16 and 32 of a plain transformer's, the shallowest the finest.

    Args:
        shape: The maps that come in, all of one stride.
        channels: Of each map that is given.

    Attributes:
        sources: Which of the maps that come in becomes each that is given.
        given: The stride of those that come in.
        stride: That of the four which is nearest to it; they are brought to it first.
    """

    def __init__(self, shape: Maps, channels: tuple[int, ...]) -> None:
        super().__init__(Maps(channels, NECK_STRIDES), PYRAMID[-1])
        self.sources = sources(shape, NECK_STRIDES)
        self.given = shape.strides[0]
        self.stride = nearest_stride(self.given)

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> list[Tensor]:
        """See `Neck.forward`."""
        sizes = pyramid_sizes(size)
        return self.levels([self._placed(each, sizes[self.stride]) for each in maps], sizes)

    @abstractmethod
    def levels(self, maps: list[Tensor], sizes: dict[int, tuple[int, int]]) -> list[Tensor]:
        """The four maps, of the sizes at their strides, from maps at `stride`."""

    def _placed(self, maps: Tensor, cells: tuple[int, int]) -> Tensor:
        """Maps of the stride that is given at `stride`: so many cells from the upper left on."""
        rows, columns = (-(-count * self.stride // self.given) for count in cells)
        below, right = max(0, rows - maps.shape[-2]), max(0, columns - maps.shape[-1])
        if below or right:
            maps = functional.pad(maps, (0, right, 0, below), mode="replicate")
        if self.given != self.stride:
            scale = self.given / self.stride
            maps = functional.interpolate(maps, scale_factor=scale, mode="bilinear")
        return maps[..., : cells[0], : cells[1]]


class ResizedPyramid(PlainPyramid):
    """Each map projected by a 1×1 convolution, normalised and resized bilinearly.

    Args:
        shape: The maps that come in, all of one stride.
    """

    def __init__(self, shape: Maps) -> None:
        resize = PyramidNeck(shape, NECK_STRIDES)
        super().__init__(shape, resize.shape.channels)
        self.resize = resize

    def levels(self, maps: list[Tensor], sizes: dict[int, tuple[int, int]]) -> list[Tensor]:
        """See `PlainPyramid.levels`."""
        return list(self.resize(maps, [sizes[stride] for stride in NECK_STRIDES]))


class LearnedPyramid(PlainPyramid):
    """Each map enlarged by transposed convolutions, or made smaller by strided ones.

    Doubling, which halves the channels, and what follows (a 1×1 and a 3×3 convolution, each with
    layer normalisation over channels) are those of the simple feature pyramid (Li et al.,
    "Exploring Plain Vision Transformer Backbones for Object Detection", 2022), on several depths
    as in SETR (Zheng et al. 2021) and BEiT (Bao et al. 2022); from the last depth alone if no
    other is given. Halving is a 2×2 convolution, where they pool.

    Args:
        shape: The maps that come in, all of one stride.
        channels: Width of the maps that are given.
    """

    def __init__(self, shape: Maps, channels: int) -> None:
        super().__init__(shape, (channels,) * len(NECK_STRIDES))
        self.scaling = nn.ModuleList(
            _scaled(shape.channels[source], channels, round(log2(self.stride / stride)))
            for source, stride in zip(self.sources, NECK_STRIDES, strict=True)
        )

    def levels(self, maps: list[Tensor], sizes: dict[int, tuple[int, int]]) -> list[Tensor]:
        """See `PlainPyramid.levels`."""
        del sizes
        pairs = zip(self.scaling, self.sources, strict=True)
        return [scaling(maps[source]) for scaling, source in pairs]


def _scaled(given: int, wanted: int, doublings: int) -> nn.Sequential:
    """Layers that double a map's resolution so many times, or halve it where they are negative."""
    layers: list[nn.Module] = []
    width = given
    for step in range(doublings):
        if step:
            layers += [LayerNorm2d(width), nn.GELU()]
        half = max(1, width // 2)
        layers.append(nn.ConvTranspose2d(width, half, 2, stride=2))
        width = half
    layers += [nn.Conv2d(width, width, 2, stride=2) for _ in range(-doublings)]
    layers += [nn.Conv2d(width, wanted, 1, bias=False), LayerNorm2d(wanted)]
    layers += [nn.Conv2d(wanted, wanted, 3, padding=1, bias=False), LayerNorm2d(wanted)]
    return nn.Sequential(*layers)


def build_learned(options: LearnedOptions, shape: Maps) -> LearnedPyramid:
    """The pyramid that is learned, of a plain transformer's maps.

    Raises:
        RequestError: The backbone has maps of several strides.
    """
    if not shape.plain:
        told = ", ".join(map(str, shape.strides))
        what = f"{options.name!r} makes a pyramid of maps of one stride, and the backbone has"
        what = f"{what} one: maps of stride {told}."
        raise RequestError(Problem("model.neck.name", what, "Choose resize or fpn."))
    return LearnedPyramid(shape, options.channels)
