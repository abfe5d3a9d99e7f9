"""Boxes of set sizes and shapes around each cell of each level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from iterate_core.models.decoders.detectors.pyramid import Scene


class CellAnchors(AnchorGenerator):  # type: ignore[misc]  # torchvision is untyped
    """Anchors centred on the cells of levels whose strides are known.

    torchvision's own stand at the cells' upper left corners, and guess the strides.

    Args:
        strides: Of the levels.
        scales: Sides of the anchors, in cells.
        ratios: Their heights over their widths.
    """

    def __init__(
        self, strides: Sequence[int], scales: Sequence[float], ratios: Sequence[float]
    ) -> None:
        sides = tuple(tuple(stride * scale for scale in scales) for stride in strides)
        super().__init__(sides, (tuple(ratios),) * len(sides))
        self.strides = tuple(strides)

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """(anchors, 4) of each image, on the pyramid's own grid."""
        self.set_cell_anchors(torch.float32, feature_maps[0].device)
        grids = [level.shape[-2:] for level in feature_maps]
        levels = self.grid_anchors(grids, [[stride, stride] for stride in self.strides])
        centred = [level + stride / 2 for level, stride in zip(levels, self.strides, strict=True)]
        return [torch.cat(centred)] * len(image_list.image_sizes)

    def counts(self, scene: Scene) -> list[int]:
        """How many anchors each level has."""
        each = self.num_anchors_per_location()
        cells = [level.shape[-2] * level.shape[-1] for level in scene.maps]
        return [number * anchors for number, anchors in zip(cells, each, strict=True)]


def listed(scene: Scene) -> ImageList:
    """The images as torchvision's parts take them: only their sizes are read."""
    return ImageList(scene.maps[0], scene.bounds)
