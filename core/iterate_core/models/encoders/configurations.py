"""The published sizes of every encoder family and the files that hold their weights, as data.

Imports no torch. Parameter counts are those of the encoder as built here: without decoders and
classification heads, of all bands the weights were trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from iterate_core.hub.files import HubFile as HubFile


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


class _Pin(NamedTuple):
    """Which bytes a published file is; the fields of `HubFile`, None where not known."""

    revision: str | None = None
    sha256: str | None = None
    size: int | None = None


PRITHVI_BANDS = ("BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2")
"""Channels of every Prithvi-EO model, in the order of the weights."""


def _prithvi(
    name: str,
    size: tuple[int, int, int],
    patch: int,
    parameters: int,
    file: str,
    taps: str,
    pin: _Pin,
) -> PrithviConfiguration:
    return PrithviConfiguration(
        name,
        *size,
        patch=patch,
        size=224,
        parameters=parameters,
        file=HubFile("ibm-nasa-geospatial/" + name, file, **pin._asdict()),
        coordinates=name.endswith("-TL"),
        taps=tuple(int(tap) for tap in taps.split()),
    )


_TINY, _SMALL, _BASE = (192, 12, 3), (384, 12, 6), (768, 12, 12)
_LARGE, _HUGE = (1024, 24, 16), (1280, 32, 16)

# Digests: commit and file pages of the Hugging Face repositories; of tiny-TL and 600M what others
# have published of their copies. Revisions: later commits with the same bytes that others have
# pinned, so that copies of the main branch are found; of 1.0 and 600M the file's own commit.
PRITHVI_V1_100 = _prithvi(
    *("Prithvi-EO-1.0-100M", _BASE, 16, 86_237_184, "Prithvi_EO_V1_100M.pt", "2 5 8 11"),
    _Pin(
        "4d894e1487bab8bde27cb2f44b9b7c4b1535685e",
        "7fac0c8a8693198e32a055e0c5a967f8b005f382182b63df1b29fdcd5c880731",
        453_671_052,
    ),
)
PRITHVI_V2_TINY_TL = _prithvi(
    *("Prithvi-EO-2.0-tiny-TL", _TINY, 16, 5_634_050, "Prithvi_EO_V2_tiny_TL.pt", "2 5 8 11"),
    _Pin(
        "335eadc2c45ad5abe7bd307223e1c48c5b60c41b",
        "d47326db9bad502b611f73e3e3f3a0e68b7b82640d67c22c795417f7209f8d70",
    ),
)
PRITHVI_V2_100_TL = _prithvi(
    *("Prithvi-EO-2.0-100M-TL", _BASE, 16, 86_237_186, "Prithvi_EO_V2_100M_TL.pt", "2 5 8 11"),
    _Pin(
        "2c84e383194986040f883cc43d7869002c425e1b",
        "d45406d5fc51af1d9657d48f2e2c3ff077408a2e1113f9a242889a4fe4469b17",
        454_660_610,
    ),
)
PRITHVI_V2_300 = _prithvi(
    *("Prithvi-EO-2.0-300M", _LARGE, 16, 303_886_336, "Prithvi_EO_V2_300M.pt", "5 11 17 23"),
    _Pin(
        "9eb1b1102806593963daa333bcc491b1c6f8562f",
        "faab2c8b776f0723f93431747603a7ec586a54fc45473613b4322c29752486e7",
        1_326_658_396,
    ),
)
PRITHVI_V2_300_TL = _prithvi(
    *("Prithvi-EO-2.0-300M-TL", _LARGE, 16, 303_886_338, "Prithvi_EO_V2_300M_TL.pt", "5 11 17 23"),
    _Pin(
        "63adbd39c271da4c42f447e69b1a7c91a338cdc9",
        "3629cedfbb350faafcb0dac902ae0d3c927e25ce8d9e0024aa1276ec66956ddb",
        1_326_660_716,
    ),
)
PRITHVI_V2_600 = _prithvi(
    *("Prithvi-EO-2.0-600M", _HUGE, 14, 631_188_480, "Prithvi_EO_V2_600M.pt", "7 15 23 31"),
    _Pin(
        "afe3b7083e0ea592b37c4c04700920fee8bb1d0e",
        "26a3f387ac6fc8e5eee8eb1986e6b9e99f36aa4d03aeb7fd5722feee5d5f88d0",
    ),
)
PRITHVI_V2_600_TL = _prithvi(
    *("Prithvi-EO-2.0-600M-TL", _HUGE, 14, 631_188_482, "Prithvi_EO_V2_600M_TL.pt", "7 15 23 31"),
    _Pin(
        "3d72adc6dfc4cc3862bf4f41da8c83db267193c9",
        "7b92c53b0204a76bb775bd8930f045e05776251caa8c83f7367ed0b75b594702",
        2_638_217_218,
    ),
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
    name: str, size: tuple[int, int, int], parameters: int, gated: bool, pin: _Pin
) -> TerraMindConfiguration:
    repository = f"ibm-esa-geospatial/TerraMind-1.0-{name}"
    file = HubFile(repository, f"TerraMind_v1_{name}.pt", **pin._asdict())
    return TerraMindConfiguration(
        f"TerraMind-1.0-{name}", *size, 16, 224, parameters, file, gated=gated
    )


# Tiny: commit 3e763e7a of its Hugging Face repository holds the same bytes. The others: revisions,
# digests and sizes that several projects have published of their copies (large: one project).
TERRAMIND_V1_TINY = _terramind(
    *("tiny", _TINY, 6_022_464, False),
    _Pin(
        "2b5ac0a3ed7dd7e922ccfd595b56607f342df343",
        "e56ea9ebcd4451078b9ca4893d5cd8a89bbee376ae16829c3e7fbbbc76de0eba",
        211_873_402,
    ),
)
TERRAMIND_V1_SMALL = _terramind(
    *("small", _SMALL, 22_661_760, False),
    _Pin(
        "960f7549bfe9d7a08946860042f83badd604c779",
        "755e9cce9483fd61334ef66c79f805406db5151a8b44a685c8fbbe023c684701",
        504_231_662,
    ),
)
TERRAMIND_V1_BASE = _terramind(
    *("base", _BASE, 87_707_904, True),
    _Pin(
        "fb96c70d0a5f68dcc44030b89cbfd8ec3fb0c67a",
        "83c3a0938067c83867a46e564443c2fa38383bf4f966d931b11cb025b847d7ec",
        1_518_713_958,
    ),
)
TERRAMIND_V1_LARGE = _terramind(
    *("large", _LARGE, 305_662_976, True),
    _Pin(
        None,
        "a1c6b567ce6862c7ac07181551add840edce52f652abccfe5f17d23544060f81",
        3_787_890_978,
    ),
)
TERRAMIND = (TERRAMIND_V1_TINY, TERRAMIND_V1_SMALL, TERRAMIND_V1_BASE, TERRAMIND_V1_LARGE)

# The first version was taken out of made-with-clay/Clay (terratorch issue 1024); its new place is
# terratorch's, and neither its commit nor its digest has been seen. 1.5: as others have pinned it.
CLAY_V1 = ClayConfiguration(
    *("Clay-v1", *_BASE, 8, 256, 92_102_144),
    file=HubFile("made-with-clay/Clay-legacy", "v1/clay-v1-base.ckpt"),
)
CLAY_V1_5 = ClayConfiguration(
    *("Clay-v1.5", *_LARGE, 8, 256, 311_442_944),
    file=HubFile(
        *("made-with-clay/Clay", "v1.5/clay-v1.5.ckpt"),
        revision="70200ebcccdf67bf2a0cb9984c77ddee26c10ed2",
        sha256="21432069250b9b3f9a65ffd0071c5ad56b793247285ab0604edf7f531d4798d0",
    ),
)
CLAY = (CLAY_V1, CLAY_V1_5)

# Commit page of the Hugging Face repository; torchgeo pins the same one.
_DOFA_COMMIT = "b8db318b64a90b9e085ec04ba8851233c5893666"
DOFA_SMALL = DofaConfiguration("DOFA-small", *_SMALL, 16, 224, 34_743_680, file=None)
DOFA_BASE = DofaConfiguration(
    *("DOFA-base", *_BASE, 16, 224, 111_312_128),
    file=HubFile(
        *("torchgeo/dofa", "dofa_base_patch16_224-a0275954.pth", _DOFA_COMMIT),
        sha256="a027595480a4b0641d0be330d876034439bcb6ead8b9ce10f4949227426856c6",
        size=445_295_690,
    ),
)
DOFA_LARGE = DofaConfiguration(
    *("DOFA-large", *_LARGE, 16, 224, 337_105_408),
    file=HubFile(
        *("torchgeo/dofa", "dofa_large_patch16_224-0ff904d3.pth", _DOFA_COMMIT),
        sha256="0ff904d35418b0ae26e15812f2669f906a047f94517823bfbc3824eac9328291",
        size=1_348_512_262,
    ),
)
DOFA_HUGE = DofaConfiguration("DOFA-huge", *_HUGE, 14, 224, 663_182_080, file=None)
DOFA = (DOFA_SMALL, DOFA_BASE, DOFA_LARGE, DOFA_HUGE)

# A record has no commits. Digests and sizes that others have published of copies whose MD5 is the
# one on the record's page: 1269e6a8…, 436bcd81….
_SATMAE_RECORD = "zenodo.org/records/7338613"
SATMAE_BASE = SatMaeConfiguration(
    *("SatMAE-multispectral-base", *_BASE, 8, 96, 85_625_856),
    file=HubFile(
        *(_SATMAE_RECORD, "pretrain-vit-base-e199.pth"),
        sha256="cfce145a0c88ee7f85ab639158d2456319b264d1560185af4f8f021c79d4ed19",
        size=1_338_694_433,
    ),
)
SATMAE_LARGE = SatMaeConfiguration(
    *("SatMAE-multispectral-large", *_LARGE, 8, 96, 303_083_264),
    file=HubFile(
        *(_SATMAE_RECORD, "pretrain-vit-large-e199.pth"),
        sha256="1b120cbe1beac0b70a53cc3554b13f1c1025ee3b3e360986d01095010ef9bb64",
        size=3_949_597_273,
    ),
)
SATMAE = (SATMAE_BASE, SATMAE_LARGE)
SATMAE_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Channels of the multispectral SatMAE, in the order of the weights."""
SATMAE_GROUPS = ((0, 1, 2, 6), (3, 4, 5, 7), (8, 9))
"""Channels that share a patch embedding, as indices into `SATMAE_BANDS`."""
