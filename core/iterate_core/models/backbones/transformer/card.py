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


def modality_of(
    name: str,
    bands: Sequence[str],
    unit: str,
    mean: str,
    std: str,
    *,
    sensor: str | None = None,
    wavelengths: str | None = None,
    metres: float | None = None,
) -> Modality:
    """Images of one sensor as a model was trained with them: (x − mean) / std.

    Args:
        name: How the model's users call it.
        bands: Names as the model's authors give them, in the order of the weights.
        unit: Of their pixels.
        mean: One number a band, parted by blanks, as the authors' files give them.
        std: Likewise.
        sensor: What it is, where the bands' names alone do not tell.
        wavelengths: Centres in µm, likewise, where the model takes them.
        metres: Ground size of a pixel, where the model takes it.
    """
    described = tuple(replace(band, unit=unit, sensor=sensor) for band in describe(bands, sensor))
    if wavelengths is not None:
        pairs = zip(described, _numbers(wavelengths), strict=True)
        described = tuple(replace(band, wavelength=wavelength) for band, wavelength in pairs)
    return Modality(name, described, _numbers(mean), _numbers(std), metres=metres)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split())


def encoder_card(configuration: Configuration, **facts: Any) -> Card:
    """The card of an encoder, with what its family declares."""
    return Card(
        title=configuration.name,
        size=configuration.size,
        patch=configuration.patch,
        parameters=configuration.parameters,
        file=configuration.file,
        **facts,
    )
