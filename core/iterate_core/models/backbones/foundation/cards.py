"""The cards of the foundation models that are built here, by the names that recipes use.

Imports no torch. Sizes and files stand in `iterate_core.models.encoders.configurations`, bands and
statistics in `iterate_core.models.encoders.statistics`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from iterate_core.data.bands import SENTINEL_2, describe
from iterate_core.models.backbones.card import Card, Modality
from iterate_core.models.encoders import configurations as sizes
from iterate_core.models.encoders import statistics
from iterate_core.models.encoders.configurations import Configuration
from iterate_core.models.encoders.statistics import Statistics

_APACHE, _CC_BY = "Apache-2.0", "CC-BY-4.0"
_LANDSAT_UNITS = {"landsat-c2l1": "landsat_toa", "landsat-c2l2-sr": "landsat_sr"}


def _modality(
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


def _prithvi() -> Iterable[tuple[str, Configuration, Card]]:
    names = ("v1_100", "v2_tiny_tl", "v2_100_tl", "v2_300", "v2_300_tl", "v2_600", "v2_600_tl")
    for name, size in zip(names, sizes.PRITHVI, strict=True):
        first = name.startswith("v1")
        known = statistics.PRITHVI_V1_STATISTICS if first else statistics.PRITHVI_V2_STATISTICS
        card = _sized(
            size,
            reference="arXiv 2310.18660" if first else "arXiv 2412.02732",
            takes="declared",
            modalities=(replace(_modality("HLS", known), metres=30.0),),
            licence=_APACHE,
            frames=True,
            coordinates=size.coordinates,
            widens=True,
        )
        yield f"prithvi_eo_{name}", size, card


def _terramind() -> Iterable[tuple[str, Configuration, Card]]:
    sensors = {"S2L2A": "sentinel-2-l2a", "S2L1C": "sentinel-2-l1c", "RGB": "sentinel-2"}
    modalities = tuple(
        _modality(name, known, sensor=sensors.get(name))
        for name, known in statistics.TERRAMIND_STATISTICS.items()
    )
    for size in sizes.TERRAMIND:
        card = _sized(
            size,
            reference="arXiv 2504.11171",
            takes="declared",
            modalities=modalities,
            licence=_APACHE,
            notes=("parameters are counted with S2L2A and S1GRD",),
        )
        yield f"terramind_v1_{size.name.rpartition('-')[2]}", size, card


def _clay() -> Iterable[tuple[str, Configuration, Card]]:
    modalities = tuple(
        _modality(name, known, _LANDSAT_UNITS.get(name))
        for name, known in statistics.CLAY_STATISTICS.items()
    )
    radar = statistics.CLAY_STATISTICS["sentinel-1-rtc"]
    for name, size in zip(("clay_v1", "clay_v1_5"), sizes.CLAY, strict=True):
        card = _sized(
            size,
            reference="github.com/Clay-foundation/model",
            takes="wavelengths",
            modalities=modalities,
            licence=_APACHE,
            stand_ins=tuple(zip(radar.bands, radar.wavelengths, strict=True)),
            coordinates=True,
        )
        yield name, size, card


def _dofa() -> Iterable[tuple[str, Configuration, Card]]:
    for size in sizes.DOFA:
        card = _sized(
            size,
            reference="arXiv 2403.15356",
            takes="wavelengths",
            modalities=(),
            licence=None if size.file is None else _CC_BY,
            stand_ins=(("vv", 5.405), ("vh", 5.405)),
            notes=() if size.file is not None else ("no weights are published",),
        )
        yield f"dofa_{size.name.rpartition('-')[2]}", size, card


def _satmae() -> Iterable[tuple[str, Configuration, Card]]:
    known = _modality("Sentinel-2", statistics.SATMAE_STATISTICS, sensor=SENTINEL_2)
    # Mean ± 2 std become 0 … 255, cut to whole numbers, over 255.
    pairs = list(zip(known.mean, known.std, strict=True))
    modality = replace(
        known,
        mean=tuple(mean - 2 * std for mean, std in pairs),
        std=tuple(4 * std for _, std in pairs),
        low=0.0,
        high=1.0,
        steps=255,
        metres=10.0,
    )
    for size in sizes.SATMAE:
        card = _sized(
            size,
            reference="arXiv 2207.08051",
            takes="declared",
            modalities=(modality,),
            notes=("statistics are known to two decimals",),
        )
        yield f"satmae_{size.name.rpartition('-')[2]}", size, card


def _sized(size: Configuration, **facts: Any) -> Card:
    """The card of an encoder of this size."""
    return Card(
        title=size.name,
        size=size.size,
        patch=size.patch,
        parameters=size.parameters,
        file=size.file,
        **facts,
    )


CONFIGURATIONS: dict[str, Configuration] = {}
CARDS: dict[str, Card] = {}
for _family in (_prithvi, _terramind, _clay, _dofa, _satmae):
    for _name, _size, _card in _family():
        CONFIGURATIONS[_name], CARDS[_name] = _size, _card
