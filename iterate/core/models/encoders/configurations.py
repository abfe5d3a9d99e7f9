"""The published sizes of every encoder family and the files that hold their weights, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with.
"""

from __future__ import annotations

from dataclasses import dataclass

from iterate.core.hub import HubFile as HubFile


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
class PrithviConfiguration(Configuration):
    """A Prithvi-EO encoder.

    Attributes:
        coordinates: Whether it was trained with acquisition dates and locations ("TL").
        taps: Blocks whose outputs are usually decoded.
    """

    coordinates: bool
    taps: tuple[int, ...]


@dataclass(frozen=True)
class TerraMindConfiguration(Configuration):
    """A TerraMind encoder; `parameters` counts it with S2L2A and S1GRD.

    Attributes:
        gated: Whether its blocks have no biases and a gated MLP (base and large).
    """

    gated: bool


class ClayConfiguration(Configuration):
    """A Clay encoder."""


class DofaConfiguration(Configuration):
    """A DOFA encoder; `parameters` counts it without the classification head."""


class SatMaeConfiguration(Configuration):
    """A multispectral SatMAE encoder with group channels."""


@dataclass(frozen=True)
class Modality:
    """An image modality of TerraMind.

    Attributes:
        key: Its name in the checkpoint.
        bands: Its channels, in the order of the weights.
    """

    key: str
    bands: tuple[str, ...]


PRITHVI_BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
"""Channels of every Prithvi-EO model, in the order of the weights."""


def _prithvi(
    name: str, size: tuple[int, int, int], patch: int, parameters: int, file: str, taps: str
) -> PrithviConfiguration:
    repository = "ibm-nasa-geospatial/" + name
    return PrithviConfiguration(
        name,
        *size,
        patch=patch,
        size=224,
        parameters=parameters,
        file=HubFile(repository, file),
        coordinates=name.endswith("-TL"),
        taps=tuple(int(tap) for tap in taps.split()),
    )


_TINY, _SMALL, _BASE = (192, 12, 3), (384, 12, 6), (768, 12, 12)
_LARGE, _HUGE = (1024, 24, 16), (1280, 32, 16)

PRITHVI_V1_100 = _prithvi(
    "Prithvi-EO-1.0-100M", _BASE, 16, 86_237_184, "Prithvi_EO_V1_100M.pt", "2 5 8 11"
)
PRITHVI_V2_TINY_TL = _prithvi(
    "Prithvi-EO-2.0-tiny-TL", _TINY, 16, 5_634_050, "Prithvi_EO_V2_tiny_TL.pt", "2 5 8 11"
)
PRITHVI_V2_100_TL = _prithvi(
    "Prithvi-EO-2.0-100M-TL", _BASE, 16, 86_237_186, "Prithvi_EO_V2_100M_TL.pt", "2 5 8 11"
)
PRITHVI_V2_300 = _prithvi(
    "Prithvi-EO-2.0-300M", _LARGE, 16, 303_886_336, "Prithvi_EO_V2_300M.pt", "5 11 17 23"
)
PRITHVI_V2_300_TL = _prithvi(
    "Prithvi-EO-2.0-300M-TL", _LARGE, 16, 303_886_338, "Prithvi_EO_V2_300M_TL.pt", "5 11 17 23"
)
PRITHVI_V2_600 = _prithvi(
    "Prithvi-EO-2.0-600M", _HUGE, 14, 631_188_480, "Prithvi_EO_V2_600M.pt", "7 15 23 31"
)
PRITHVI_V2_600_TL = _prithvi(
    "Prithvi-EO-2.0-600M-TL", _HUGE, 14, 631_188_482, "Prithvi_EO_V2_600M_TL.pt", "7 15 23 31"
)
PRITHVI = (
    PRITHVI_V1_100,
    PRITHVI_V2_TINY_TL,
    PRITHVI_V2_100_TL,
    PRITHVI_V2_300,
    PRITHVI_V2_300_TL,
    PRITHVI_V2_600,
    PRITHVI_V2_600_TL,
)

