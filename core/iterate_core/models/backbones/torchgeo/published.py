"""What every set of weights has in common. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality, Takes
from iterate_core.models.backbones.torchgeo.architectures import Architecture


@dataclass(frozen=True)
class Published:
    """One set of weights.

    Attributes:
        name: What recipes call it.
        title: What its authors call it.
        architecture: The network.
        modalities: What it was trained on.
        file: Where it is published; its digest's first digits stand in its name, where known.
        reference: The paper.
        licence: Of the weights, as TorchGeo's documentation lists it; None where it does not.
        takes: See `Card`.
        coordinates: See `Card`.
        stand_ins: See `Card`.
        widens: See `Card`.
        notes: See `Card`.
    """

    name: str
    title: str
    architecture: Architecture
    modalities: tuple[Modality, ...]
    file: HubFile
    reference: str
    licence: str | None
    takes: Takes = "declared"
    coordinates: bool = False
    stand_ins: tuple[tuple[str, float], ...] = ()
    widens: bool = True
    notes: tuple[str, ...] = ()

    @property
    def card(self) -> Card:
        """The same, as backbones declare it."""
        network = self.architecture
        bands = len(self.modalities[0].bands) if self.modalities else 0
        return Card(
            title=self.title,
            reference=self.reference,
            takes=self.takes,
            modalities=self.modalities,
            size=network.size,
            patch=network.patch,
            parameters=network.parameters(bands),
            licence=self.licence,
            file=self.file,
            stand_ins=self.stand_ins,
            coordinates=self.coordinates,
            widens=self.widens,
            notes=self.notes,
        )
