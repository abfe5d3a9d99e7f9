"""What a backbone delivers, as a decoder needs to know it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pooled:
    """One vector an image.

    Attributes:
        width: Its length.
    """

    width: int


@dataclass(frozen=True)
class Maps:
    """Feature maps of several depths, from shallow to deep.

    Attributes:
        channels: Channels of each map.
        strides: Pixels of the (padded) image per cell, for each map. Strides that are all equal
            belong to a plain vision transformer, whose maps have one resolution.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether all maps have one resolution."""
        return len(set(self.strides)) == 1


Shape = Pooled | Maps

PYRAMID = (2, 4, 8, 16, 32)
"""Strides of the maps of a hierarchical network, as pyramid decoders read them."""

LEVELS = 4
"""Depths at which the maps of a plain vision transformer are taken."""


def evenly_spaced(count: int) -> tuple[int, ...]:
    """Indices of `LEVELS` evenly spaced depths of `count`, the last among them; all if fewer."""
    steps = min(LEVELS, count)
    return tuple(count * (step + 1) // steps - 1 for step in range(steps))


def padded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """The smallest size of which both sides are multiples of `multiple` and cover `size`."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width