_S2L2A = (
    *("COASTAL_AEROSOL", "BLUE", "GREEN", "RED", "RED_EDGE_1", "RED_EDGE_2", "RED_EDGE_3"),
    *("NIR_BROAD", "NIR_NARROW", "WATER_VAPOR", "SWIR_1", "SWIR_2"),
)
TERRAMIND_MODALITIES = {
    "S2L2A": Modality("untok_sen2l2a@224", _S2L2A),
    "S2L1C": Modality("untok_sen2l1c@224", (*_S2L2A[:-2], "CIRRUS", *_S2L2A[-2:])),
    "S1GRD": Modality("untok_sen1grd@224", ("VV", "VH")),
    "S1RTC": Modality("untok_sen1rtc@224", ("VV", "VH")),
    "RGB": Modality("untok_sen2rgb@224", ("RED", "GREEN", "BLUE")),
    "DEM": Modality("untok_dem@224", ("DEM",)),
}
"""The image modalities of TerraMind v1 by the names that users give them."""


def _terramind(
    name: str, size: tuple[int, int, int], parameters: int, gated: bool
) -> TerraMindConfiguration:
    file = HubFile(f"ibm-esa-geospatial/TerraMind-1.0-{name}", f"TerraMind_v1_{name}.pt")
    return TerraMindConfiguration(
        f"TerraMind-1.0-{name}", *size, 16, 224, parameters, file, gated=gated
    )


TERRAMIND_V1_TINY = _terramind("tiny", _TINY, 6_022_464, gated=False)
TERRAMIND_V1_SMALL = _terramind("small", _SMALL, 22_661_760, gated=False)
TERRAMIND_V1_BASE = _terramind("base", _BASE, 87_707_904, gated=True)
TERRAMIND_V1_LARGE = _terramind("large", _LARGE, 305_662_976, gated=True)
TERRAMIND = (TERRAMIND_V1_TINY, TERRAMIND_V1_SMALL, TERRAMIND_V1_BASE, TERRAMIND_V1_LARGE)

CLAY_V1 = ClayConfiguration(
    *("Clay-v1", *_BASE, 8, 256, 92_102_144),
    file=HubFile("made-with-clay/Clay-legacy", "v1/clay-v1-base.ckpt"),
)
CLAY_V1_5 = ClayConfiguration(
    *("Clay-v1.5", *_LARGE, 8, 256, 311_442_944),
    file=HubFile("made-with-clay/Clay", "v1.5/clay-v1.5.ckpt"),
)
CLAY = (CLAY_V1, CLAY_V1_5)

DOFA_SMALL = DofaConfiguration("DOFA-small", *_SMALL, 16, 224, 34_743_680, file=None)
DOFA_BASE = DofaConfiguration(
    *("DOFA-base", *_BASE, 16, 224, 111_312_128),
    file=HubFile("torchgeo/dofa", "dofa_base_patch16_224-a0275954.pth"),
)
DOFA_LARGE = DofaConfiguration(
    *("DOFA-large", *_LARGE, 16, 224, 337_105_408),
    file=HubFile("torchgeo/dofa", "dofa_large_patch16_224-0ff904d3.pth"),
)
DOFA_HUGE = DofaConfiguration("DOFA-huge", *_HUGE, 14, 224, 663_182_080, file=None)
DOFA = (DOFA_SMALL, DOFA_BASE, DOFA_LARGE, DOFA_HUGE)

_SATMAE_RECORD = "zenodo.org/records/7338613"
SATMAE_BASE = SatMaeConfiguration(
    *("SatMAE-multispectral-base", *_BASE, 8, 96, 85_625_856),
    file=HubFile(_SATMAE_RECORD, "pretrain-vit-base-e199.pth"),
)
SATMAE_LARGE = SatMaeConfiguration(
    *("SatMAE-multispectral-large", *_LARGE, 8, 96, 303_083_264),
    file=HubFile(_SATMAE_RECORD, "pretrain-vit-large-e199.pth"),
)
SATMAE = (SATMAE_BASE, SATMAE_LARGE)
SATMAE_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Channels of the multispectral SatMAE, in the order of the weights."""
SATMAE_GROUPS = ((0, 1, 2, 6), (3, 4, 5, 7), (8, 9))
"""Channels that share a patch embedding, as indices into `SATMAE_BANDS`."""
