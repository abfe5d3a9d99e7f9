"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)."""

from __future__ import annotations

import math

import numpy as np

from iterate_core.data.augmentation.base import Mix
from iterate_core.data.augmentation.mixing import Mixing
from iterate_core.data.augmentation.options import CutmixOptions, MixupOptions


class Mixup(Mix):
    """See `MixupOptions`."""

    def __init__(self, options: MixupOptions) -> None:
        self._alpha = options.alpha

    def mixing(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixing:
        """See `Mix.mixing`."""
        del size
        return Mixing(rng.beta(self._alpha, self._alpha))


class Cutmix(Mix):
    """See `CutmixOptions`; the box is drawn as in torchvision's ``CutMix``."""

    def __init__(self, options: CutmixOptions) -> None:
        self._alpha = options.alpha

    def mixing(self, rng: np.random.Generator, size: tuple[int, int]) -> Mixing:
        """See `Mix.mixing`; what of the box would lie beyond the image is left out."""
        half = 0.5 * math.sqrt(1 - rng.beta(self._alpha, self._alpha))
        spans = [_span(rng, half, side) for side in size]
        area = math.prod(stop - start for start, stop in spans)
        return Mixing(1 - area / math.prod(size), (*spans[0], *spans[1]))


def _span(rng: np.random.Generator, half: float, side: int) -> tuple[int, int]:
    """From where to where a box reaches whose half is so much of the side."""
    middle, reach = int(rng.integers(side)), int(half * side)
    return max(middle - reach, 0), min(middle + reach, side)
