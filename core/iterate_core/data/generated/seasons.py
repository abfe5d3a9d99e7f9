"""The year of the land: when images were taken, and what of the vegetation was green then."""

from __future__ import annotations

import numpy as np

from iterate_core.data.generated.spectra import MATERIALS, Array

_INDEX = {name: index for index, name in enumerate(MATERIALS)}
_LEAVES, _GRASS = (115.0, 8.0, 298.0, 9.0), (80.0, 12.0, 320.0, 14.0)
"""Days of green-up and of senescence at northern mid-latitudes, each with its width."""

_FIRST_SUMMER_DAY, _LAST_SUMMER_DAY = 135, 270


def days_of(rng: np.random.Generator, frames: int) -> list[int]:
    """Days of a year on which a scene is seen, in order: one in summer, or several all year."""
    if frames == 1:
        return [int(rng.integers(_FIRST_SUMMER_DAY, _LAST_SUMMER_DAY))]
    parts = (np.arange(frames) + rng.uniform(0.1, 0.9, frames)) / frames
    return [int(day) for day in 1 + np.floor(365 * parts)]


def on_day(abundances: Array, day: float) -> Array:
    """The scene as it is on a day: broadleaf crowns are bare in winter, grass withers.

    Args:
        abundances: (materials, height, width) shares of each pixel in full leaf.
        day: Day of the year.

    Returns:
        (materials, height, width): bare crowns show the ground and their branches' shade.
    """
    leaves, grass = _greenness(day, *_LEAVES), 0.3 + 0.7 * _greenness(day, *_GRASS)
    dated = abundances.copy()
    bare = abundances[_INDEX["broadleaf"]] * (1 - leaves)
    withered = abundances[_INDEX["grass"]] * (1 - grass)
    dated[_INDEX["broadleaf"]] -= bare
    dated[_INDEX["grass"]] -= withered
    dated[_INDEX["shade"]] += 0.4 * bare
    dated[_INDEX["soil"]] += 0.6 * bare + withered
    return dated


def _greenness(day: float, up: float, up_width: float, down: float, down_width: float) -> float:
    """A double logistic curve between 0 and 1 (Beck et al. 2006)."""
    rise = 1 / (1 + np.exp(-(day - up) / up_width))
    fall = 1 / (1 + np.exp((day - down) / down_width))
    return float(rise * fall)
