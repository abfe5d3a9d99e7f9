"""SatMAE: published sizes, weights and statistics, and the cards made of them, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with. Statistics are those of the
model's own configuration files.
"""

from __future__ import annotations

from dataclasses import replace

from iterate_core.data.bands import SENTINEL_2
from iterate_core.hub.files import HubFile
from iterate_core.models.backbones.card import entries_of
from iterate_core.models.backbones.transformer.card import (
    BASE,
    LARGE,
    Configuration,
    encoder_card,
    modality_of,
)
from iterate_core.registry.registry import Entry

# A record has no commits. Digests and sizes that others have published of copies whose MD5 is the
# one on the record's page: 1269e6a8…, 436bcd81….
_SATMAE_RECORD = "zenodo.org/records/7338613"
SATMAE_BASE = Configuration(
    *("SatMAE-multispectral-base", *BASE, 8, 96, 85_625_856),
    file=HubFile(
        *(_SATMAE_RECORD, "pretrain-vit-base-e199.pth"),
        sha256="cfce145a0c88ee7f85ab639158d2456319b264d1560185af4f8f021c79d4ed19",
        size=1_338_694_433,
    ),
)
SATMAE_LARGE = Configuration(
    *("SatMAE-multispectral-large", *LARGE, 8, 96, 303_083_264),
    file=HubFile(
        *(_SATMAE_RECORD, "pretrain-vit-large-e199.pth"),
        sha256="1b120cbe1beac0b70a53cc3554b13f1c1025ee3b3e360986d01095010ef9bb64",
        size=3_949_597_273,
    ),
)
CONFIGURATIONS = {"satmae_base": SATMAE_BASE, "satmae_large": SATMAE_LARGE}

SATMAE_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Channels of the multispectral SatMAE, in the order of the weights."""
SATMAE_GROUPS = ((0, 1, 2, 6), (3, 4, 5, 7), (8, 9))
"""Channels that share a patch embedding, as indices into `SATMAE_BANDS`."""

_PIXELS = modality_of(
    "Sentinel-2",
    SATMAE_BANDS,
    "dn",
    "1184.38 1120.77 1136.26 1263.74 1645.40 1846.87 1762.60 1972.62 1732.16 1247.92",
    "650.28 712.13 965.23 948.98 1108.07 1258.36 1233.15 1364.39 1310.37 1087.60",
    sensor=SENTINEL_2,
    metres=10.0,
)
# Mean ± 2 std become 0 … 255, cut to whole numbers, over 255.
_CUT = replace(
    _PIXELS,
    mean=tuple(mean - 2 * std for mean, std in zip(_PIXELS.mean, _PIXELS.std, strict=True)),
    std=tuple(4 * std for std in _PIXELS.std),
    low=0.0,
    high=1.0,
    steps=255,
)
CARDS = {
    name: encoder_card(
        configuration,
        reference="arXiv 2207.08051",
        takes="declared",
        modalities=(_CUT,),
        notes=("statistics are known to two decimals",),
    )
    for name, configuration in CONFIGURATIONS.items()
}


def entries() -> tuple[Entry, ...]:
    """One entry a set of weights."""
    return entries_of("satmae", "SatMaeOptions", CARDS)
