"""Affine maps of a batch's samples: images bilinear, masks and maps nearest, points exactly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.augmentation.draws import Uniform


class Warp:
    """Where the pixels of a batch come from.

    Grids of any resolution that lie on the images move alike. A sample that is not moved stays as
    it is to the last bit.

    Args:
        maps: (n, 3, 3) of each sample, homogeneous: from a place in the new image to one in the
            old. Places are (x, y) from −1 at the left and upper edge to 1 at the others.
        moved: (n,) which samples they move.
    """

    def __init__(self, maps: Uniform, moved: npt.NDArray[np.bool_]) -> None:
        self._maps = maps
        self._rows = np.flatnonzero(moved)

    def moves(self, row: int) -> bool:
        """Whether a sample of the batch is moved."""
        return row in self._rows

    def alone(self, row: int) -> Warp:
        """That of one sample, as a batch of one."""
        only = slice(row, row + 1)
        return Warp(self._maps[only], np.array([self.moves(row)]))

    def images(self, images: Tensor, blank: Tensor) -> Tensor:
        """Images (n, bands, …, height, width) as float32, moved.

        Args:
            images: Of any type.
            blank: (bands,) what stands where there was no image.
        """
        flat = images[self._on(images)].float().flatten(1, -3)
        places, inside = self._places(flat)
        taken = functional.grid_sample(flat, places, "bilinear", "border", align_corners=False)
        around = blank.to(flat).repeat_interleave(flat.shape[1] // len(blank))
        filled = torch.where(inside, taken, around.view(1, -1, 1, 1))
        result = images.float().clone()
        result[self._on(images)] = filled.reshape(len(filled), *images.shape[1:])
        return result

    def grids(self, grids: Tensor, blank: float) -> Tensor:
        """Masks or maps (n, …, height, width) of any type, moved; `blank` where there was none."""
        values = grids[self._on(grids)]
        values = values[:, None] if values.ndim == 3 else values.flatten(1, -3)
        sources, inside = self._sources(values)
        taken = values.flatten(2).gather(2, sources.expand(-1, values.shape[1], -1))
        filled = torch.where(inside, taken.view_as(values), blank).to(grids.dtype)
        result = grids.clone()
        result[self._on(grids)] = filled.reshape(len(filled), *grids.shape[1:])
        return result

    def points(self, row: int, points: Tensor, size: tuple[int, int]) -> Tensor:
        """Points (…, 2) of a sample, moved; they may leave its image.

        Args:
            row: Of the batch.
            points: x from the left edge and y from the upper one, in pixels.
            size: (height, width) of the image.
        """
        there = torch.from_numpy(np.linalg.inv(self._maps[row])).to(points.dtype).to(points.device)
        half = points.new_tensor([size[1] / 2, size[0] / 2])
        moved = (points / half - 1) @ there[:2, :2].T + there[:2, 2]
        return (moved + 1) * half

    def _sources(self, grids: Tensor) -> tuple[Tensor, Tensor]:
        """(moved, 1, height · width) which pixel each is nearest to, and whether it lies on one.

        Pixels are moved by their numbers, so that values of any type stay what they are.
        """
        shape = (1, 1, *grids.shape[-2:])
        numbers = torch.arange(math.prod(shape), dtype=torch.float32, device=grids.device)
        numbers = numbers.view(shape).expand(len(grids), -1, -1, -1)
        places, inside = self._places(numbers)
        found = functional.grid_sample(numbers, places, "nearest", "border", align_corners=False)
        return found.long().flatten(2), inside

    def _places(self, grids: Tensor) -> tuple[Tensor, Tensor]:
        """Where each pixel comes from, and (moved, 1, height, width) whether from the old image."""
        maps = torch.from_numpy(self._maps[self._rows, :2]).float().to(grids.device)
        shape = [len(grids), 1, *grids.shape[-2:]]
        places = functional.affine_grid(maps, shape, align_corners=False)
        return places, (places.abs() <= 1).all(dim=-1)[:, None]

    def _on(self, like: Tensor) -> Tensor:
        return torch.from_numpy(self._rows).to(like.device)
