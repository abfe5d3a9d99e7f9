"""Bringing the files of a sample to one grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]


def bilinear(image: Pixels, size: tuple[int, int]) -> Pixels:
    """(…, height, width) resampled bilinearly, pixel centres aligned, in its own type.

    The reference loaders do the same: PyTorch's ``interpolate(mode="bilinear",
    align_corners=False)``, without smoothing where it shrinks.
    """
    if image.shape[-2:] == size:
        return image
    values = image.astype(np.float64)
    for axis, length in ((-2, size[0]), (-1, size[1])):
        values = _along(values, axis, length)
    if image.dtype.kind in "ui":
        values = np.rint(values)
    return values.astype(image.dtype)


def nearest(mask: Pixels, size: tuple[int, int]) -> Pixels:
    """(…, height, width) resampled by the nearest pixel centre."""
    if mask.shape[-2:] == size:
        return mask
    rows, columns = (_nearest(old, new) for old, new in zip(mask.shape[-2:], size, strict=True))
    return mask[..., rows[:, None], columns]


def _along(values: npt.NDArray[np.float64], axis: int, length: int) -> npt.NDArray[np.float64]:
    old = values.shape[axis]
    place = np.clip((np.arange(length) + 0.5) * old / length - 0.5, 0, old - 1)
    low = np.floor(place).astype(np.int64)
    share = place - low
    if axis == -2:
        share = share[:, None]
    upper = values.take(np.minimum(low + 1, old - 1), axis=axis)
    mixed: npt.NDArray[np.float64] = values.take(low, axis=axis) * (1 - share) + upper * share
    return mixed


def _nearest(old: int, new: int) -> npt.NDArray[np.int64]:
    return np.minimum(((np.arange(new) + 0.5) * old / new).astype(np.int64), old - 1)
