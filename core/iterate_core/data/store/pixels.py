"""What every pixel must be before anything is computed from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from iterate_core.errors import DataError, Problem

LARGEST = 1e30
"""No band's unit reaches this; the values that mark missing data in float files do."""


def check_pixels(image: npt.NDArray[Any], where: str) -> None:
    """Refuse NaN, infinity, and values such as −3.4e38 that stand for missing data.

    Raises:
        DataError: With how many there are.
    """
    if image.dtype.kind != "f":
        return
    absent = int((~np.isfinite(image)).sum())
    if absent:
        what = f"has {absent} pixel values that are not finite."
        raise DataError(Problem(where, what, "Fill them, or leave the sample out."))
    huge = np.abs(image.astype(np.float64)) > LARGEST
    if huge.any():
        what = f"has {int(huge.sum())} pixel values such as {image[huge][0]:g}, which mark no data."
        raise DataError(Problem(where, what, "Fill them, or leave the sample out."))
