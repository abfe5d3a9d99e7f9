"""Tessera's cards and registry entries, where TorchGeo has it. Imports no torch."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

from iterate_core.data.bands import ANY, SENTINEL_2, describe
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import Card, Modality, entries_of
from iterate_core.registry.registry import Entry

_REPOSITORY = "isaaccorley/tessera"
# Red, blue, green and so on: the order in which the authors trained, not that of wavelengths.
_ORDER = ("B04", "B02", "B03", "B08", "B8A", "B05", "B06", "B07", "B11", "B12")
_OPTICAL = tuple(
    replace(band, unit="dn", sensor=SENTINEL_2) for band in describe(_ORDER, SENTINEL_2)
)
_OPTICAL_MEAN = (
    *(1711.0938, 1308.8511, 1546.4543, 3010.1293, 3106.5083),
    *(2068.3044, 2685.0845, 2931.5889, 2514.6928, 1899.4922),
)
_OPTICAL_STD = (
    *(1926.1026, 1862.9751, 1803.1792, 1741.7837, 1677.4543),
    *(1888.7862, 1736.3090, 1715.8104, 1514.5199, 1398.4779),
)
_RADAR = tuple(
    replace(band, unit="db", sensor="sentinel-1") for band in describe(("VV", "VH"), ANY)
)
# The authors store (20 · log₁₀ power + 50) · 200 as whole numbers: 400 · decibel + 10,000, cut
# to what 15 bits hold.
COUNTS_PER_DECIBEL, COUNTS_AT_ZERO, MOST_COUNTS = 400.0, 10_000.0, 32_767.0
"""How the authors store radar backscatter."""
RADAR_COUNTS = ((5484.0407, 1871.2334), (3003.7812, 1726.0670))
"""Mean and standard deviation of VV and of VH, so stored."""
_RADAR_MEAN = tuple((mean - COUNTS_AT_ZERO) / COUNTS_PER_DECIBEL for mean, _ in RADAR_COUNTS)
_RADAR_STD = tuple(std / COUNTS_PER_DECIBEL for _, std in RADAR_COUNTS)
_RADAR_LOW = tuple(-mean / std for mean, std in RADAR_COUNTS)
_RADAR_HIGH = tuple((MOST_COUNTS - mean) / std for mean, std in RADAR_COUNTS)
_INFINITE = (float("inf"),) * len(_OPTICAL)

OPTICAL_BANDS = len(_OPTICAL)
"""How many of the joint model's bands are Sentinel-2's; they come first."""
PARTS: dict[str, str | None] = {
    "tessera": None,
    "tessera_s2": "s2_backbone",
    "tessera_s1": "s1_backbone",
}
"""Which part of TorchGeo's model each backbone is; None is the whole."""
WIDTHS = {"tessera": 128, "tessera_s2": 512, "tessera_s1": 512}
"""Lengths of their vectors."""


def _card(
    sensors: str, modality: Modality, parameters: int, file: tuple[str, str], *notes: str
) -> Card:
    return Card(
        title=f"Tessera ({sensors})",
        reference="arXiv 2506.20380",
        takes="declared",
        modalities=(modality,),
        size=1,
        patch=1,
        parameters=parameters,
        licence="CC0-1.0",
        file=HubFile(_REPOSITORY, *file),
        frames=True,
        coordinates=True,
        notes=(
            "sees each pixel by itself, over any number of dates: choose small images",
            "unknown days are spread evenly over the year",
            *notes,
        ),
    )


def _both() -> Modality:
    return Modality(
        "S2_S1",
        (*_OPTICAL, *_RADAR),
        (*_OPTICAL_MEAN, *_RADAR_MEAN),
        (*_OPTICAL_STD, *_RADAR_STD),
        (*(-limit for limit in _INFINITE), *_RADAR_LOW),
        (*_INFINITE, *_RADAR_HIGH),
    )


CARDS = {
    "tessera": _card(
        "Sentinel-2 and Sentinel-1",
        _both(),
        87_841_922,
        ("model-44f8d7fe.pth", "a8afffd0f48ccce1dab060a7c532d3fde05ae580"),
        "needs both sensors, which it takes to be of the same dates",
    ),
    "tessera_s2": _card(
        "Sentinel-2",
        Modality("S2", _OPTICAL, _OPTICAL_MEAN, _OPTICAL_STD),
        43_857_409,
        ("s2_encoder-28537a8e.pth", "1c723278ef8211d4917f8edf4a9cd5dcddc85e44"),
    ),
    "tessera_s1": _card(
        "Sentinel-1",
        Modality("S1", _RADAR, _RADAR_MEAN, _RADAR_STD, _RADAR_LOW, _RADAR_HIGH),
        43_853_313,
        ("s1_encoder-6cb3ba6a.pth", "2b2a1059878f5d371ea595620f47b6ded73e6ea9"),
    ),
}


def installed() -> bool:
    """Whether the installed TorchGeo has Tessera; TorchGeo is not imported."""
    spec = importlib.util.find_spec("torchgeo")
    folders = spec.submodule_search_locations if spec is not None else None
    return any((Path(folder) / "models" / "tessera.py").is_file() for folder in folders or ())


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights; none where the installed TorchGeo lacks the model."""
    return entries_of("tessera", "TesseraOptions", CARDS if installed() else {})
