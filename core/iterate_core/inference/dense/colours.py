"""Colours of classes. Imports no torch."""

from __future__ import annotations

import colorsys

# Okabe and Ito, "Color Universal Design" (2008), without their black: told apart by whoever does
# not see red or green too.
_FIRST = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
)
_GOLDEN = 0.618033988749895  # of a turn between hues: no two of a few come close


def palette(count: int) -> tuple[tuple[int, int, int], ...]:
    """So many colours, red, green and blue of 0 to 255, the same ones whatever the count."""
    return tuple(_colour(index) for index in range(count))


def _colour(index: int) -> tuple[int, int, int]:
    if index < len(_FIRST):
        return _FIRST[index]
    further = index - len(_FIRST)
    lightness = (0.45, 0.65, 0.3)[further % 3]
    red, green, blue = colorsys.hls_to_rgb(further * _GOLDEN % 1, lightness, 0.65)
    return round(red * 255), round(green * 255), round(blue * 255)
