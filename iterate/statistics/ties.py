"""Figures that are the same but for rounding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# What differs by less, relative to its size, differs by rounding alone.
ROUNDING = 1e-12


def tied(values: npt.ArrayLike) -> bool:
    """Whether repeats gave the same value, which says nothing of their spread."""
    figures = np.asarray(values, dtype=np.float64)
    return float(np.ptp(figures)) <= ROUNDING * float(np.abs(figures).max())
