"""From stored pixels to a model's channels: gathered, converted, normalised, resized.

This is the one place where units are converted. What is done to each channel is a `Channel`,
which needs no torch to be worked out; `Scaling` does it to whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from iterate_core.data.units import Channel


@dataclass(frozen=True)
class Scaling:
    """What is done to a batch of stored pixels.

    Attributes:
        channels: The model's channels, in order.
        size: (height, width) of the images that leave.
    """

    channels: tuple[Channel, ...]
    size: tuple[int, int]

    @classmethod
    def affine(cls, shift: npt.ArrayLike, scale: npt.ArrayLike, size: tuple[int, int]) -> Scaling:
        """(x − shift) / scale of each stored band, in the stored order."""
        pairs = zip(np.asarray(shift, float), np.asarray(scale, float), strict=True)
        channels = (Channel(index, shift=a, scale=b) for index, (a, b) in enumerate(pairs))
        return cls(tuple(channels), size)

    def apply(self, raw: Tensor) -> Tensor:
        """Pixels (n, bands, …, h, w) of any type as float32 (n, channels, …, height, width).

        Between bands and rows there may be an axis of dates. The channels of a pixel lie together
        in memory (see `building.channels_last`).
        """
        images = self._scaled(self._gathered(raw))
        if tuple(images.shape[-2:]) != self.size:
            images = _resized(images, self.size)
        if images.ndim == 4:
            images = images.contiguous(memory_format=torch.channels_last)
        return images

    def _gathered(self, raw: Tensor) -> Tensor:
        # A channel without a source takes any band's pixels here, and a scale of 0 below.
        sources = [channel.source or 0 for channel in self.channels]
        if sources != list(range(raw.shape[1])):
            raw = raw[:, sources]
        return raw.float()

    def _scaled(self, images: Tensor) -> Tensor:
        tall = (1, -1, *[1] * (images.ndim - 2))

        def each(values: npt.NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(values).float().to(images.device).view(tall)

        for curve in {channel.curve for channel in self.channels if channel.curve is not None}:
            mine = [channel.curve == curve for channel in self.channels]
            chosen = torch.tensor(mine, device=images.device).view(tall)
            images = torch.where(chosen, _CURVES[curve](images), images)
        images = (images - each(self._shift)) * each(self._gain)
        if np.isfinite(self._low).any() or np.isfinite(self._high).any():
            images = images.clamp(each(self._low), each(self._high))
        steps = self._steps
        if steps.any():
            whole = (images * each(steps)).floor() / each(np.maximum(steps, 1))
            images = torch.where(each(steps) > 0, whole, images)
        return images

    @cached_property
    def _shift(self) -> npt.NDArray[np.float64]:
        return _column([channel.shift for channel in self.channels])

    @cached_property
    def _gain(self) -> npt.NDArray[np.float64]:
        absent = [channel.source is None for channel in self.channels]
        return np.where(absent, 0.0, 1 / _column([channel.scale for channel in self.channels]))

    @cached_property
    def _low(self) -> npt.NDArray[np.float64]:
        return _column([channel.low for channel in self.channels])

    @cached_property
    def _high(self) -> npt.NDArray[np.float64]:
        return _column([channel.high for channel in self.channels])

    @cached_property
    def _steps(self) -> npt.NDArray[np.float64]:
        return _column([channel.steps or 0 for channel in self.channels])


def _column(values: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    flat = images.flatten(0, -4) if images.ndim > 4 else images
    resized = functional.interpolate(flat, size=size, mode="bilinear", align_corners=False)
    return resized.reshape(*images.shape[:-2], *size)


def resized_nearest(grids: Tensor, size: tuple[int, int]) -> Tensor:
    """Grids (n, …, h, w) at (n, …, height, width), each pixel that of the nearest.

    Whole numbers become int64.
    """
    kind = grids.dtype if grids.is_floating_point() else torch.int64
    if tuple(grids.shape[-2:]) == size:
        return grids.to(kind)
    flat = grids.flatten(0, -3)[:, None].float()
    resized = functional.interpolate(flat, size=size, mode="nearest-exact")
    return resized.reshape(*grids.shape[:-2], *size).to(kind)


def _decibel(linear: Tensor) -> Tensor:
    # Noise subtraction leaves zeros and below; −50 dB is under every sensor's noise.
    return 10 * torch.log10(linear.clamp(min=1e-5))


def _power(decibel: Tensor) -> Tensor:
    return 10 ** (decibel / 10)


_CURVES: dict[str, Callable[[Tensor], Tensor]] = {"decibel": _decibel, "power": _power}
