"""What the cards of encoders that give tokens have in common, as data. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from iterate_core.data.bands import describe
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality

TINY, SMALL, BASE = (192, 12, 3), (384, 12, 6), (768, 12, 12)
LARGE, HUGE = (1024, 24, 16), (1280, 32, 16)
"""Width, depth and heads of the usual sizes."""


@dataclass(frozen=True)
class Configuration:
    """A size of an encoder.

    Attributes:
        name: How the size is called.
        width: Length of a token.
        depth: Number of blocks.
        heads: Attention heads of each block.
        patch: Side of a patch in pixels.
        size: Side of the square training images in pixels.
        parameters: What the encoder counts, frozen position tables that are parameters included.
        file: The published weights; None where there are none.
    """

    name: str
    width: int
    depth: int
    heads: int
    patch: int
    size: int
    parameters: int
    file: HubFile | None


@dataclass(frozen=True)
class Statistics:
    """Pixels of one sensor as a model was trained with them: (x − mean) / std.

    Attributes:
        bands: Names as the model's authors give them, in the order of the weights.
        unit: As in `iterate_core.data.dataset.Band`; ``"unknown"`` stands for the digital numbers
            of Landsat's own products, which are no reflectance × 10,000.
        mean: Of each band.
        std: Of each band.
        wavelengths: Centres in µm, where the model takes them.
        gsd: Metres per pixel, where the model takes it.
    """

    bands: tuple[str, ...]
    unit: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    wavelengths: tuple[float, ...] = ()
    gsd: float | None = None


def statistics_of(bands: Sequence[str], unit: str, mean: str, std: str) -> Statistics:
    """Means and deviations are written as text, one number a band."""
    return Statistics(tuple(bands), unit, numbers(mean), numbers(std))


def numbers(text: str) -> tuple[float, ...]:
    """Those of a text, parted by blanks."""
    return tuple(float(word) for word in text.split())


def modality_of(
    name: str, known: Statistics, unit: str | None = None, sensor: str | None = None
) -> Modality:
    """A modality of an encoder's published statistics."""
    bands = tuple(
        replace(band, unit=unit or known.unit, sensor=sensor)
        for band in describe(known.bands, sensor)
    )
    if known.wavelengths:
        pairs = zip(bands, known.wavelengths, strict=True)
        bands = tuple(replace(band, wavelength=wavelength) for band, wavelength in pairs)
    return Modality(name, bands, known.mean, known.std, metres=known.gsd)


def sized(size: Configuration, **facts: Any) -> Card:
    """The card of an encoder of this size."""
    return Card(
        title=size.name,
        size=size.size,
        patch=size.patch,
        parameters=size.parameters,
        file=size.file,
        **facts,
    )
