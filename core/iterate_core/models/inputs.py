"""What a backbone is built for. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from iterate_core.data.dataset import Band


@dataclass(frozen=True)
class Inputs:
    """The images a backbone will be given, and what is wanted of them.

    Attributes:
        bands: Its channels, in order.
        size: (height, width) of the images.
        dense: Whether feature maps are wanted instead of one vector.
        frames: Dates of a sample.
        metres: Ground size of a pixel of these images; None where it is unknown.
        modalities: Which of its modalities it is given, and how many channels each has; empty
            for a backbone that declares none.
    """

    bands: tuple[Band, ...]
    size: tuple[int, int]
    dense: bool
    frames: int = 1
    metres: float | None = None
    modalities: tuple[tuple[str, int], ...] = ()
