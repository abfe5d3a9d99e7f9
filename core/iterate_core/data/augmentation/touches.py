"""Changing the values of bands, of any number and unit.

What torchvision and kornia have of the kind is for red, green and blue from 0 to 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from iterate_core.data.augmentation.base import Touch
from iterate_core.data.augmentation.draws import Uniform
from iterate_core.data.augmentation.options import (
    BandDropoutOptions,
    BandOptions,
    NoiseOptions,
)


class _ByBand(Touch):
    """Changes each band's values as a whole, by one number each or all by the same."""

    def __init__(self, options: BandOptions) -> None:
        self._most, self._per_band = options.most, options.per_band

    def numbers(self, bands: int) -> int:
        """One a band, or one."""
        return bands if self._per_band else 1


class Brightness(_ByBand):
    """See `BrightnessOptions`."""

    place = 10

    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        """See `Touch.touched`; shifts are drawn evenly."""
        return images + _of_bands(self._most * (2 * drawn - 1), images)


class Contrast(_ByBand):
    """See `ContrastOptions`."""

    place = 20

    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        """See `Touch.touched`; factors' logarithms are drawn evenly."""
        means = images.mean(dim=tuple(range(2, images.ndim)), keepdim=True)
        steeper = np.exp(math.log1p(self._most) * (2 * drawn - 1))
        return means + (images - means) * _of_bands(steeper, images)


class Noise(Touch):
    """See `NoiseOptions`."""

    place = 30

    def __init__(self, options: NoiseOptions) -> None:
        self._std = options.std

    def numbers(self, bands: int) -> int:
        """The seed of a sample's noise."""
        del bands
        return 1

    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        """See `Touch.touched`; noise is drawn on the device, sample by sample."""
        generator = torch.Generator(images.device)
        noise = torch.empty_like(images)
        for sample, seed in zip(noise, drawn[:, 0].tolist(), strict=True):
            sample.normal_(0, self._std, generator=generator.manual_seed(int(seed * 2**53)))
        return images + noise


class BandDropout(Touch):
    """See `BandDropoutOptions`."""

    place = 40

    def __init__(self, options: BandDropoutOptions) -> None:
        self._share = options.share

    def numbers(self, bands: int) -> int:
        """One a band: the lowest are dropped."""
        return bands

    def touched(self, images: Tensor, drawn: Uniform) -> Tensor:
        """See `Touch.touched`."""
        kept = (drawn >= self._share) | (drawn == drawn.max(axis=1, keepdims=True))
        return images * _of_bands(kept.astype(np.float64), images)


def _of_bands(values: Uniform, images: Tensor) -> Tensor:
    """(n, bands or 1) numbers, to be laid over images of (n, bands, …)."""
    laid = torch.from_numpy(values).to(images.dtype).to(images.device)
    return laid.reshape(*values.shape, *[1] * (images.ndim - 2))
