"""Pixels of any unit as brightness that a person sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_DARKEST = 0.5  # brightness, as a share of all samples', from which one is brightened in full
_MIDDLE = 0.3  # what half of a sample's pixels should reach …
_STEEPEST = 0.5  # … with no power below this, which shows noise


def stretched(images: Sequence[npt.NDArray[Any]], alike: int = 1) -> npt.NDArray[np.float64]:
    """(samples, height, width, bands) in [0, 1], each band from its 2nd to its 98th percentile.

    Each sample is then made brighter as a whole, as far as it does not burn out, so that a dark
    scene is seen beside a bright one, and the ground beside clouds. Colours compare between
    samples; brightness does not.

    Args:
        images: (bands, height, width) each.
        alike: So many images in a row are brightened as the first of them is.
    """
    pixels = np.stack(images).astype(np.float64)
    low, high = np.percentile(pixels, (2, 98), axis=(0, 2, 3), keepdims=True)
    filled = np.clip((pixels - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    brightest = np.percentile(filled[::alike], 98, axis=(1, 2, 3), keepdims=True)
    brightest = brightest.repeat(alike, axis=0)
    filled = np.clip(filled / np.maximum(brightest, _DARKEST), 0.0, 1.0)
    middle = np.clip(np.median(filled[::alike], axis=(1, 2, 3), keepdims=True), 1e-3, _MIDDLE)
    middle = middle.repeat(alike, axis=0)
    gamma = np.maximum(np.log(_MIDDLE) / np.log(middle), _STEEPEST)
    return np.moveaxis(filled**gamma, 1, -1)
