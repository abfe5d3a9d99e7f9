"""Objects found in one window, on the scene's own pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from iterate_core.inference.windows import Grid

EDGE = 1.0
"""Pixels from a window's edge within which a box counts as cut by it."""
Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Detection:
    """An object.

    Attributes:
        box: Left, top, right, bottom in pixels of the scene.
        label: The index of its class, the background among them.
        score: From 0 to 1.
        cut: Whether an edge of its window that is none of the scene's runs along it.
        polygons: The outline of its mask, each polygon an outer ring and its holes; empty where
            only boxes are found.
    """

    box: tuple[float, float, float, float]
    label: int
    score: float
    cut: bool
    polygons: tuple[tuple[Ring, ...], ...] = ()

    def to_list(self) -> list[Any]:
        """As plain JSON types."""
        return [list(self.box), self.label, self.score, self.cut, self.polygons]

    @classmethod
    def from_list(cls, values: list[Any]) -> Detection:
        """Of what `to_list` gave."""
        box, label, score, cut, polygons = values
        return cls(tuple(box), label, score, cut, tuple(map(tuple, polygons)))


def detections_in(
    detections: Mapping[str, Tensor],
    part: tuple[int, int, int, int],
    grid: Grid,
    valid: npt.NDArray[np.bool_],
    threshold: float,
) -> list[Detection]:
    """The objects of a window that score enough and lie where there are data.

    Args:
        detections: Of the window; see `iterate_core.inference.predictor.Predictor.predict`.
        part: The window's upper left pixel, its height and width.
        grid: Of the scene's windows.
        valid: (height, width) of the window.
        threshold: What scores less is left out.
    """
    top, left, *_ = part
    scores = detections["scores"].cpu().numpy()
    boxes = detections["boxes"].cpu().numpy().astype(np.float64)
    labels = detections["labels"].cpu().numpy()
    shift = np.array([left, top, left, top])
    far = [grid.columns.length, grid.rows.length] * 2
    kept = []
    for index in np.flatnonzero(scores >= threshold):
        box = np.clip(boxes[index] + shift, 0, far)
        if not _covered(boxes[index], valid) or (box[2:] <= box[:2]).any():
            continue
        polygons = _outlines(detections["masks"][index], top, left) if "masks" in detections else ()
        if "masks" in detections and not polygons:
            continue
        place = tuple(float(value) for value in box)
        cut = _cut(box, part, grid)
        kept.append(Detection(place, int(labels[index]), float(scores[index]), cut, polygons))  # type: ignore[arg-type]
    return kept


def _covered(box: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_]) -> bool:
    left, top = np.floor(np.maximum(box[:2], 0)).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    return bool(valid[top:bottom, left:right].any())


def _cut(box: npt.NDArray[np.float64], part: tuple[int, int, int, int], grid: Grid) -> bool:
    top, left, height, width = part
    return bool(
        (left > 0 and box[0] <= left + EDGE)
        or (top > 0 and box[1] <= top + EDGE)
        or (left + width < grid.columns.length and box[2] >= left + width - EDGE)
        or (top + height < grid.rows.length and box[3] >= top + height - EDGE)
    )


def _outlines(mask: Tensor, top: int, left: int) -> tuple[tuple[Ring, ...], ...]:
    """Polygons along the edges of a mask's pixels."""
    from rasterio import Affine
    from rasterio.features import shapes

    pixels = mask.cpu().numpy().astype(np.uint8)
    found = shapes(pixels, mask=pixels > 0, transform=Affine.translation(left, top))
    return tuple(tuple(shape["coordinates"]) for shape, _ in found)
