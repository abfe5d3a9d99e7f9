"""What a backbone declares of itself, as data. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from iterate_core.data.dataset import Band
from iterate_core.data.units import Channel
from iterate_core.hub.files import HubFile
from iterate_core.registry.registry import Entry

Takes = Literal["declared", "wavelengths", "any"]


@dataclass(frozen=True)
class Modality:
    """Images of one sensor as a model was trained with them.

    Pixels in the declared units become (x − mean) / std, cut off at `low` and `high`.

    Attributes:
        name: How the model's users call it.
        bands: Its channels, in the order of the weights.
        mean: Of each band, in the band's unit; empty where pretraining did not fix it.
        std: Likewise.
        low: Lowest normalised value, of all bands or of each.
        high: Highest normalised value, likewise.
        steps: Normalised values are cut to multiples of 1 / steps; None leaves them.
        metres: Ground size of a pixel in pretraining, where the model takes it.
    """

    name: str
    bands: tuple[Band, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: float | tuple[float, ...] = -math.inf
    high: float | tuple[float, ...] = math.inf
    steps: int | None = None
    metres: float | None = None

    def __post_init__(self) -> None:
        if len(self.mean) not in (0, len(self.bands)) or len(self.std) != len(self.mean):
            raise ValueError(f"{self.name}: one mean and one std for each of its bands")

    def normal(self, index: int) -> Channel | None:
        """What pretraining did to a band's pixels; None where it is not declared."""
        if not self.mean:
            return None
        mean, std = self.mean[index], self.std[index]
        low, high = (
            limit[index] if isinstance(limit, tuple) else limit for limit in (self.low, self.high)
        )
        return Channel(None, None, mean, std, low, high, self.steps)


@dataclass(frozen=True)
class Card:
    """What is known of a backbone before it is built.

    Attributes:
        title: How its authors call it.
        reference: The paper or page that describes it.
        takes: ``declared``: the bands of its modalities; ``wavelengths``: any bands of known
            wavelength; ``any``: whatever it is given, its first layer being refitted.
        modalities: What the weights were trained on.
        size: Side of the training images in pixels.
        patch: Side of a patch in pixels; None for convolutional models.
        parameters: What the encoder counts, with the first modality's bands; None if unknown.
        licence: Of the weights; None if unknown.
        file: The published weights; None where there are none, or a library fetches them.
        stand_ins: Wavelengths in µm that the model takes for bands that have none.
        frames: Whether several dates are taken together.
        coordinates: Whether dates and places of acquisition are taken.
        widens: Whether channels for further bands can be added.
        together: Whether its modalities are parts of one input, of which it takes all that a
            dataset fills; else they are alternatives where they are of one kind of sensor.
        notes: What a user should know.
    """

    title: str
    reference: str
    takes: Takes
    modalities: tuple[Modality, ...]
    size: int
    patch: int | None = None
    parameters: int | None = None
    licence: str | None = None
    file: HubFile | None = None
    stand_ins: tuple[tuple[str, float], ...] = ()
    frames: bool = False
    coordinates: bool = False
    widens: bool = False
    together: bool = False
    notes: tuple[str, ...] = ()

    def modality(self, name: str) -> Modality | None:
        """The modality of that name, or None."""
        return next((known for known in self.modalities if known.name == name), None)


def entries_of(family: str, options: str, cards: Mapping[str, Card]) -> tuple[Entry, ...]:
    """The registry entries of the models of a family, each built from its name.

    Args:
        family: The folder that holds their `options` and their `backbone`.
        options: The class that types their options.
        cards: By the names that recipes use.
    """
    package = f"iterate_core.models.backbones.{family}"
    places = (f"{package}.options:{options}", f"{package}.backbone:build")
    return tuple(
        Entry(name, *places, facts={"card": card, "family": family}) for name, card in cards.items()
    )
