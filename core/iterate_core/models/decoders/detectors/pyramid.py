"""The feature pyramid that detectors read, and where its maps lie on the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Self

from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import (
    ExtraFPNBlock,
    FeaturePyramidNetwork,
    LastLevelMaxPool,
    LastLevelP6P7,
)

from iterate_core.errors import Problem, RequestError
from iterate_core.models.necks.pyramid import Deepest, Hierarchical, pyramid_sizes
from iterate_core.models.shapes import PYRAMID, Maps


@dataclass(frozen=True)
class Scene:
    """A batch of images as a detector sees them: the outputs of a model that finds objects.

    As a tensor can, it can be detached and brought to float32.

    Attributes:
        maps: (n, channels, height, width) of each level, the finest first, float32.
        size: (height, width) of the images.
        scale: How many pixels of the pyramid's own grid, on which a level's cells are exactly as
            far apart as its stride says, one of an image is: down and to the right.
        heads: What was predicted of each anchor, by name, if that needs no targets.
    """

    maps: list[Tensor]
    size: tuple[int, int]
    scale: tuple[float, float]
    heads: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """(height, width) of each image on the pyramid's own grid."""
        height, width = (side * scale for side, scale in zip(self.size, self.scale, strict=True))
        return [(height, width)] * len(self.maps[0])

    def cropped(self, size: tuple[int, int]) -> Self:
        """The same of images that were padded, at the bottom and right, from a (height, width)."""
        return replace(self, size=size)

    def detach(self) -> Self:
        """Without gradients."""
        heads = {name: each.detach() for name, each in self.heads.items()}
        return replace(self, maps=[level.detach() for level in self.maps], heads=heads)

    def float(self) -> Self:
        """In float32."""
        heads = {name: each.float() for name, each in self.heads.items()}
        return replace(self, maps=[level.float() for level in self.maps], heads=heads)


class Pyramid(nn.Module):
    """A feature pyramid network (Lin et al. 2017) on any backbone's maps, with coarser levels.

    A plain transformer's maps are brought to four strides first; see
    `iterate_core.models.necks.pyramid.PyramidNeck`.

    Args:
        shape: The maps that come in.
        channels: Width of all levels.
        finest: The stride of the finest level that is wanted.
        pooled: Whether one coarser level is pooled from the last; else two are convolved from it.

    Attributes:
        read: Strides of the backbone's maps that are read.
        strides: Those of all levels.
        out_channels: Their width, under the name by which torchvision asks for it.

    Raises:
        RequestError: The backbone's maps are too far apart.
    """

    def __init__(self, shape: Maps, channels: int, finest: int, *, pooled: bool) -> None:
        super().__init__()
        self.read = _read(shape, finest)
        self.hierarchy = Hierarchical(shape, self.read, Deepest(), 1)
        given = [count for count in self.hierarchy.channels if count]
        extra: ExtraFPNBlock = LastLevelMaxPool() if pooled else LastLevelP6P7(channels, channels)
        self.network = FeaturePyramidNetwork(given, channels, extra)
        coarser = (2,) if pooled else (2, 4)
        self.strides = (*self.read, *(self.read[-1] * times for times in coarser))
        self.out_channels = channels

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Scene:
        """The levels for images of the padded `size`."""
        levels = [level for level in self.hierarchy(maps, size) if level.shape[1]]
        levels = self.network({str(index): level for index, level in enumerate(levels)}).values()
        scale = (1.0, 1.0)
        if self.hierarchy.neck is not None:
            whole = (side * PYRAMID[-1] for side in pyramid_sizes(size)[PYRAMID[-1]])
            down, right = (grid / side for grid, side in zip(whole, size, strict=True))
            scale = (down, right)
        return Scene(list(levels), size, scale).float()


def _read(shape: Maps, finest: int) -> tuple[int, ...]:
    """The strides to read of those that a backbone has; a plain one is given all."""
    given: Sequence[int] = PYRAMID if shape.plain else sorted(set(shape.strides) & set(PYRAMID))
    read = tuple(stride for stride in given if stride >= finest)
    if not read or any(fine * 2 != coarse for fine, coarse in pairwise(read)):
        told = ", ".join(map(str, shape.strides))
        what = (
            f"a detector's pyramid needs maps of strides 4, 8, 16, 32, and the backbone has {told}."
        )
        raise RequestError(Problem("model.decoder.name", what, "Choose another backbone."))
    return read
