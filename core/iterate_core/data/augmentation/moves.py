"""Turning, scaling and cropping images together with what lies on them."""

from __future__ import annotations

import numpy as np

from iterate_core.data.augmentation.base import Move
from iterate_core.data.augmentation.draws import Uniform
from iterate_core.data.augmentation.options import CropOptions, ScaleOptions, TurnOptions


class Turn(Move):
    """See `TurnOptions`."""

    place = 10

    def __init__(self, options: TurnOptions) -> None:
        self._most = np.deg2rad(options.degrees)

    def numbers(self, bands: int) -> int:
        """The angle."""
        del bands
        return 1

    def maps(self, drawn: Uniform, aspect: float) -> Uniform:
        """Rotations by angles that are drawn evenly."""
        del aspect
        angle = self._most * (2 * drawn[:, 0] - 1)
        maps = _unchanged(len(drawn))
        maps[:, 0, 0] = maps[:, 1, 1] = np.cos(angle)
        maps[:, 1, 0] = np.sin(angle)
        maps[:, 0, 1] = -maps[:, 1, 0]
        return maps


class Scale(Move):
    """See `ScaleOptions`."""

    place = 20

    def __init__(self, options: ScaleOptions) -> None:
        self._range = np.log(options.lowest), np.log(options.highest)

    def numbers(self, bands: int) -> int:
        """The factor."""
        del bands
        return 1

    def maps(self, drawn: Uniform, aspect: float) -> Uniform:
        """Magnifications, whose logarithms are drawn evenly."""
        del aspect
        low, high = self._range
        maps = _unchanged(len(drawn))
        maps[:, 0, 0] = maps[:, 1, 1] = np.exp(-(low + (high - low) * drawn[:, 0]))
        return maps


class Crop(Move):
    """See `CropOptions`: area drawn evenly, and the sides' ratio by its logarithm."""

    place = 30

    def __init__(self, options: CropOptions) -> None:
        self._smallest, self._ratio = options.smallest, np.log(options.ratio)

    def numbers(self, bands: int) -> int:
        """Area, ratio, and the place along each side."""
        del bands
        return 4

    def maps(self, drawn: Uniform, aspect: float) -> Uniform:
        """Cut-outs that lie wholly in the image."""
        area = self._smallest + (1 - self._smallest) * drawn[:, 0]
        ratio = np.exp(self._ratio * (2 * drawn[:, 1] - 1))
        width = np.minimum(np.sqrt(area * ratio), 1)
        height = np.minimum(np.sqrt(area / ratio), 1)
        maps = _unchanged(len(drawn))
        maps[:, 0, 0], maps[:, 1, 1] = width, height
        maps[:, 0, 2] = aspect * (1 - width) * (2 * drawn[:, 2] - 1)
        maps[:, 1, 2] = (1 - height) * (2 * drawn[:, 3] - 1)
        return maps


def _unchanged(count: int) -> Uniform:
    return np.tile(np.eye(3), (count, 1, 1))
