"""Presto's card and registry entry. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from iterate_core.data.bands import ANY, SENTINEL_2, describe
from iterate_core.data.dataset import Band
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality, entries_of
from iterate_core.registry.registry import Entry


def _optical(name: str, bands: str) -> Modality:
    found = tuple(
        replace(band, unit="dn", sensor=SENTINEL_2) for band in describe(bands.split(), SENTINEL_2)
    )
    return Modality(name, found, (0.0,) * len(found), (10_000.0,) * len(found))


_RADAR = tuple(
    replace(band, unit="db", sensor="sentinel-1") for band in describe(("VV", "VH"), ANY)
)
_WEATHER = (
    Band("temperature_2m", "temperature_2m", None, "kelvin", "era5"),
    Band("total_precipitation", "total_precipitation", None, "metre_of_water", "era5"),
)
_TERRAIN = (
    Band("elevation", "elevation", None, "metre", "srtm"),
    Band("slope", "slope", None, "degree", "srtm"),
)
CARD = Card(
    title="Presto",
    reference="arXiv 2304.14065",
    takes="declared",
    modalities=(
        Modality("S1", _RADAR, (-25.0, -25.0), (25.0, 25.0)),
        _optical("S2_RGB", "B02 B03 B04"),
        _optical("S2_Red_Edge", "B05 B06 B07"),
        _optical("S2_NIR_10m", "B08"),
        _optical("S2_NIR_20m", "B8A"),
        _optical("S2_SWIR", "B11 B12"),
        # Zero is 272.15 K in the authors' code, one degree below freezing.
        Modality("ERA5", _WEATHER, (272.15, 0.0), (35.0, 0.03)),
        Modality("SRTM", _TERRAIN, (0.0, 0.0), (2000.0, 50.0)),
    ),
    size=1,
    patch=1,
    parameters=404_160,
    licence="MIT",
    file=HubFile(
        *("torchgeo/presto", "model-bfa691d3.pth"), "40de9c69b1611bb11de7b572cf3d24bb60cb8c82"
    ),
    frames=True,
    coordinates=True,
    together=True,
    notes=(
        "sees each pixel by itself, over up to 24 dates a month apart",
        "groups of bands that a dataset lacks are left out, as in pretraining",
        "computes the vegetation index itself: use normalisation: backbone",
    ),
)


def entries() -> tuple[Entry, ...]:
    """Presto's entry."""
    return entries_of("presto", "PrestoOptions", {"presto": CARD})
