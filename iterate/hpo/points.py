"""How many trials a search can make that differ by more than their seed."""

from __future__ import annotations

from iterate.hpo.settings import SearchSettings
from iterate.hpo.space import Space


def points_to_draw(settings: SearchSettings, space: Space) -> int | None:
    """The number of points after which there is nothing new to draw; None where there always is.

    A grid draws each point once. Other samplers may draw a point again, but where nothing varies
    there is but one: more trials would differ by their seeds alone, which is what repeats are for.
    """
    size = space.size()
    return size if size == 1 or settings.sampler.name == "grid" else None


def trials_to_make(settings: SearchSettings, space: Space) -> int:
    """The trials of a search that neither stops early nor runs out of time."""
    points = points_to_draw(settings, space)
    return settings.trials if points is None else min(settings.trials, points)
